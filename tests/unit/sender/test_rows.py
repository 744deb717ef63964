"""How a row changes, and what is told."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from libs.contracts.content import Text
from libs.contracts.errors import SendError
from libs.contracts.events import AnyFact
from libs.contracts.ids import whatsapp_id
from libs.contracts.records import OutboxRow
from services.sender import rows
from tests.unit.sender.builders import NOW, after, command, queued_row, sending_row, statuses_told

replace = msgspec.structs.replace


def test_a_new_row_is_due_when_it_was_accepted_and_tells_that_it_is_queued() -> None:
    row = rows.new_row(command("m1"), order=5, shard=2, epoch=9, now=after(1))
    assert (row.status, row.order, row.shard, row.epoch, row.due_at) == ("queued", 5, 2, 9, NOW)
    assert row.wa_id == whatsapp_id("m1")
    assert statuses_told(row) == ["queued"]


def test_a_scheduled_row_is_due_at_its_time() -> None:
    assert rows.new_row(command(not_before=after(60)), order=1, shard=1, epoch=1, now=NOW).due_at == after(60)


def test_the_first_fact_of_a_message_has_the_same_id_however_often_its_row_is_made() -> None:
    ids = {
        rows.new_row(command(), order=order, shard=1, epoch=order, now=after(order)).untold[0]["id"] for order in (1, 2)
    }
    assert len(ids) == 1


def test_every_fact_of_a_row_decodes_as_the_fact_it_is() -> None:
    row = rows.failed(rows.outcome_unknown(sending_row(), NOW), "REFUSED", "no", after(1))
    facts = [msgspec.convert(fact, AnyFact) for fact in row.untold]  # pyright: ignore[reportArgumentType]
    assert [type(fact).__name__ for fact in facts] == ["MessageProgressed", "MessageProgressed"]


def test_an_attempt_that_certainly_did_not_leave_is_as_if_it_never_was() -> None:
    before = queued_row()
    back = rows.taken_back(rows.handing_over(before), before)
    assert (back.status, back.handed_over, back.attempts) == ("queued", False, 1)
    assert rows.may_be_cancelled(back)


def test_after_an_unknown_attempt_no_certain_one_makes_it_cancellable_again() -> None:
    unknown = rows.outcome_unknown(sending_row(), NOW)
    back = rows.taken_back(rows.handing_over(unknown), unknown)
    assert (back.status, back.handed_over) == ("sending", True)
    assert not rows.may_be_cancelled(back)


def test_an_unknown_outcome_is_told_once() -> None:
    row = rows.outcome_unknown(rows.outcome_unknown(sending_row(), NOW), after(5))
    assert statuses_told(row) == ["sending"]
    assert row.unknown_since == NOW


def test_waiting_for_the_same_thing_is_told_once() -> None:
    row = rows.held(rows.held(queued_row(), "session", NOW), "session", after(30))
    assert statuses_told(row) == ["held for session"]


def test_a_new_reason_to_wait_is_told() -> None:
    row = rows.held(rows.held(queued_row(), "session", NOW), "restriction", NOW, until=after(60))
    assert statuses_told(row) == ["held for session", "held for restriction"]


FINISHES = {
    "sent": rows.sent(sending_row(), NOW, NOW),
    "failed": rows.failed(sending_row(), "REFUSED", "no", NOW),
    "cancelled": rows.cancelled(queued_row(), NOW),
    "expired": rows.at_deadline(queued_row(expires_at=NOW), NOW),
}


@pytest.mark.parametrize(("status", "row"), FINISHES.items(), ids=FINISHES.keys())
def test_an_end_is_told_and_starts_the_retention(status: str, row: OutboxRow) -> None:
    assert row.status == status
    assert row.finished_at == NOW
    assert statuses_told(row) == [status]


@pytest.mark.parametrize(("status", "row"), FINISHES.items(), ids=FINISHES.keys())
def test_only_what_may_be_retried_keeps_its_content(status: str, row: OutboxRow) -> None:
    fields = rows.changes(sending_row() if status in {"sent", "failed"} else queued_row(expires_at=NOW), row)
    assert ("content" in fields) is (status not in rows.RETRIED)


AWAITING = rows.awaiting_receipt(sending_row(unknown_since=NOW), "REFUSED", "no", after(600), NOW)


def test_what_only_a_receipt_saves_says_so_and_until_when() -> None:
    assert (AWAITING.waiting_for, AWAITING.resume_at) == ("receipt", after(600))
    told = AWAITING.untold[-1]
    assert (told["kind"], told["waitingFor"], told["resumeAt"]) == ("MessageHeld", "receipt", after(600))


DEADLINES = {
    "no ttl": (queued_row(), None),
    "ttl": (queued_row(expires_at=after(9)), after(9)),
    "handed over: the ttl counts no more": (sending_row(expires_at=after(9)), None),
    "unknown": (sending_row(unknown_since=NOW, expires_at=after(9)), after(100)),
    "refused after an unknown attempt": (AWAITING, after(600)),
}


@pytest.mark.parametrize(("row", "deadline"), DEADLINES.values(), ids=DEADLINES.keys())
def test_a_row_ends_by_itself_at_its_deadline(row: OutboxRow, deadline: datetime | None) -> None:
    assert rows.deadline_of(row, unknown_limit_s=100) == deadline


ENDS = {
    "ttl": (queued_row(expires_at=NOW), "expired", SendError.EXPIRED),
    "unknown for too long": (sending_row(unknown_since=NOW), "failed", SendError.OUTCOME_UNKNOWN),
    "refused, and no receipt came": (AWAITING, "failed", SendError.REFUSED),
}


@pytest.mark.parametrize(("row", "status", "code"), ENDS.values(), ids=ENDS.keys())
def test_what_a_row_becomes_at_its_deadline(row: OutboxRow, status: str, code: SendError) -> None:
    ended = rows.at_deadline(row, after(1000))
    assert (ended.status, ended.code) == (status, code)


def test_a_retried_message_keeps_its_ids_and_goes_to_the_end_of_its_lane() -> None:
    failed = replace(rows.failed(sending_row(expires_at=NOW), "REFUSED", "no", NOW), untold=[])
    again = rows.queued_again(failed, order=77, now=after(1))
    assert (again.id, again.wa_id) == (failed.id, failed.wa_id)
    assert (again.status, again.order, again.expires_at, again.code, again.finished_at) == (
        "queued",
        77,
        None,
        None,
        None,
    )
    assert again.handed_over
    assert statuses_told(again) == ["queued"]


def test_a_retried_message_that_may_have_left_cannot_be_cancelled() -> None:
    failed = rows.failed(sending_row(), "OUTCOME_UNKNOWN", "never told", NOW)
    assert not rows.may_be_cancelled(rows.queued_again(failed, order=7, now=NOW))


@pytest.mark.parametrize(("length", "kept"), [(4096, True), (4097, False)])
def test_a_long_text_does_not_wait_in_memory(length: int, *, kept: bool) -> None:
    row = queued_row(content=Text(text="x" * length))
    assert rows.light(row).content == (row.content if kept else None)


def test_a_retry_has_a_fact_id_of_its_own() -> None:
    row = rows.new_row(command(), order=1, shard=1, epoch=1, now=NOW)
    cancelled = rows.cancelled(row, after(1))
    again = rows.queued_again(cancelled, order=2, now=after(2))
    assert len({fact["id"] for fact in again.untold}) == len(again.untold)


def test_a_row_found_in_the_middle_of_an_attempt_may_have_left() -> None:
    found = rows.as_found(sending_row(), NOW)
    assert found.unknown_since == NOW
    assert statuses_told(found) == ["sending"]


@pytest.mark.parametrize(
    "row", [queued_row(), AWAITING, sending_row(unknown_since=NOW)], ids=["queued", "refused", "known"]
)
def test_any_other_row_is_found_as_it_was(row: OutboxRow) -> None:
    assert rows.as_found(row, after(5)) is row


def test_only_what_changed_is_written() -> None:
    before = queued_row()
    assert rows.changes(before, rows.handing_over(before)) == {"status": "sending", "handedOver": True, "attempts": 1}
