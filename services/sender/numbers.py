"""What becomes of a row when another number is linked than the one that it belongs to: pure rules.

Nothing leaves from another number unasked. What certainly never left waits for the customer's decision; what may have
left is never repeated, for the recipient would see it twice; what only that number can do has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from libs.contracts.calls import DeliverAnswer, Delivered, NotDelivered
from libs.contracts.content import Reaction
from libs.contracts.errors import SendError
from libs.contracts.numbers import is_of_another_number, number_at, present_number
from libs.contracts.records import LinkedNumber, OutboxRow
from services.sender import rows
from services.sender.retries import Silence

Decision = Callable[[OutboxRow, str, datetime], OutboxRow]
"""What a customer wants of a row that waits for it: the row, the number that is linked, and now."""
NEVER_KNOWN: Final = "another number was linked before WhatsApp told whether it took the message"


def bound(row: OutboxRow, linked: Sequence[LinkedNumber]) -> OutboxRow:
    """The row with the number from which alone it may leave: the one that was linked when it was accepted."""
    return rows.replace(row, number=row.number or number_at(linked, row.accepted_at) or None)


def settled(row: OutboxRow, linked: Sequence[LinkedNumber], now: datetime) -> OutboxRow:
    """The row as these links want it; the same object when it stands so already."""
    if not is_of_another_number(row.number, row.accepted_at, linked):
        return _waiting_again(row, now) if row.waiting_for == rows.FOR_FORMER_NUMBER else row
    if row.waiting_for in rows.NOT_TRIED:
        return row
    if row.handed_over:
        return rows.failed(row, SendError.OUTCOME_UNKNOWN, NEVER_KNOWN, now)
    if row.about is not None:
        return _impossible(row, now)
    return rows.held(rows.replace(row, give_up_at=None), rows.FOR_FORMER_NUMBER, now)


def released(row: OutboxRow, number: str, now: datetime) -> OutboxRow:
    """The row as it leaves from this number after all. A reaction answers in a chat that only the former number has."""
    if isinstance(row.content, Reaction):
        return _impossible(row, now)
    return _waiting_again(rows.replace(row, number=number), now)


def discarded(row: OutboxRow, number: str, now: datetime) -> OutboxRow:
    """The row, withdrawn: it does not leave from this number."""
    return rows.cancelled(row, now)


def asked_again(row: OutboxRow, linked: Sequence[LinkedNumber]) -> OutboxRow:
    """A row that the customer queues again leaves from the present number, unless it may have left from another."""
    if row.handed_over or isinstance(row.content, Reaction):
        return row
    return rows.replace(row, number=present_number(linked) or None)


def is_refused(answer: DeliverAnswer | Silence) -> bool:
    """Whether the session's owner said that another number is linked."""
    return isinstance(answer, NotDelivered) and answer.code == SendError.OTHER_NUMBER


def as_answered(row: OutboxRow, answer: DeliverAnswer | Silence) -> OutboxRow:
    """The row with the number that sent it, as the session's owner said."""
    if not isinstance(answer, Delivered) or answer.number is None:
        return row
    return rows.replace(row, number=answer.number)


def _waiting_again(row: OutboxRow, now: datetime) -> OutboxRow:
    if row.not_before is not None and row.not_before > now:
        return rows.held(rows.not_before(row, row.not_before), rows.FOR_TIME, now, until=row.not_before)
    return rows.held(rows.not_before(row, now), None, now)


def _impossible(row: OutboxRow, now: datetime) -> OutboxRow:
    return rows.failed(row, SendError.OTHER_NUMBER, rows.REASONS[SendError.OTHER_NUMBER], now)
