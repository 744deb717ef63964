"""Messages that only the real protocol has: groups, our own phone, repeats of one ciphertext."""

from __future__ import annotations

import pytest

from services.sessions.engines import base as engine
from tests.engines.rig import Rig
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

OURS, THEIRS, THIRD = "6281200000001", "6281300000002", "6281400000003"
FIRST, SECOND = "3EB0000000000000000001", "3EB0000000000000000002"


async def group_of(rig: Rig, *numbers: str) -> str:
    """A group of these numbers; returns its JID."""
    await rig.phones.make(*numbers)
    return (await rig.phones.call("POST", "/groups", subject="Kopi", participants=list(numbers)))["jid"]


async def test_a_group_message_goes_to_everybody_and_comes_in_once(worker: Rig) -> None:
    await worker.link("s1", OURS)
    group = await group_of(worker, OURS, THEIRS, THIRD)
    request = engine.Send(
        session="s1", message_id=FIRST, to=group, content=engine.TextContent(text="all"), deadline_ms=2**50
    )

    assert isinstance(await worker.engine.call(request, timeout_s=30), engine.Sent)
    for text in ("one", "two"):  # the first carries the sender's key too
        await worker.phones.write(THEIRS, group, text)
    await worker.seen.next(engine.Message, lambda e: e.text == "two")

    for number in (THEIRS, THIRD):
        assert (await worker.phones.inbox(number))[0]["text"] == "all"
    told = worker.seen.all(engine.Message)
    assert [(event.text, event.chat, event.sender) for event in told] == [
        (text, group, f"{THEIRS}@s.whatsapp.net") for text in ("one", "two")
    ]


async def test_a_deletion_says_whether_an_administrator_deletes_what_another_wrote(worker: Rig) -> None:
    await worker.link("s1", OURS)
    group = await group_of(worker, OURS, THEIRS, THIRD)
    admin = f"{THEIRS}@s.whatsapp.net"
    request = engine.ChangeParticipants(session="s1", group=group, action="promote", participants=[admin])
    assert isinstance(await worker.engine.call(request, timeout_s=20), engine.Participants)
    first, second = [await worker.phones.write(THIRD, group, text) for text in ("one", "two")]

    await worker.phones.write(THEIRS, group, type="revoke", target=first)
    await worker.phones.write(THIRD, group, type="revoke", target=second)

    theirs = await worker.seen.next(engine.Revoked, lambda e: e.target == first)
    own = await worker.seen.next(engine.Revoked, lambda e: e.target == second)
    assert (theirs.sender, theirs.by_admin) == (admin, True)
    assert (own.sender, own.by_admin) == (f"{THIRD}@s.whatsapp.net", False)


async def test_what_the_person_writes_on_the_phone_is_told_as_ours(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.send("s1", THEIRS, engine.TextContent(text="now both forms are known"), FIRST)

    await worker.phones.write(OURS, THEIRS, "from my phone")

    message = await worker.seen.next(engine.Message)
    assert (message.from_me, message.text) == (True, "from my phone")
    assert message.chat == f"{THEIRS}@s.whatsapp.net"
    assert message.sender == f"{OURS}@s.whatsapp.net"


@pytest.mark.parametrize("addressing", ["lid", "pn"])
async def test_both_forms_of_an_address_are_told(worker: Rig, addressing: str) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{THEIRS}", addressing=addressing)

    await worker.phones.write(THEIRS, OURS, "halo")

    message = await worker.seen.next(engine.Message)
    assert message.sender == f"{THEIRS}@s.whatsapp.net"
    assert message.sender_lid is not None
    assert message.sender_lid.endswith("@lid")


async def test_a_ciphertext_that_comes_twice_is_told_once(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("POST", "/faults", kind="duplicate", phone=OURS, count=1)

    await worker.phones.write(THEIRS, OURS, "once")
    await worker.phones.write(THEIRS, OURS, "then")
    await worker.seen.next(engine.Message, lambda e: e.text == "then")

    assert [event.text for event in worker.seen.all(engine.Message)] == ["once", "then"]
    assert worker.seen.all(engine.Undecryptable) == []


async def test_messages_and_receipts_that_waited_come_after_the_login(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{THEIRS}", deliver=False)
    await worker.send("s1", THEIRS, engine.TextContent(text="slow"), FIRST)
    await worker.engine.call(engine.Close(session="s1"), timeout_s=10)
    await worker.phones.call("PATCH", f"/phones/{THEIRS}", deliver=True)
    await worker.phones.write(THEIRS, OURS, "while you were away")

    await worker.reopen("s1")

    assert (await worker.seen.next(engine.Message)).text == "while you were away"
    assert (await worker.seen.next(engine.Receipt, lambda e: e.kind == "delivered")).message_ids == [FIRST]


async def test_marking_as_read_is_seen_by_the_person(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    written = await worker.phones.write(THEIRS, OURS, "read me")
    message = await worker.seen.next(engine.Message)
    request = engine.MarkRead(session="s1", chat=message.chat, sender=message.sender, message_ids=[written])

    assert await worker.engine.call(request, timeout_s=10) == engine.Done()

    async def read() -> bool:
        sent = (await worker.phones.call("GET", f"/phones/{THEIRS}/messages"))["messages"]
        return sent[0]["status"] == "read"

    await eventually(read)


async def test_a_link_shows_its_card(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    card = engine.Preview(url="https://example.com", title="Contoh", description="Sebuah contoh")
    content = engine.TextContent(text="lihat https://example.com")

    assert isinstance(await worker.send("s1", THEIRS, content, FIRST, preview=card), engine.Sent)

    (row,) = await worker.phones.inbox(THEIRS)
    assert row["text"] == content.text
    assert row["preview"] == {"url": "https://example.com", "title": "Contoh", "description": "Sebuah contoh"}


async def test_an_admin_reacts_to_and_deletes_what_a_member_wrote(worker: Rig) -> None:
    await worker.link("s1", OURS)
    group = await group_of(worker, OURS, THEIRS, THIRD)
    written = await worker.phones.write(THEIRS, group, "rude")
    await worker.seen.next(engine.Message)
    author = f"{THEIRS}@s.whatsapp.net"

    reaction = engine.ReactionContent(target=written, sender=author, emoji="😡")
    assert isinstance(await worker.send("s1", group, reaction, FIRST), engine.Sent)
    revoke = engine.RevokeContent(target=written, sender=author)
    assert isinstance(await worker.send("s1", group, revoke, SECOND), engine.Sent)

    rows = {row["id"]: row for row in await worker.phones.inbox(THIRD)}
    assert (rows[FIRST]["type"], rows[FIRST]["target"]) == ("reaction", written)
    assert (rows[SECOND]["type"], rows[SECOND]["target"]) == ("revoke", written)


async def test_what_the_person_changes_on_the_phone_is_told_as_ours(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    written = await worker.phones.write(OURS, THEIRS, "from my phnoe")
    await worker.phones.write(OURS, THEIRS, type="edit", target=written, text="from my phone")
    await worker.phones.write(OURS, THEIRS, type="revoke", target=written)

    edited, revoked = await worker.seen.next(engine.Edited), await worker.seen.next(engine.Revoked)

    assert (edited.target, edited.from_me, edited.text) == (written, True, "from my phone")
    assert (revoked.target, revoked.from_me, revoked.chat) == (written, True, f"{THEIRS}@s.whatsapp.net")
