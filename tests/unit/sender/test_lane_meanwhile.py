"""What happens to a message while its lane waits for something: it does not leave against what was said meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from libs.contracts.records import LinkedNumber, OutboxRow
from services.sender import rows
from services.sender.gate import Manners
from services.sender.retries import Retries, Silence
from tests.processes import PATIENCE_S
from tests.unit.sender.builders import NOW
from tests.unit.sender.desk import Answer, Desk, Terms, due_row, lane_with, refusal, script_of, sent

FORMER, PRESENT = "6281111111111", "6282222222222"
FRIEND, OTHER = "6281234567890@s.whatsapp.net", "6289999999999@s.whatsapp.net"


class Held:
    """A look that waits until the test lets it end."""

    def __init__(self) -> None:
        self._inside, self._may_end = asyncio.Event(), asyncio.Event()

    async def look(self) -> None:
        self._inside.set()
        await self._may_end.wait()

    async def begun(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._inside.wait()

    def end(self) -> None:
        self._may_end.set()


def restricted_desk(look: Held) -> Desk:
    """The number may write to nobody new, and whether somebody is new is looked up slowly."""
    desk = Desk(script_of())
    until = datetime.now(UTC) + timedelta(seconds=0.2)
    desk.manners = Manners(pace=None, limits_new_contacts=False, linked_at=None, restricted_until=until)

    async def knows(session_id: str, to: str) -> bool:
        await look.look()
        return False

    desk.knows = knows  # type: ignore[method-assign]
    return desk


async def test_a_message_cancelled_while_its_contact_is_looked_up_does_not_come_back() -> None:
    look = Held()
    desk = restricted_desk(look)
    lane = lane_with(desk, due_row("m1"), due_row("m2", order=2))
    await look.begun()
    cancelled = lane.cancel("m1")
    assert cancelled is not None
    await cancelled
    look.end()
    await desk.until("m2", "sent")
    assert (desk.asked, desk.stored["m1"].status) == (["m2"], "cancelled")


async def test_a_message_of_a_deleted_session_does_not_come_back() -> None:
    look = Held()
    desk = restricted_desk(look)
    lane = lane_with(desk, due_row("m1"))
    await look.begun()
    await asyncio.gather(*lane.cancel_all())
    look.end()
    await lane.stop(PATIENCE_S)
    assert len(lane.waiting) == 0


async def test_a_number_that_is_linked_while_a_message_is_in_hand_does_not_send_it() -> None:
    delivered: list[str | None] = []

    async def note(row: OutboxRow) -> Answer:
        delivered.append(row.number)
        return sent()

    desk, look = Desk(note), Held()
    desk.linked = [LinkedNumber(number=FORMER, since=NOW - timedelta(days=1))]

    async def may_send(customer_id: str) -> bool:
        await look.look()
        return True

    desk.may_send = may_send  # type: ignore[method-assign]
    lane = lane_with(desk, due_row("m1"))
    await look.begun()
    desk.linked = [*desk.linked, LinkedNumber(number=PRESENT, since=datetime.now(UTC))]
    lane.connected(2)
    look.end()
    row = await desk.until("m1", "queued")
    assert (row.waiting_for, delivered) == ("former_number", [])


async def test_a_message_stored_as_an_attempt_waits_when_another_number_was_linked_meanwhile() -> None:
    desk = Desk(script_of(sent()))
    desk.linked = [LinkedNumber(number=FORMER, since=NOW - timedelta(days=1))]
    lane = lane_with(desk, due_row("m0"))
    await desk.until("m0", "sent")
    begun = rows.handing_over(lane.bound(due_row("m1", order=2, accepted_at=datetime.now(UTC))))
    desk.linked = [*desk.linked, LinkedNumber(number=PRESENT, since=datetime.now(UTC))]
    lane.connected(2)
    lane.put(begun, begun=True)
    row = await desk.until("m1", "queued")
    assert (row.waiting_for, row.handed_over, desk.asked) == ("former_number", False, ["m0"])


async def test_a_message_to_somebody_who_is_waited_for_is_not_stored_as_an_attempt() -> None:
    desk = Desk(script_of(sent(), refusal("LOOKUP_LIMITED", retry_in_s=900.0)))
    lane = lane_with(desk, due_row("m0", to=OTHER))
    await desk.until("m0", "sent")
    lane.put(due_row("m1", order=2, to=FRIEND))
    await desk.until("m1", "queued")
    assert (lane.is_free(FRIEND, desk.now()), len(lane.waiting)) == (False, 1)


async def test_a_recipient_of_whom_nothing_waits_any_more_is_not_waited_for() -> None:
    desk = Desk(script_of(sent(), refusal("LOOKUP_LIMITED", retry_in_s=900.0)))
    lane = lane_with(desk, due_row("m0", to=OTHER))
    await desk.until("m0", "sent")
    lane.put(due_row("m1", order=2, to=FRIEND))
    await desk.until("m1", "queued")
    assert lane.cancel("m1") is not None
    lane.put(due_row("m2", order=3, to=FRIEND))
    await desk.until("m2", "sent")


async def test_a_receipt_lets_the_next_message_of_its_chat_go() -> None:
    slow = Terms(retries=Retries(first_s=30.0, longest_s=60.0))
    desk = Desk(script_of(sent(), Silence.TIMED_OUT), slow)
    lane = lane_with(desk, due_row("m0", to=OTHER))
    await desk.until("m0", "sent")
    lane.put(due_row("m1", order=2, to=FRIEND))
    await desk.until("m1", "sending")
    lane.put(due_row("m2", order=3, to=FRIEND))
    received = lane.received("m1", datetime.now(UTC))
    assert received is not None
    await received
    await desk.until("m2", "sent")


def stuck(row: OutboxRow, code: str, now: datetime, limit_s: float) -> OutboxRow:
    return rows.stuck(row, rows.FOR_LOOKUP, now, until=now, code=code, detail=code, limit_s=limit_s)


def test_the_time_to_give_up_counts_only_while_the_recipient_is_waited_for() -> None:
    waited = stuck(due_row("m1"), "LOOKUP_FAILED", NOW, 3600)
    later = NOW + timedelta(hours=2)
    again = stuck(rows.not_stuck(waited, later), "LOOKUP_FAILED", later, 3600)
    assert again.give_up_at == later + timedelta(hours=1)


def test_another_reason_that_may_last_longer_is_given_its_time() -> None:
    waited = stuck(due_row("m1"), "LOOKUP_FAILED", NOW, 3600)
    assert stuck(waited, "LOOKUP_FAILED", NOW + timedelta(minutes=5), 3600).give_up_at == NOW + timedelta(hours=1)
    assert stuck(waited, "LOOKUP_LIMITED", NOW, 86_400).give_up_at == NOW + timedelta(days=1)
