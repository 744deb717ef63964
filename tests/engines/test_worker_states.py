"""What the worker tells of a session's life: passkeys, restrictions with their end, and messages that did not open."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from typing import Any

import pytest

from services.sessions.engines import base as engine
from tests.engines.rig import Rig
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

OURS, THEIRS = "6281200000001", "6281300000002"
FIRST, SECOND = "3EB0000000000000000001", "3EB0000000000000000002"


def jid(number: str) -> str:
    return f"{number}@s.whatsapp.net"


# --- Passkeys ---------------------------------------------------------------------------------------------------------


async def scanned(worker: Rig) -> tuple[engine.PasskeyRequired, asyncio.Task[dict[str, Any]]]:
    """A link for which WhatsApp wants a passkey, and the phone that waits for it."""
    await worker.phones.make(OURS)
    await worker.phones.call("POST", "/faults", kind="passkey", phone=OURS)
    await worker.open("s1")
    codes = await worker.seen.next(engine.Qr)
    scan = asyncio.create_task(worker.phones.call("POST", f"/phones/{OURS}/scan", qr=codes.codes[0]))
    return await worker.seen.next(engine.PasskeyRequired), scan


async def answered(worker: Rig, required: engine.PasskeyRequired, number: str = OURS) -> engine.Reply:
    """The person's passkey answers, as a page of WhatsApp would ask it."""
    challenge = json.loads(required.challenge)["challenge"]
    assertion = await worker.phones.call("POST", f"/phones/{number}/passkey", challenge=challenge)
    return await worker.engine.call(engine.PasskeyResponse(session="s1", response=json.dumps(assertion)), timeout_s=20)


async def test_a_link_that_wants_a_passkey_is_made_with_it(worker: Rig) -> None:
    required, scan = await scanned(worker)

    assert await answered(worker, required) == engine.Done()
    confirmation = await worker.seen.next(engine.PasskeyConfirmation)
    shown = await worker.phones.call("GET", f"/phones/{OURS}/passkey")
    assert confirmation.code == shown["code"]
    assert await worker.engine.call(engine.PasskeyConfirm(session="s1"), timeout_s=20) == engine.Done()

    await scan
    assert (await worker.seen.next(engine.Connected)).jid.startswith(OURS)
    assert worker.seen.all(engine.QrEnded) == []


async def test_somebody_elses_passkey_is_refused_and_the_right_one_still_links(worker: Rig) -> None:
    required, scan = await scanned(worker)
    await worker.phones.make(THEIRS)

    wrong = await answered(worker, required, THEIRS)

    assert isinstance(wrong, engine.Failed)
    assert wrong.code == "refused"
    assert (await worker.seen.next(engine.PasskeyFailed)).message
    assert await answered(worker, required) == engine.Done()
    await worker.seen.next(engine.PasskeyConfirmation)
    await worker.engine.call(engine.PasskeyConfirm(session="s1"), timeout_s=20)
    await scan
    await worker.seen.next(engine.Connected)


async def test_passkey_steps_that_nobody_asked_for_are_refused(worker: Rig) -> None:
    await worker.open("s1")
    await worker.seen.next(engine.Qr)

    for request in (engine.PasskeyConfirm(session="s1"), engine.PasskeyResponse(session="s1", response="{}")):
        reply = await worker.engine.call(request, timeout_s=20)
        assert isinstance(reply, engine.Failed)
        assert reply.code == "bad_request"


# --- Restrictions -----------------------------------------------------------------------------------------------------


async def test_a_reach_out_timelock_is_told_with_its_end_and_when_it_is_over(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)

    await worker.phones.call("POST", "/faults", kind="timelock", phone=OURS, expireS=600)
    began = await worker.seen.next(engine.Restricted, lambda e: e.active)
    refused = await worker.send("s1", THEIRS, engine.TextContent(text="first contact"), FIRST)
    await worker.phones.call("POST", "/faults", kind="timelock", phone=OURS, expireS=0)
    ended = await worker.seen.next(engine.Restricted, lambda e: not e.active)

    assert began.until_ms is not None
    assert 550_000 < began.until_ms - time.time() * 1000 < 650_000
    assert refused == engine.Refused(code=463)
    assert ended.until_ms is None
    assert isinstance(await worker.send("s1", THEIRS, engine.TextContent(text="again"), SECOND), engine.Sent)


# --- Messages that do not open ----------------------------------------------------------------------------------------


