"""One suite over every engine: what a session's owner may rely on."""

from __future__ import annotations

import asyncio

import pytest

from services.sessions.engines import base as engine
from tests.engines.rig import Rig

OURS, THEIRS, NOBODY = "6281200000001", "6281300000002", "6281400000003"
FIRST, SECOND = "3EB0000000000000000001", "3EB0000000000000000002"


async def test_a_scanned_session_is_paired_and_then_connected(rig: Rig) -> None:
    connected = await rig.link("s1", OURS)

    kinds = [type(event).__name__ for event in rig.seen.events]
    assert kinds[:3] == ["Qr", "Paired", "Connected"]
    assert connected.jid == f"{OURS}:1@s.whatsapp.net"


async def test_a_linked_session_opens_without_a_code(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.engine.call(engine.Close(session="s1"), timeout_s=10)
    before = len(rig.seen.events)

    await rig.reopen("s1")

    assert not any(isinstance(event, engine.Qr) for event in rig.seen.events[before:])


async def test_opening_twice_with_one_number_opens_once(rig: Rig) -> None:
    connected = await rig.link("s1", OURS)
    before = len(rig.seen.events)

    again = await rig.engine.call(rig.open_request("s1", connection=connected.connection), timeout_s=10)
    await rig.phones.make(THEIRS)
    await rig.send("s1", THEIRS, engine.TextContent(text="still here"), FIRST)

    assert again == engine.Done()
    assert not any(isinstance(event, engine.Connected) for event in rig.seen.events[before:])


async def test_a_text_arrives_and_its_receipts_come_back(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)
    await rig.phones.call("PATCH", f"/phones/{THEIRS}", readAfterMs=10)

    reply = await rig.send("s1", THEIRS, engine.TextContent(text="selamat pagi ☀"), FIRST)

    assert isinstance(reply, engine.Sent)
    for kind in ("delivered", "read"):
        receipt = await rig.seen.next(engine.Receipt, lambda e, kind=kind: e.kind == kind)
        assert receipt.message_ids == [FIRST]
        assert receipt.chat == f"{THEIRS}@s.whatsapp.net"
    inbox = await rig.phones.inbox(THEIRS)
    assert [(row["id"], row["text"]) for row in inbox] == [(FIRST, "selamat pagi ☀")]


async def test_a_repeat_with_the_same_id_shows_one_message(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)
    content = engine.TextContent(text="once")

    for _ in range(2):
        assert isinstance(await rig.send("s1", THEIRS, content, FIRST), engine.Sent)

    assert [row["copies"] for row in await rig.phones.inbox(THEIRS)] == [2]


async def test_messages_leave_in_the_order_in_which_they_are_sent(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)

    for number in range(10):
        await rig.send("s1", THEIRS, engine.TextContent(text=str(number)), f"3EB0{number:018d}")

    assert [row["text"] for row in await rig.phones.inbox(THEIRS)] == [str(number) for number in range(10)]


async def test_a_number_that_is_not_on_whatsapp_is_refused_before_it_leaves(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(NOBODY)
    await rig.phones.call("PATCH", f"/phones/{NOBODY}", onWhatsApp=False)

    reply = await rig.send("s1", NOBODY, engine.TextContent(text="hello"), FIRST)

    assert isinstance(reply, engine.NotSent)
    assert reply.reason == "not_on_whatsapp"


async def test_a_check_tells_who_is_on_whatsapp(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS, NOBODY)
    await rig.phones.call("PATCH", f"/phones/{NOBODY}", onWhatsApp=False)

    reply = await rig.engine.call(engine.Check(session="s1", phones=[THEIRS, NOBODY]), timeout_s=20)

    assert reply == engine.Checked(jids={THEIRS: f"{THEIRS}@s.whatsapp.net", NOBODY: None})


async def test_a_nack_tells_its_code(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)
    await rig.phones.call("POST", "/faults", kind="nack", code=463, count=1)

    assert await rig.send("s1", THEIRS, engine.TextContent(text="hello"), FIRST) == engine.Refused(code=463)


async def test_a_message_comes_in_with_both_sides_named_by_number(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)

    written = await rig.phones.write(THEIRS, OURS, "halo")

    message = await rig.seen.next(engine.Message)
    assert (message.id, message.text, message.content_class) == (written, "halo", "text")
    assert message.chat == message.sender == f"{THEIRS}@s.whatsapp.net"
    assert not message.from_me


@pytest.mark.parametrize("how", ["false", "exception"])
async def test_a_message_that_was_not_taken_comes_again_after_the_next_open(rig: Rig, how: str) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)

    async def refuse(event: engine.Event) -> bool:
        if how == "exception":
            raise ConnectionError
        return not isinstance(event, engine.Message)

    rig.seen.answer = refuse
    await rig.phones.write(THEIRS, OURS, "do not lose me")
    first = await rig.seen.next(engine.Message)
    if rig.name == "worker":
        await rig.seen.next(engine.Disconnected)
    rig.seen.answer = None
    before = len(rig.seen.events)
    await rig.reopen("s1")

    again = await rig.seen.next(engine.Message, after=before)

    assert (again.id, again.text) == (first.id, first.text)


async def test_a_taken_message_does_not_come_again(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)
    await rig.phones.write(THEIRS, OURS, "first")
    await rig.seen.next(engine.Message, lambda e: e.text == "first")
    await rig.confirmed_to(THEIRS)
    await rig.engine.call(engine.Close(session="s1"), timeout_s=10)

    await rig.reopen("s1")
    await rig.phones.write(THEIRS, OURS, "second")
    await rig.seen.next(engine.Message, lambda e: e.text == "second")

    assert [event.text for event in rig.seen.all(engine.Message)] == ["first", "second"]


async def test_messages_of_one_session_are_handled_one_after_another(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)
    running = most = 0

    async def slow(_: engine.Event) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return True

    rig.seen.answer = slow
    for number in range(5):
        await rig.phones.write(THEIRS, OURS, str(number))
    await rig.seen.next(engine.Message, lambda e: e.text == "4")

    assert most == 1
    assert [event.text for event in rig.seen.all(engine.Message)] == ["0", "1", "2", "3", "4"]


async def test_a_lost_socket_is_told_once_and_the_next_open_connects(rig: Rig) -> None:
    connected = await rig.link("s1", OURS)
    await rig.phones.call("POST", "/faults", kind="drop", phone=OURS)

    lost = await rig.seen.next(engine.Disconnected)
    await rig.reopen("s1")
    await rig.phones.make(THEIRS)
    reply = await rig.send("s1", THEIRS, engine.TextContent(text="back"), FIRST)

    assert lost.connection == connected.connection
    assert len(rig.seen.all(engine.Disconnected)) == 1
    assert isinstance(reply, engine.Sent)


async def test_a_closed_session_sends_nothing(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.phones.make(THEIRS)
    await rig.engine.call(engine.Close(session="s1"), timeout_s=10)

    reply = await rig.send("s1", THEIRS, engine.TextContent(text="hello"), FIRST)

    assert isinstance(reply, engine.NotSent)
    assert reply.reason in {"not_open", "not_connected"}
    assert await rig.phones.inbox(THEIRS) == []


async def test_logout_ends_the_link(rig: Rig) -> None:
    await rig.link("s1", OURS)

    assert await rig.engine.call(engine.Logout(session="s1"), timeout_s=20) == engine.Done()
    fence = rig.open_request("s1").fence
    assert await rig.engine.call(engine.Forget(session="s1", link=1, fence=fence), timeout_s=20) == engine.Done()
    before = len(rig.seen.events)
    await rig.open("s1", link=2)

    assert (await rig.seen.next(engine.Qr, after=before)).codes


async def test_a_phone_that_unlinks_us_is_told(rig: Rig) -> None:
    await rig.link("s1", OURS)

    await rig.phones.call("POST", f"/phones/{OURS}/unlink")

    assert (await rig.seen.next(engine.LoggedOut)).code == 401


async def test_a_lower_fence_is_refused(rig: Rig) -> None:
    await rig.link("s1", OURS)
    await rig.reopen("s1", epoch=2)

    reply = await rig.engine.call(rig.open_request("s1", epoch=1), timeout_s=20)

    assert isinstance(reply, engine.Failed)
    assert reply.code == "fenced"


async def test_stopping_twice_is_harmless(rig: Rig) -> None:
    await rig.link("s1", OURS)

    await rig.engine.stop()
    await rig.engine.stop()

    assert not rig.engine.up
