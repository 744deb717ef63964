"""A message key that is used twice is another message; the same bytes twice are a repeat."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import pytest

from services.sessions.engines import base as engine
from tests.engines.rig import Rig
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

OURS, THEIRS, THIRD = "6281200000001", "6281300000002", "6281400000003"
FIRST = "3EB0000000000000000001"


def jid(number: str) -> str:
    return f"{number}@s.whatsapp.net"


async def reuse_keys(rig: Rig, writer: str, times: int) -> None:
    """So many keys that this phone uses for us from now on are used once more; 0: all of them."""
    await rig.phones.call("POST", "/faults", kind="reuseKeys", phone=writer, to=OURS, count=times)


async def assert_told_once(rig: Rig, texts: list[str]) -> None:
    """Each text is told once; the last one has been told."""
    for text in texts:
        await rig.seen.next(engine.Message, lambda e, text=text: e.text == text)
    assert Counter(event.text for event in rig.seen.all(engine.Message)) == Counter(texts)


@pytest.mark.parametrize("answered", [True, False], ids=["msg", "pkmsg"])
@pytest.mark.parametrize("addressing", ["lid", "pn"])
async def test_a_second_message_under_one_key_is_told_as_undecryptable_and_then_comes(
    worker: Rig, answered: bool, addressing: str
) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{THEIRS}", addressing=addressing)
    if answered:
        await worker.send("s1", THEIRS, engine.TextContent(text="an answer"), FIRST)
    await reuse_keys(worker, THEIRS, times=2)  # the one for our phone and the one for our device

    first, second = [await worker.phones.write(THEIRS, OURS, text) for text in ("first", "second")]

    sealed = await worker.seen.next(engine.Undecryptable)
    assert (sealed.id, sealed.chat, sealed.sender) == (second, jid(THEIRS), jid(THEIRS))
    await assert_told_once(worker, ["first", "second"])
    recovered = await worker.seen.next(engine.Message, lambda e: e.text == "second")
    assert (recovered.id, recovered.chat, recovered.sender) == (second, jid(THEIRS), jid(THEIRS))
    assert (await worker.seen.next(engine.Message, lambda e: e.text == "first")).id == first


async def test_the_sender_is_not_told_delivered_while_its_message_is_asked_for(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{OURS}", deliver=False)  # our device's receipts count alone
    await reuse_keys(worker, THEIRS, times=2)
    meanwhile: list[str] = []

    async def look(event: engine.Event) -> bool:
        if isinstance(event, engine.Undecryptable):  # what comes again is not read before this is answered
            sent = (await worker.phones.call("GET", f"/phones/{THEIRS}/messages"))["messages"]
            meanwhile.extend(row["status"] for row in sent if row["id"] == event.id)
        return True

    worker.seen.answer = look
    for text in ("first", "second"):
        await worker.phones.write(THEIRS, OURS, text)
    await assert_told_once(worker, ["first", "second"])

    assert meanwhile == ["sent"]
    await worker.confirmed_to(THEIRS)


async def test_a_sender_that_reuses_every_key_loses_nothing(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.write(THEIRS, OURS, "first")
    await worker.seen.next(engine.Message)
    await reuse_keys(worker, THEIRS, times=0)

    for number in range(3):  # all three, and what answers the first request for one, have the same key
        await worker.phones.write(THEIRS, OURS, f"reused {number}")
    await assert_told_once(worker, ["first", *(f"reused {number}" for number in range(3))])

    await worker.confirmed_to(THEIRS)
    assert (await worker.phones.call("GET", "/stats"))["retryReceipts"] > 0


async def test_what_our_own_phone_writes_under_a_used_key_is_asked_for_again(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await reuse_keys(worker, OURS, times=1)

    for text in ("one", "two"):
        await worker.phones.write(OURS, THEIRS, text)
    await assert_told_once(worker, ["one", "two"])

    told = worker.seen.all(engine.Message)
    assert {(event.chat, event.from_me) for event in told} == {(jid(THEIRS), True)}


async def test_a_group_message_whose_part_for_us_has_a_used_key_is_asked_for_again(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS, THIRD)
    group = (await worker.phones.call("POST", "/groups", subject="Kopi", participants=[OURS, THEIRS, THIRD]))["jid"]
    await reuse_keys(worker, THEIRS, times=2)

    for text in ("one", "two", "three"):
        await worker.phones.write(THEIRS, group, text)
    await assert_told_once(worker, ["one", "two", "three"])

    assert {(event.chat, event.sender) for event in worker.seen.all(engine.Message)} == {(group, jid(THEIRS))}


async def test_what_the_phone_tells_its_devices_alone_is_not_worth_a_word(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await reuse_keys(worker, OURS, times=1)

    for _ in range(2):
        await worker.phones.call("POST", f"/phones/{OURS}/history")
    await worker.phones.write(THEIRS, OURS, "halo")

    await assert_told_once(worker, ["halo"])
    assert (await worker.phones.call("GET", "/stats"))["retryReceipts"] == 1
    assert worker.seen.all(engine.Undecryptable) == []


async def test_a_repeat_is_recognised_by_a_worker_that_did_not_read_the_first(worker: Rig) -> None:
    """The network missed our receipts, and sends the same bytes again."""
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.call("PATCH", f"/phones/{OURS}", deliver=False)  # our device's receipts count alone

    async def stats_at_rest() -> dict[str, Any] | None:
        """Once what the phone shares with its new device is confirmed."""
        stats = await worker.phones.call("GET", "/stats")
        return stats if stats["messagesOut"] and not stats["pending"] else None

    before = await eventually(stats_at_rest)
    await worker.phones.call("POST", "/faults", kind="keepMail", phone=OURS, device=1)
    for text in ("one", "two", "three"):
        await worker.phones.write(THEIRS, OURS, text)
    await worker.confirmed_to(THEIRS)

    async def worker_is_back() -> bool:
        return bool(worker.seen.downs) and worker.engine.up

    os.kill(worker.engine.pid, signal.SIGKILL)
    await eventually(worker_is_back)
    await worker.phones.call("DELETE", "/faults")
    await worker.reopen("s1")
    await worker.phones.write(THEIRS, OURS, "four")

    await worker.seen.next(engine.Message, lambda event: event.text == "four")
    told = {event.id: event.text for event in worker.seen.all(engine.Message)}  # again for what was killed in its hand
    assert Counter(told.values()) == Counter(["one", "two", "three", "four"])
    assert worker.seen.all(engine.Undecryptable) == []
    stats = await worker.phones.call("GET", "/stats")
    came = stats["messagesOut"] - before["messagesOut"]
    assert (came, stats["retryReceipts"]) == (7, 0)  # three came twice, one once
