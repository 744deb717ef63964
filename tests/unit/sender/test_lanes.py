"""A lane's conduct: one at a time, in order, and what it does with each answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.records import OutboxRow
from services.sender import rows
from services.sender.lanes import Lane
from services.sender.pacing import Pace
from services.sender.retries import Retries, Silence
from services.sender.store import Observed
from tests.unit.sender.builders import statuses_told
from tests.unit.sender.desk import Answer, Desk, Script, Terms, due_row, lane_with, never, refusal, script_of, sent


async def test_one_message_is_in_flight_and_order_is_kept() -> None:
    async def slow(row: OutboxRow) -> Answer:
        await asyncio.sleep(0.001)
        return sent()

    desk = Desk(slow)
    lane_with(desk, *(due_row(f"m{number:02d}", order=number) for number in range(20)))
    await desk.until("m19", "sent")
    assert desk.asked == [f"m{number:02d}" for number in range(20)]
    assert desk.most_in_flight == 1


VAIN = st.sampled_from(
    [
        Silence.TIMED_OUT,
        Silence.NOBODY,
        refusal("STALE"),
        refusal("TEMPORARY", retry_in_s=0.001),
        refusal("OUTCOME_UNKNOWN", left=None, retry_in_s=0.001),
        refusal("RESTRICTED", retry_in_s=0.001),
        None,
    ]
)


@settings(max_examples=25)
@given(st.lists(VAIN, max_size=20))
def test_whatever_the_answers_are_messages_are_sent_in_order_and_each_once(answers: list[Answer | None]) -> None:
    """`None` stands for a hand-over that succeeds, among the vain ones."""

    async def run() -> list[str]:
        finished: list[str] = []
        left = list(answers)

        async def answer(row: OutboxRow) -> Answer:
            vain = left.pop(0) if left else None
            if vain is None:
                finished.append(row.id)
            return vain or sent()

        patient = Retries(first_s=0.001, longest_s=0.002, handover_s=0.001, patience_attempts=1000)
        desk = Desk(answer, Terms(retries=patient))
        lane_with(desk, *(due_row(f"m{number}", order=number) for number in range(5)))
        await desk.until("m4", "sent")
        assert desk.most_in_flight == 1
        return finished

    assert asyncio.run(run()) == [f"m{number}" for number in range(5)]


RETRIED = {
    "no answer": (Silence.TIMED_OUT, ["sending", "sent"]),
    "unknown": (refusal("OUTCOME_UNKNOWN", left=None), ["sending", "sent"]),
    "nobody there": (Silence.NOBODY, ["sent"]),
    "stale": (refusal("STALE"), ["sent"]),
    "temporary": (refusal("TEMPORARY"), ["held for retry", "sent"]),
    "restricted": (refusal("RESTRICTED", retry_in_s=0.01), ["held for restriction", "sent"]),
}


@pytest.mark.parametrize(("answer", "told"), RETRIED.values(), ids=RETRIED.keys())
async def test_a_vain_attempt_is_followed_by_another_before_the_next_message(answer: Answer, told: list[str]) -> None:
    desk = Desk(script_of(answer))
    lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    row = await desk.until("a", "sent")
    await desk.until("b", "sent")
    assert desk.asked == ["a", "a", "b"]
    assert row.attempts == 2
    assert statuses_told(row) == told


async def test_a_final_refusal_fails_the_message_and_the_next_one_leaves() -> None:
    desk = Desk(script_of(refusal("NOT_ON_WHATSAPP", retryable=False)))
    lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    row = await desk.until("a", "failed")
    await desk.until("b", "sent")
    assert row.code == "NOT_ON_WHATSAPP"


async def test_a_refusal_after_an_unknown_attempt_waits_for_a_receipt_and_holds_nobody_up() -> None:
    desk = Desk(script_of(Silence.TIMED_OUT, refusal("REFUSED", retryable=False)))
    lane = lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await desk.until("b", "sent")
    assert desk.stored["a"].status == "sending"
    assert lane.received("a", datetime.now(UTC)) is not None
    assert (await desk.until("a", "sent")).code is None


async def test_such_a_refusal_counts_when_no_receipt_comes() -> None:
    desk = Desk(script_of(Silence.TIMED_OUT, refusal("REFUSED", retryable=False)), Terms(refusal_held_s=0.05))
    lane_with(desk, due_row("a"))
    assert (await desk.until("a", "failed")).code == "REFUSED"
    assert desk.asked == ["a", "a"]


async def test_an_outcome_that_stays_unknown_fails_in_the_end() -> None:
    async def silent(row: OutboxRow) -> Answer:
        return Silence.TIMED_OUT

    desk = Desk(silent, Terms(unknown_limit_s=0.1))
    lane_with(desk, due_row("a"))
    assert (await desk.until("a", "failed")).code == "OUTCOME_UNKNOWN"


async def test_an_unconnected_session_parks_its_lane_until_it_is_connected() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED")))
    lane = lane_with(desk, due_row("a"))
    row = await desk.until("a", "queued")
    assert (row.waiting_for, row.handed_over) == ("session", False)
    await asyncio.sleep(0.05)
    assert desk.asked == ["a"]
    lane.connected(2)
    await desk.until("a", "sent")


async def test_the_first_messages_of_a_waiting_lane_show_what_they_wait_for_until_they_do_not() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED")))
    lane = lane_with(desk, *(due_row(f"m{number:02d}", order=number) for number in range(30)))
    await desk.until("m19", "queued")
    assert sorted(desk.stored) == [f"m{number:02d}" for number in range(20)]
    assert {row.waiting_for for row in desk.stored.values()} == {"session"}
    lane.connected(2)
    row = await desk.until("m19", "sent")
    assert statuses_told(row) == ["held for session", "held for None", "sent"]


async def test_a_message_that_comes_to_a_waiting_lane_shows_what_it_waits_for() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED")))
    lane = lane_with(desk, due_row("a"))
    await desk.until("a", "queued")
    lane.put(due_row("b", order=2))
    assert (await desk.until("b", "queued")).waiting_for == "session"
    assert desk.asked == ["a"]


async def test_a_contact_that_is_held_back_for_ever_does_not_hold_the_others_back() -> None:
    async def a_restricted(row: OutboxRow) -> Answer:
        return refusal("RESTRICTED", retry_in_s=0.01) if row.id == "a" else sent()

    desk = Desk(a_restricted)
    lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await desk.until("b", "sent")
    assert desk.asked[:4] == ["a", "a", "a", "b"]


async def test_a_session_that_connected_before_its_lane_parked_is_not_waited_for() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED")))
    desk.session = Observed(connected=True, deleted=False)
    lane_with(desk, due_row("a"))
    await desk.until("a", "sent")


async def test_a_session_deleted_before_its_lane_parked_cancels_its_messages() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED")))
    desk.session = Observed(connected=False, deleted=True)
    lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await desk.until("a", "cancelled")
    assert (await desk.until("b", "cancelled")).code == "SESSION_DELETED"


async def test_a_parked_lane_probes() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED"), refusal("NOT_CONNECTED")), Terms(probe_every_s=0.03))
    lane_with(desk, due_row("a"))
    await desk.until("a", "sent")
    assert desk.asked == ["a"] * 3


async def test_a_new_owner_ends_the_wait_for_the_answer_of_the_former_one() -> None:
    answers = [never, script_of(sent())]

    async def first_never(row: OutboxRow) -> Answer:
        return await answers.pop(0)(row)

    desk = Desk(first_never)
    lane = lane_with(desk, due_row("a"))
    await desk.until_asked(1)
    lane.connected(1)
    await asyncio.sleep(0.02)
    assert desk.asked == ["a"], "the same owner's connection ends nothing"
    lane.connected(2)
    await desk.until("a", "sent")


async def test_a_receipt_ends_the_wait_for_the_answer() -> None:
    async def only_b(row: OutboxRow) -> Answer:
        return await never(row) if row.id == "a" else sent()

    desk = Desk(only_b)
    lane = lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await desk.until_asked(1)
    lane.received("a", datetime.now(UTC))
    await desk.until("b", "sent")
    assert desk.stored["a"].status == "sent"


async def test_a_message_in_flight_is_not_cancelled() -> None:
    desk = Desk(never)
    lane = lane_with(desk, due_row("a"))
    await desk.until_asked(1)
    assert lane.cancel("a") is None
    await lane.stop(0)


async def test_a_message_that_waits_is_cancelled_and_never_handed_over() -> None:
    desk = Desk(script_of(sent()))
    desk.able.clear()
    lane = lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await asyncio.sleep(0.01)
    assert lane.cancel("a") is not None
    desk.able.set()
    await desk.until("b", "sent")
    assert desk.asked == ["b"]
    assert desk.stored["a"].status == "cancelled"


async def test_a_message_that_expires_while_its_lane_waits_is_never_handed_over() -> None:
    desk = with_a_clock_that_stands_until_asked(script_of(refusal("NOT_CONNECTED")))
    lane = lane_with(desk, due_row("a", expires_at=desk.now() + timedelta(seconds=0.1)))
    await desk.until("a", "expired")
    lane.connected(2)
    await asyncio.sleep(0.02)
    assert desk.asked == ["a"]


async def test_a_scheduled_message_waits_for_its_time_and_lets_others_pass() -> None:
    desk = with_a_clock_that_stands_until_asked(script_of())
    later = desk.now() + timedelta(seconds=0.1)
    lane_with(desk, due_row("later", order=1, due_at=later), due_row("now", order=2))
    row = await desk.until("later", "sent")
    assert desk.asked == ["now", "later"]
    assert row.finished_at is not None
    assert row.finished_at >= later


def with_a_clock_that_stands_until_asked(script: Script) -> Desk:
    """A desk at which nothing is over before the first message is handed over, however slow the machine."""

    async def release(row: OutboxRow) -> Answer:
        desk.stands_at = None
        return await script(row)

    desk = Desk(release)
    desk.stands_at = datetime.now(UTC)
    return desk


async def test_after_its_share_of_unknown_attempts_a_message_steps_behind() -> None:
    async def a_never_known(row: OutboxRow) -> Answer:
        return Silence.TIMED_OUT if row.id == "a" and row.attempts < 6 else sent()

    desk = Desk(a_never_known)
    lane_with(desk, due_row("a", order=1), due_row("b", order=2), due_row("c", order=3))
    await desk.until("a", "sent")
    assert [message for message in desk.asked if message != "a"] == ["b", "c"]
    assert desk.asked[:4] == ["a", "a", "a", "b"]


async def test_a_paced_session_waits_between_messages() -> None:
    desk = Desk(script_of())
    desk.manners = msgspec.structs.replace(desk.manners, pace=Pace(per_minute=1200, burst=2))
    started = asyncio.get_running_loop().time()
    lane_with(desk, *(due_row(f"m{number}", order=number) for number in range(4)))
    await desk.until("m3", "sent")
    assert asyncio.get_running_loop().time() - started >= 2 * 0.05 * 0.9
    assert desk.asked == ["m0", "m1", "m2", "m3"]


async def test_a_message_that_is_on_its_way_is_not_ahead_of_the_next_one() -> None:
    desk = Desk(never)
    desk.manners = msgspec.structs.replace(desk.manners, pace=Pace(per_minute=6, burst=1))
    desk.stands_at = datetime.now(UTC)
    lane = lane_with(desk, due_row("a"))
    await desk.until_asked(1)
    now = desk.now()
    departure = lane.expected_departure(0, now)
    assert departure is not None
    assert timedelta(seconds=9) < departure - now <= timedelta(seconds=10)
    await lane.stop(0)


async def test_a_stopped_lane_waits_for_the_answer_on_its_way_and_hands_over_nothing_more() -> None:
    async def slow(row: OutboxRow) -> Answer:
        await asyncio.sleep(0.05)
        return sent()

    desk = Desk(slow)
    lane = lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await desk.until_asked(1)
    await lane.stop(60)
    assert desk.stored["a"].status == "sent"
    assert desk.asked == ["a"]


async def test_nothing_is_handed_over_before_that_is_stored() -> None:
    desk = Desk(script_of())
    desk.stored_now.clear()
    lane_with(desk, due_row("a"))
    await asyncio.sleep(0.02)
    assert desk.asked == []
    desk.stored_now.set()
    await desk.until("a", "sent")


async def test_a_message_whose_receipt_comes_before_it_is_handed_over_again_is_not() -> None:
    desk = Desk(script_of())
    desk.stored_now.clear()
    lane = lane_with(desk, due_row("a", order=1), due_row("b", order=2))
    await asyncio.sleep(0.02)
    lane.received("a", datetime.now(UTC))
    desk.stored_now.set()
    await desk.until("b", "sent")
    assert desk.asked == ["b"]


async def test_a_lane_whose_write_is_fenced_hands_nothing_over() -> None:
    desk = Desk(script_of())
    desk.fenced = True
    lane = lane_with(desk, due_row("a"))
    await asyncio.sleep(0.02)
    await lane.stop(0)
    assert desk.asked == []


async def test_a_fault_in_a_step_does_not_end_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sender.lanes.FAULT_PAUSE_S", 0.01)
    broken = [True]

    async def once_broken(row: OutboxRow) -> Answer:
        if broken.pop() if broken else False:
            raise RuntimeError("a bug")
        return sent()

    desk = Desk(once_broken)
    lane_with(desk, due_row("a"))
    row = await desk.until("a", "sent")
    assert rows.may_be_cancelled(row) is False
    assert desk.asked == ["a", "a"]


# --- Rows that are inserted as attempts ------------------------------------------------------------------------------


async def test_a_row_that_was_inserted_as_an_attempt_is_handed_over_without_another_write() -> None:
    desk = Desk(script_of(sent()))
    lane = Lane("session", "customer", desk)
    row = rows.handing_over(due_row("m1"))
    desk.stored_now.clear()  # nothing can be stored, and the message leaves all the same
    lane.put(row, begun=True)
    await desk.until_asked(1)
    desk.stored_now.set()
    assert (await desk.until("m1", rows.SENT)).attempts == 1


async def test_a_first_attempt_that_did_not_leave_makes_its_row_queued_again() -> None:
    desk = Desk(script_of(refusal("NOT_CONNECTED")))
    lane = Lane("session", "customer", desk)
    lane.put(rows.handing_over(due_row("m1")), begun=True)
    back = await desk.until("m1", rows.QUEUED)
    assert not back.handed_over
    assert back.attempts == 1
    assert not lane.is_free("628@s.whatsapp.net", desk.now())
    await lane.stop(0)


# --- A cancellation that meets an attempt ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (refusal("NOT_CONNECTED"), rows.CANCELLED),
        (refusal("TEMPORARY"), rows.CANCELLED),
        (Silence.NOBODY, rows.CANCELLED),
        (refusal("OUTCOME_UNKNOWN", left=None), rows.SENT),  # it may have left: it is tried until that is known
        (sent(), rows.SENT),
    ],
)
async def test_a_message_that_is_withdrawn_during_its_first_attempt_ends_as_that_did(answer: Answer, end: str) -> None:
    go_on = asyncio.Event()
    answers = [answer]

    async def slow(row: OutboxRow) -> Answer:
        await go_on.wait()
        return answers.pop() if answers else sent()

    desk = Desk(slow)
    lane = lane_with(desk, due_row("m1"))
    await desk.until_asked(1)
    assert lane.cancel("m1") is None
    go_on.set()
    await desk.until("m1", end)
    await lane.stop(0)
