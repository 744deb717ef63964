"""One recipient that cannot be reached now: its messages wait, in their order, and the session's others go on."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.content import Edit
from libs.contracts.records import OutboxRow
from services.sender import rows
from services.sender.retries import Retries, Silence
from tests.unit.sender.builders import statuses_told
from tests.unit.sender.desk import Answer, Desk, Script, Terms, due_row, lane_with, refusal, script_of, sent

SLOW = Terms(retries=Retries(first_s=30.0, longest_s=60.0, recipient_longest_s=60.0))
QUICK = Terms(retries=Retries(first_s=0.01, longest_s=0.02, recipient_longest_s=0.02))
PAUSE_S = 0.4
"""Long enough for another message to leave in it on a busy machine."""
PAUSING = Terms(retries=Retries(first_s=PAUSE_S, longest_s=PAUSE_S, recipient_longest_s=PAUSE_S))
STUCK = {
    "limited": (refusal("LOOKUP_LIMITED"), "lookup"),
    "limited for a while": (refusal("LOOKUP_LIMITED", retry_in_s=30), "lookup"),
    "not told": (refusal("LOOKUP_FAILED"), "lookup"),
    "not uploaded": (refusal("NOT_UPLOADED"), "upload"),
}
TROUBLE = {
    "no answer": Silence.TIMED_OUT,
    "no ack": refusal("OUTCOME_UNKNOWN", left=None),
    "a server's error": refusal("TEMPORARY"),
}


def to_each(answers: dict[str, Answer]) -> Script:
    """The same answer to everything for a chat; the others get their messages."""

    async def answer(row: OutboxRow) -> Answer:
        return answers.get(row.to, sent())

    return answer


def row_to(chat: str, message_id: str, order: int, **fields: Any) -> OutboxRow:
    return due_row(message_id, order=order, to=chat, **fields)


@pytest.mark.parametrize(("answer", "reason"), STUCK.values(), ids=STUCK.keys())
async def test_what_one_recipient_waits_for_is_said_and_the_others_go_on_at_once(answer: Answer, reason: str) -> None:
    desk = Desk(to_each({"new": answer}), SLOW)
    lane = lane_with(desk, row_to("new", "a", 1), row_to("known", "b", 2))
    started = asyncio.get_running_loop().time()
    await desk.until("b", "sent")
    assert asyncio.get_running_loop().time() - started < 1
    row = await desk.until("a", "queued")
    assert (row.waiting_for, row.handed_over) == (reason, False)
    assert row.resume_at is not None
    assert timedelta(seconds=20) < row.resume_at - datetime.now(UTC) <= timedelta(seconds=30)
    assert lane.waiting.waits == {reason: 1}
    assert lane.cancel("a") is not None
    assert (await desk.until("a", "cancelled")).code is None


@pytest.mark.parametrize("answer", TROUBLE.values(), ids=TROUBLE.keys())
async def test_a_vain_attempt_holds_its_own_chat_alone(answer: Answer) -> None:
    desk = Desk(to_each({"ill": answer}), SLOW)
    lane = lane_with(
        desk, row_to("ill", "a", 1), row_to("ill", "a2", 2), row_to("well", "b", 3), row_to("fine", "c", 4)
    )
    await desk.until("c", "sent")
    assert desk.asked == ["a", "b", "c"]
    assert lane.waits[0].reason == "retry"
    assert lane.waits[0].messages == 1
    assert lane.waits[0].resume_at is not None


@pytest.mark.parametrize("answer", [*TROUBLE.values(), *(answer for answer, _ in STUCK.values())])
async def test_the_messages_of_one_chat_stay_in_order_behind_it(answer: Answer) -> None:
    left = [answer, answer]

    async def ill_twice(row: OutboxRow) -> Answer:
        await asyncio.sleep(0)
        return left.pop() if row.to == "ill" and left else sent()

    if not isinstance(answer, Silence) and getattr(answer, "retry_in_s", None):
        answer = refusal("LOOKUP_LIMITED", retry_in_s=PAUSE_S)
        left = [answer, answer]
    desk = Desk(ill_twice, PAUSING)
    lane_with(desk, *(row_to("ill", f"m{order}", order) for order in (1, 2, 3)), row_to("well", "w", 4))
    await desk.until("m3", "sent")
    assert [message for message in desk.asked if message != "w"] == ["m1", "m1", "m1", "m2", "m3"]
    assert desk.asked.index("w") == 1


async def test_two_recipients_in_trouble_do_not_keep_a_third_waiting() -> None:
    ill = refusal("OUTCOME_UNKNOWN", left=None)
    terms = Terms(retries=Retries(first_s=0.05, longest_s=60.0))
    desk = Desk(to_each({"ill": ill, "worse": ill}), terms)
    lane_with(desk, row_to("ill", "a", 1), row_to("worse", "b", 2), row_to("well", "c", 3), row_to("fine", "d", 4))
    started = asyncio.get_running_loop().time()
    await desk.until("d", "sent")
    assert asyncio.get_running_loop().time() - started < 1


async def test_when_nothing_is_answered_few_messages_are_begun() -> None:
    async def silent(row: OutboxRow) -> Answer:
        return Silence.TIMED_OUT

    desk = Desk(silent, Terms(retries=Retries(first_s=0.1, longest_s=60.0)))
    lane = lane_with(desk, *(row_to(f"chat {order}", f"m{order:02d}", order) for order in range(40)))
    await asyncio.sleep(1)
    await lane.stop(0)
    assert len(set(desk.asked)) <= 5


async def test_a_recipient_that_is_never_told_fails_for_that_reason_and_so_does_what_waits_behind() -> None:
    terms = Terms(retries=Retries(first_s=0.01, recipient_longest_s=0.02, recipient_limit_s=0.1))
    desk = Desk(to_each({"new": refusal("LOOKUP_FAILED")}), terms)
    lane_with(desk, row_to("new", "a", 1), row_to("new", "b", 2))
    for message in ("a", "b"):
        row = await desk.until(message, "failed")
        assert (row.code, row.detail, row.waiting_for) == ("LOOKUP_FAILED", "LOOKUP_FAILED", None)
    assert "b" not in desk.asked


async def test_a_time_to_live_that_ends_first_is_the_end() -> None:
    desk = Desk(to_each({"new": refusal("LOOKUP_FAILED")}), SLOW)
    lane_with(desk, row_to("new", "a", 1, expires_at=datetime.now(UTC) + timedelta(seconds=0.2)))
    assert (await desk.until("a", "expired")).code == "EXPIRED"


async def test_a_message_that_comes_to_such_a_recipient_says_what_it_waits_for_and_is_not_tried() -> None:
    desk = Desk(to_each({"new": refusal("LOOKUP_LIMITED")}), SLOW)
    lane = lane_with(desk, row_to("new", "a", 1))
    await desk.until("a", "queued")
    lane.put(row_to("new", "b", 2))
    assert (await desk.until("b", "queued")).waiting_for == "lookup"
    lane.put(row_to("known", "c", 3))
    await desk.until("c", "sent")
    assert desk.asked == ["a", "c"]


async def test_what_waits_for_its_recipient_is_tried_when_the_session_connects_anew() -> None:
    desk = Desk(script_of(refusal("LOOKUP_FAILED")), SLOW)
    lane = lane_with(desk, row_to("new", "a", 1), row_to("new", "b", 2))
    await desk.until("b", "queued")
    lane.connected(2)
    row = await desk.until("b", "sent")
    assert desk.asked == ["a", "a", "b"]
    assert statuses_told(row) == ["held for lookup", "held for None", "sent"]


async def test_a_session_that_is_away_is_what_its_messages_wait_for() -> None:
    desk = Desk(script_of(refusal("LOOKUP_FAILED"), refusal("NOT_CONNECTED")), SLOW)
    lane_with(desk, row_to("new", "a", 1), row_to("known", "b", 2))
    await desk.until("b", "queued")
    assert {row.waiting_for for row in desk.stored.values()} == {"session"}


async def test_an_edit_waits_behind_its_message() -> None:
    desk = Desk(script_of(refusal("LOOKUP_FAILED")), QUICK)
    edit = row_to("new", "e", 2, content=Edit(wa_id="w", text="better"), about="a")
    lane_with(desk, row_to("new", "a", 1), edit)
    await desk.until("e", "sent")
    assert desk.asked == ["a", "a", "e"]


async def test_a_row_that_is_found_waiting_for_its_contact_alone_holds_no_lane() -> None:
    desk = Desk(script_of())
    later = datetime.now(UTC) + timedelta(hours=1)
    held = row_to("held", "a", 1, waiting_for=rows.FOR_RESTRICTION, resume_at=later, due_at=later)
    lane_with(desk, held, row_to("well", "b", 2))
    await desk.until("b", "sent")
    assert desk.asked == ["b"]


async def test_a_recipient_that_keeps_the_lane_long_is_tried_after_as_long_a_pause() -> None:
    async def ill_is_slow(row: OutboxRow) -> Answer:
        if row.to == "well":
            return sent()
        await asyncio.sleep(0.3)
        return Silence.TIMED_OUT

    desk = Desk(ill_is_slow, QUICK)
    lane = lane_with(desk, row_to("ill", "a", 1), row_to("well", "b", 2), row_to("ill", "a2", 3))
    await desk.until("b", "sent")
    await asyncio.sleep(0.15)
    assert desk.asked == ["a", "b"]
    await lane.stop(0)


async def test_a_message_that_breaks_its_lanes_step_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sender.lanes.FAULT_PAUSE_S", 0.02)

    async def a_breaks(row: OutboxRow) -> Answer:
        if row.to == "ill":
            raise RuntimeError("a bug")
        return sent()

    desk = Desk(a_breaks, QUICK)
    lane = lane_with(desk, row_to("ill", "a", 1), row_to("ill", "a2", 2), row_to("well", "b", 3))
    await desk.until("b", "sent")
    assert "a2" not in desk.asked
    await lane.stop(0)