async def test_a_message_that_did_not_open_is_told_and_then_recovered(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.write(THEIRS, OURS, "opens")
    await worker.seen.next(engine.Message)
    await worker.phones.call("POST", "/faults", kind="garble", phone=OURS, device=1, count=1)

    written = await worker.phones.write(THEIRS, OURS, "asked for again")

    sealed = await worker.seen.next(engine.Undecryptable)
    assert (sealed.id, sealed.chat, sealed.sender) == (written, jid(THEIRS), jid(THEIRS))
    recovered = await worker.seen.next(engine.Message, lambda e: e.id == written)
    assert recovered.text == "asked for again"


async def test_a_reaction_that_did_not_open_is_not_worth_a_word(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    written = await worker.phones.write(THEIRS, OURS, "halo")
    await worker.seen.next(engine.Message)
    await worker.phones.call("POST", "/faults", kind="garble", phone=OURS, device=1, count=1)

    await worker.phones.write(THEIRS, OURS, type="reaction", target=written, emoji="🙂")

    assert (await worker.seen.next(engine.Reacted)).target == written
    assert worker.seen.all(engine.Undecryptable) == []


# --- People -----------------------------------------------------------------------------------------------------------


async def test_a_contact_known_by_lid_alone_writes_and_is_answered(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{THEIRS}", hideNumber=True)

    await worker.phones.write(THEIRS, OURS, "who am I?")
    message = await worker.seen.next(engine.Message)
    reply = await worker.send("s1", message.chat, engine.TextContent(text="somebody"), FIRST)

    assert message.chat == message.sender == message.sender_lid
    assert message.chat.endswith("@lid")
    assert isinstance(reply, engine.Sent)
    assert [row["text"] for row in await worker.phones.inbox(THEIRS)] == ["somebody"]


async def test_people_see_that_we_type_record_and_pause(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)

    for state in ("composing", "recording", "paused"):
        await worker.engine.call(engine.Presence(session="s1", chat=jid(THEIRS), state=state), timeout_s=10)

    async def seen() -> bool:
        shown = (await worker.phones.call("GET", f"/phones/{THEIRS}/presence"))["shown"]
        return [row["state"] for row in shown] == ["composing", "recording", "paused"]

    await eventually(seen)


# --- Polls ------------------------------------------------------------------------------------------------------------


async def test_votes_on_a_poll_that_was_refused_at_first_are_read_after_the_worker_was_killed(worker: Rig) -> None:
    """The phone has the second copy alone: its secret must be the one that was kept before the first."""
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    content = engine.PollContent(question="Kapan?", options=["A", "B"], selectable=1)
    await worker.phones.call("POST", "/faults", kind="nack", phone=OURS, code=500, count=1)
    assert await worker.send("s1", THEIRS, content, FIRST) == engine.Refused(code=500)
    assert isinstance(await worker.send("s1", THEIRS, content, FIRST), engine.Sent)

    os.kill(worker.engine.pid, signal.SIGKILL)
    await eventually(lambda: _is(worker.engine.up and worker.engine.worker_start == 2))
    await worker.reopen("s1")
    await worker.phones.write(THEIRS, OURS, type="vote", target=FIRST, options=["B"])

    assert (await worker.seen.next(engine.Voted)).options == ["B"]


async def test_votes_in_a_group_tell_who_voted(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    made = await worker.phones.call("POST", "/groups", subject="Kopi", participants=[OURS, THEIRS])
    content = engine.PollContent(question="Kapan?", options=["A", "B"], selectable=1)
    assert isinstance(await worker.send("s1", made["jid"], content, FIRST), engine.Sent)

    await worker.phones.write(THEIRS, made["jid"], type="vote", target=FIRST, options=["A"])
    await worker.phones.write(OURS, made["jid"], type="vote", target=FIRST, options=["B"])

    theirs = await worker.seen.next(engine.Voted, lambda e: not e.from_me)
    own = await worker.seen.next(engine.Voted, lambda e: e.from_me)
    assert (theirs.chat, theirs.sender, theirs.options) == (made["jid"], jid(THEIRS), ["A"])
    assert (own.sender, own.options) == (jid(OURS), ["B"])


async def test_a_group_that_we_are_not_in_gets_nothing(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    made = await worker.phones.call("POST", "/groups", subject="Kopi", participants=[THEIRS])

    for group in (made["jid"], "120363999999999999@g.us"):
        reply = await worker.send("s1", group, engine.TextContent(text="hello"), FIRST)
        assert isinstance(reply, engine.NotSent), reply
        assert reply.reason == "group_unknown"


async def _is(true: bool) -> bool:
    return true
