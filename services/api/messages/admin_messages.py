"""Messages and chats as the single-session admin dashboard knows them: its four statuses and its fields."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.records import ChatRow, MessageRow
from services.api.chats.views import shown_address
from services.api.languages import Localized, localized, localized_reason
from services.api.messages.store_messages import FOR_SCHEDULE
from services.api.sentences import phrase_of_term
from services.api.times import Time, iso

PENDING, QUEUED, SENT, FAILED = "PENDING", "QUEUED", "SENT", "FAILED"
STATUSES: dict[str, tuple[str, ...]] = {
    PENDING: ("sending", "queued"),
    QUEUED: ("queued",),
    SENT: ("sent", "delivered", "read", "played"),
    FAILED: ("failed", "cancelled", "expired"),
}
"""What each of them may be in `messages`; a message that is queued is PENDING until its time has come."""
_NAMES = {status: name for name in (PENDING, SENT, FAILED) for status in STATUSES[name]}


class AdminMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that was sent; `userId` is the customer's id, `retryCount` the attempts beyond the first."""

    id: str
    user_id: str
    phone_number: str
    message: str
    status: str
    retry_count: int
    created_at: Time
    updated_at: Time
    sent_at: Time | UnsetType = UNSET
    error_message: Localized | UnsetType = UNSET


class AdminChat(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A chat by what came in last; `isTriggered` when something was sent to it since."""

    id: str
    phone_number: str
    message: str
    message_type: str
    is_read: bool
    is_triggered: bool
    created_at: Time
    updated_at: Time


def status_of(row: MessageRow) -> str:
    """One of the four."""
    if row.status == "queued":
        return PENDING if row.waiting_for == FOR_SCHEDULE else QUEUED
    return _NAMES[row.status]


def admin_message(row: MessageRow) -> AdminMessage:
    """The message. Only of one that was sent (`direction` out)."""
    is_failed = status_of(row) == FAILED
    return AdminMessage(
        id=row.message_id or row.id,
        user_id=row.customer_id,
        phone_number=row.to or row.chat or "",
        message=row.text or row.caption or row.file_name or "",
        status=status_of(row),
        retry_count=max(row.attempts - 1, 0),
        created_at=iso(row.created_at),
        updated_at=iso(_moved_at(row)),
        sent_at=UNSET if row.sent_at is None else iso(row.sent_at),
        error_message=_error_of(row) if is_failed else UNSET,
    )


def _error_of(row: MessageRow) -> Localized:
    reason = row.detail or row.code
    return localized_reason(reason) if reason else localized(phrase_of_term(row.status))


def _moved_at(row: MessageRow) -> datetime:
    return max((entry.at for entry in row.history), default=row.created_at)


def admin_chat(row: ChatRow) -> AdminChat:
    """The chat; where nobody has written yet, by what was sent."""
    line = row.last_incoming or row.last
    return AdminChat(
        id=row.id,
        phone_number=shown_address(row),
        message=line.text or "",
        message_type=line.type,
        is_read=row.unread == 0,
        is_triggered=row.last_incoming is not None and row.last.fact_seq > row.last_incoming.fact_seq,
        created_at=iso(row.created_at),
        updated_at=iso(row.moved_at),
    )
