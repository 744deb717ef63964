"""What a lane does with what was queued under a number that is linked no more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.content import Edit, Reaction, Read, Revoke
from libs.contracts.errors import SendError
from libs.contracts.records import LinkedNumber, OutboxRow
from services.sender import rows
from services.sender.numbers import discarded, released
from tests.processes import eventually
from tests.unit.sender.builders import NOW, statuses_told
from tests.unit.sender.desk import Answer, Desk, due_row, lane_with, refusal, script_of, sent

A, B = "6281111111111", "6282222222222"
UNDER_A, LINK, UNDER_B = NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
ONLY_A = [LinkedNumber(number=A, since=NOW - timedelta(days=1))]
THEN_B = [*ONLY_A, LinkedNumber(number=B, since=LINK)]


def under_b(message_id: str, order: int) -> OutboxRow:
    return due_row(message_id, order=order, accepted_at=UNDER_B)


def desk_of(*answers: Answer, linked: list[LinkedNumber] = THEN_B) -> Desk:
    desk = Desk(script_of(*answers))
    desk.linked = linked
    return desk


async def until_held(desk: Desk, *message_ids: str) -> None:
    async def ask() -> bool:
        return all(each in desk.stored and desk.stored[each].waiting_for == "former_number" for each in message_ids)

    await eventually(ask, every_s=0.005)


async def test_what_was_queued_under_a_former_number_waits_and_lets_later_messages_leave() -> None:
    desk = desk_of()
    lane = lane_with(desk, due_row("old", order=1), under_b("new", 2))
    await desk.until("new", rows.SENT)
    await until_held(desk, "old")
    assert desk.asked == ["new"]
    assert (desk.stored["new"].number, lane.waiting.undecided) == (B, 1)
    assert statuses_told(desk.stored["old"]) == ["held for former_number"]


async def test_what_is_scheduled_waits_for_the_decision_at_once_and_for_its_time_when_released() -> None:
    desk = desk_of()
    due_at = datetime.now(UTC) + timedelta(hours=1)
    lane = lane_with(desk, due_row("later", order=1, due_at=due_at, not_before=due_at, waiting_for="schedule"))
    await until_held(desk, "later")
    await asyncio.gather(*await lane.decide(B, released))
    row = desk.stored["later"]
    assert (row.waiting_for, row.resume_at, row.due_at, row.number) == ("schedule", due_at, due_at, B)
    assert desk.asked == []


async def test_released_messages_leave_in_their_order_from_the_number_that_was_named() -> None:
    desk = desk_of()
    lane = lane_with(desk, due_row("one", order=1), due_row("two", order=2))
    await until_held(desk, "one", "two")
    assert await lane.decide(A, released) == [], "the link has changed meanwhile"
    assert len(await lane.decide(B, released)) == 2
    await desk.until("two", rows.SENT)
    assert desk.asked == ["one", "two"]
    assert {desk.stored[each].number for each in ("one", "two")} == {B}


async def test_discarded_messages_are_cancelled_and_one_alone_can_be() -> None:
    desk = desk_of()
    lane = lane_with(desk, *(due_row(each, order=place) for place, each in enumerate(("one", "two", "three"))))
    await until_held(desk, "one", "two", "three")
    single = lane.cancel("two")
    assert single is not None
    await single
    assert await lane.decide(A, discarded) == []
    await asyncio.gather(*await lane.decide(B, discarded))
    assert not lane.waiting
    assert [desk.stored[each].status for each in ("one", "two", "three")] == [rows.CANCELLED] * 3
    assert desk.asked == []


async def test_the_same_number_again_lets_everything_leave() -> None:
    desk = desk_of()
    lane = lane_with(desk, due_row("old", order=1))
    await until_held(desk, "old")
    desk.linked = [*THEN_B, LinkedNumber(number=A, since=UNDER_B)]
    lane.connected(1)
    done = await desk.until("old", rows.SENT)
    assert done.number == A


async def test_messages_of_a_lane_at_work_stop_when_another_number_links() -> None:
    desk = desk_of(refusal("NOT_CONNECTED"), linked=ONLY_A)
    lane = lane_with(desk, due_row("old", order=1))
    await desk.until_asked(1)
    desk.linked = THEN_B
    lane.connected(1)
    await until_held(desk, "old")
    lane.put(under_b("new", 2))
    await desk.until("new", rows.SENT)
    assert desk.asked == ["old", "new"]


async def test_a_link_that_changes_before_the_lane_hears_of_it_lets_nothing_leave() -> None:
    """The owner of the session refuses, for it knows its number."""
    desk = Desk(script_of())

    async def answer(row: OutboxRow) -> Answer:
        desk.linked = THEN_B
        return sent() if row.number == B else refusal(SendError.OTHER_NUMBER)

    desk.script, desk.linked = answer, ONLY_A
    lane_with(desk, due_row("old", order=1), under_b("new", 2))
    await desk.until("new", rows.SENT)
    await until_held(desk, "old")
    assert (desk.stored["old"].number, desk.stored["old"].handed_over) == (None, False)


async def test_a_message_that_may_have_left_is_not_repeated_from_another_number() -> None:
    desk = desk_of(refusal(SendError.OUTCOME_UNKNOWN, left=None), linked=ONLY_A)
    lane = lane_with(desk, due_row("maybe", order=1))
    await desk.until("maybe", rows.SENDING)
    await desk.until_asked(1)
    asked = len(desk.asked)
    desk.linked = THEN_B
    lane.connected(1)
    ended = await desk.until("maybe", rows.FAILED)
    assert len(desk.asked) - asked <= 1, "the second attempt may have begun before the link"
    assert (ended.code, ended.number, ended.handed_over) == (SendError.OUTCOME_UNKNOWN, A, True)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        pytest.param(Edit(wa_id="3EB0", text="x"), "edit", id="edit"),
        pytest.param(Revoke(wa_id="3EB0"), "revoke", id="revoke"),
        pytest.param(Read(wa_ids=["X"], sender="62@s.whatsapp.net"), None, id="read"),
    ],
)
async def test_what_only_the_former_number_can_do_fails_and_says_why(
    action: Edit | Revoke | Read, told: str | None
) -> None:
    desk = desk_of()
    lane_with(desk, due_row("act", order=1, about="m1", content=action, number=A, accepted_at=UNDER_B))
    ended = await desk.until("act", rows.FAILED)
    assert (desk.asked, ended.code) == ([], SendError.OTHER_NUMBER)
    assert [fact.get("action") for fact in ended.untold] == ([told] if told else [])


async def test_a_reaction_is_not_released() -> None:
    desk = desk_of()
    lane = lane_with(desk, due_row("react", order=1, content=Reaction(wa_id="3EB0", emoji="👍")))
    await until_held(desk, "react")
    await lane.decide(B, released)
    ended = await desk.until("react", rows.FAILED)
    assert (desk.asked, ended.code) == ([], SendError.OTHER_NUMBER)


async def test_a_session_that_waits_shows_its_later_messages_what_for_and_not_the_undecided() -> None:
    desk = desk_of(refusal("NOT_CONNECTED"))
    lane_with(desk, due_row("old", order=1), under_b("new", 2))
    await until_held(desk, "old")

    async def parked() -> bool:
        return "new" in desk.stored and desk.stored["new"].waiting_for == "session"

    await eventually(parked, every_s=0.005)
    assert desk.stored["old"].waiting_for == "former_number"


async def test_an_undecided_message_expires_at_its_time() -> None:
    desk = desk_of()
    lane_with(desk, replace(due_row("old", order=1), expires_at=datetime.now(UTC) + timedelta(seconds=0.2)))
    await until_held(desk, "old")
    await desk.until("old", rows.EXPIRED)
