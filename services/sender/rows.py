"""How an outbox row changes, and which fact follows from each change: pure; the fact is in the row's `untold`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from libs.contracts.commands import ActOnMessage, SendMessage
from libs.contracts.content import Action, Edit, Reaction, Revoke, Text
from libs.contracts.errors import SendError
from libs.contracts.events import (
    ActionFailed,
    Fact,
    MessageEdited,
    MessageHeld,
    MessageProgressed,
    MessageQueued,
    MessageReacted,
    MessageRevoked,
)
from libs.contracts.ids import whatsapp_id
from libs.contracts.records import OutboxRow

replace = msgspec.structs.replace

QUEUED: Final = "queued"
SENDING: Final = "sending"
SENT: Final = "sent"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"
OPEN: Final = (QUEUED, SENDING)
RAISED_BY_RECEIPT: Final = (FAILED, CANCELLED, EXPIRED)
"""What a receipt still raises to `sent`: evidence wins."""
RETRIED: Final = (FAILED, CANCELLED)

FOR_SESSION: Final = "session"
FOR_RESTRICTION: Final = "restriction"
FOR_SUBSCRIPTION: Final = "subscription"
WAITS_OF_THE_LANE: Final = (FOR_SESSION, FOR_RESTRICTION, FOR_SUBSCRIPTION)
FOR_TIME: Final = "schedule"
FOR_PACE: Final = "pacing"
FOR_NEW_CONTACTS: Final = "new_contacts"
WAITS_ALONE: Final = (FOR_RESTRICTION, FOR_NEW_CONTACTS)
FOR_LOOKUP: Final = "lookup"
FOR_UPLOAD: Final = "upload"
WAITS_OF_A_CHAT: Final = (FOR_LOOKUP, FOR_UPLOAD)
"""What WhatsApp has to answer or take before a message to this recipient can leave."""
FOR_FORMER_NUMBER: Final = "former_number"
"""Another number is linked than the one from which it was to leave: the customer decides."""
FOR_RETRY: Final = "retry"
FOR_RECEIPT: Final = "receipt"
"""`waiting_for` of a row that was refused after an attempt that may have left: it is not tried again."""
NOT_TRIED: Final = (FOR_RECEIPT, FOR_FORMER_NUMBER)

PHONE_JID: Final = "@s.whatsapp.net"
KEPT_IN_MEMORY_CHARS: Final = 4096
"""Longer texts are read from the outbox when they leave: a full queue must fit in memory."""

REASONS: Final = {
    SendError.OUTCOME_UNKNOWN: "WhatsApp never told whether it took the message",
    SendError.EXPIRED: "the message was not sent before its time to live ended",
    SendError.SESSION_DELETED: "the session was deleted before the message was sent",
    SendError.NEVER_SENT: "the message that it concerns never left",
    SendError.OTHER_NUMBER: "it belongs to a number that was linked before; another one is linked now",
    SendError.CREDITS_EXHAUSTED: "the credits do not cover the message; it can be retried when there are more",
}
TOO_LATE: Final = "it waited here for longer than the recipients' phones carry it out"


def new_row(command: SendMessage, *, order: int, shard: int, epoch: int, now: datetime, credits: int = 0) -> OutboxRow:
    """The row of a message that has just come; `order` is its command's place in the stream, `credits` its price."""
    row = OutboxRow(
        id=command.message_id,
        customer_id=command.customer_id,
        session_id=command.session_id,
        shard=shard,
        engine=command.engine,
        wa_id=whatsapp_id(command.message_id),
        to=command.to,
        content=command.content,
        context=command.context,
        order=order,
        priority=command.priority,
        status=QUEUED,
        due_at=command.not_before or command.accepted_at,
        accepted_at=command.accepted_at,
        not_before=command.not_before,
        expires_at=command.expires_at,
        epoch=epoch,
        credits=credits,
    )
    row = _telling(row, _queued(row, now, fact_id=f"{row.id}/{QUEUED}"))
    return held(row, FOR_TIME, now, until=row.due_at) if row.due_at > now else row


def action_row(command: ActOnMessage, *, order: int, shard: int, epoch: int) -> OutboxRow:
    """The row of something to be done to a message: it goes the way of a message, and is told as what it does."""
    return OutboxRow(
        id=command.action_id,
        customer_id=command.customer_id,
        session_id=command.session_id,
        shard=shard,
        engine=command.engine,
        wa_id=whatsapp_id(command.action_id),
        to=command.to,
        content=command.action,
        about=command.message_id,
        order=order,
        status=QUEUED,
        due_at=command.accepted_at,
        accepted_at=command.accepted_at,
        expires_at=command.expires_at,
        epoch=epoch,
        number=command.number,
    )


def concerns_own_message(row: OutboxRow) -> bool:
    """Whether it is an action on a message that this number sent, so that the message must have left before."""
    return isinstance(row.content, Edit) or (isinstance(row.content, Revoke) and row.content.sender is None)


def handing_over(row: OutboxRow) -> OutboxRow:
    """From here on the attempt may leave."""
    return replace(row, status=SENDING, handed_over=True, attempts=row.attempts + 1)


def not_begun(row: OutboxRow) -> OutboxRow:
    """The row as it was before its first attempt, with which it was inserted."""
    return replace(row, status=QUEUED, handed_over=False, attempts=0, number=None)


def taken_back(row: OutboxRow, before: OutboxRow) -> OutboxRow:
    """The attempt certainly did not leave: the row is what it was `before`, one attempt richer."""
    return replace(row, status=before.status, handed_over=before.handed_over, number=before.number)


def outcome_unknown(row: OutboxRow, now: datetime) -> OutboxRow:
    """An attempt may have left. The first time this is told, for the message can no longer be cancelled."""
    if row.unknown_since is not None:
        return replace(row, waiting_for=None, resume_at=None)
    row = replace(row, unknown_since=now, waiting_for=None, resume_at=None)
    return _telling(row, _progressed(row, now) if row.about is None else None)


def tried_again_at(row: OutboxRow, again_at: datetime) -> OutboxRow:
    """A row of unknown outcome says until when it rests. Health tells it; of the message itself `sending` is told."""
    return replace(row, waiting_for=FOR_RETRY, resume_at=again_at)


def as_found(row: OutboxRow, now: datetime) -> OutboxRow:
    """An open row that a new owner has found: an attempt that was under way may have left."""
    if row.status != SENDING or row.waiting_for == FOR_RECEIPT or row.unknown_since is not None:
        return row
    return outcome_unknown(row, now)


def held(row: OutboxRow, waiting_for: str | None, now: datetime, *, until: datetime | None = None) -> OutboxRow:
    """The row waits for something else than before; None: for its turn alone. Told of rows that are still queued."""
    if row.waiting_for == waiting_for and row.resume_at == until:
        return row
    row = replace(row, waiting_for=waiting_for, resume_at=until)
    return _telling(row, _held(row, now)) if row.status == QUEUED and row.about is None else row


def stuck(
    row: OutboxRow, waiting_for: str, now: datetime, *, until: datetime, code: str, detail: str, limit_s: float
) -> OutboxRow:
    """The row waits for its recipient, and fails for this reason when that lasts for longer than `limit_s`."""
    give_up_at = now + timedelta(seconds=limit_s)
    if row.give_up_at is not None:
        give_up_at = row.give_up_at if row.code == code else max(row.give_up_at, give_up_at)
    return held(replace(row, give_up_at=give_up_at, code=code, detail=detail), waiting_for, now, until=until)


def not_stuck(row: OutboxRow, now: datetime) -> OutboxRow:
    """The row waits for its recipient no longer; if it has to again, its time to give up begins anew."""
    return held(replace(row, give_up_at=None), None, now) if row.waiting_for in WAITS_OF_A_CHAT else row


def is_held_with_its_lane(row: OutboxRow) -> bool:
    """Whether a restriction holds the whole lane, not this row's contact alone: that moves `due_at` too."""
    return row.waiting_for == FOR_RESTRICTION and row.resume_at is not None and row.due_at < row.resume_at


def behind_others(row: OutboxRow, *, last_order: int, due_at: datetime) -> OutboxRow:
    """The row lets all others that wait now go first."""
    return replace(row, order=max(row.order, last_order), due_at=due_at)


def not_before(row: OutboxRow, due_at: datetime) -> OutboxRow:
    """The row is tried at this time, at its place in the lane."""
    return replace(row, due_at=due_at)


def sent(row: OutboxRow, at: datetime, now: datetime, *, to: str | None = None) -> OutboxRow:
    """WhatsApp took the message at `at`, for the number `to` where that is not the row's."""
    done = _done(row, at)
    row = replace(_finished(row, SENT, now), refunded=row.credits > 0 and row.status in RAISED_BY_RECEIPT, content=None)
    return _telling(_telling(row, _progressed(row, at, to=to) if row.about is None else None), done)


def failed(row: OutboxRow, code: str, detail: str, now: datetime) -> OutboxRow:
    """The message failed for good; its content stays for a retry."""
    row = replace(_finished(row, FAILED, now), code=code, detail=detail)
    return _telling(row, _ended(row, now))


def unpaid(row: OutboxRow, now: datetime) -> OutboxRow:
    """The balance does not cover the message: nothing was reserved, so nothing is to be given back."""
    code = SendError.CREDITS_EXHAUSTED
    return failed(replace(row, credits=0), code, REASONS[code], now)


def cancelled(row: OutboxRow, now: datetime, *, code: SendError | None = None) -> OutboxRow:
    """The message was withdrawn before it was handed over; its content stays for a retry."""
    row = replace(_finished(row, CANCELLED, now), code=code, detail=REASONS[code] if code else None)
    return _telling(row, _ended(row, now))


def awaiting_receipt(row: OutboxRow, code: str, detail: str, until: datetime, now: datetime) -> OutboxRow:
    """Refused, but an earlier attempt may have left: only a receipt saves it until then."""
    row = replace(row, code=code, detail=detail, waiting_for=FOR_RECEIPT, resume_at=until, due_at=until)
    return _telling(row, _held(row, now)) if row.about is None else row


def queued_again(row: OutboxRow, *, order: int, now: datetime, credits: int = 0) -> OutboxRow:
    """A failed or cancelled message goes to the end of its lane, with both its ids; it is reserved for anew."""
    row = replace(
        row,
        status=QUEUED,
        order=order,
        due_at=now,
        not_before=None,
        expires_at=None,
        unknown_since=None,
        give_up_at=None,
        waiting_for=None,
        resume_at=None,
        code=None,
        detail=None,
        finished_at=None,
        credits=credits,
        retries=row.retries + 1,
        refunded=False,
    )
    return _telling(row, _queued(row, now, fact_id=_fact_id(row, QUEUED, now)))


def deadline_of(row: OutboxRow, unknown_limit_s: float) -> datetime | None:
    """When an open row ends by itself, if nothing else ends it before."""
    if row.waiting_for == FOR_RECEIPT:
        return row.due_at
    if row.handed_over:
        return row.unknown_since and row.unknown_since + timedelta(seconds=unknown_limit_s)
    give_up_at = row.give_up_at if row.waiting_for in WAITS_OF_A_CHAT else None
    return min((end for end in (row.expires_at, give_up_at) if end is not None), default=None)


def at_deadline(row: OutboxRow, now: datetime) -> OutboxRow:
    """The row after its deadline: the end that `deadline_of` meant."""
    if row.waiting_for == FOR_RECEIPT:
        return failed(row, row.code or SendError.REFUSED, row.detail or "", now)
    if row.handed_over:
        return failed(row, SendError.OUTCOME_UNKNOWN, REASONS[SendError.OUTCOME_UNKNOWN], now)
    is_stuck = row.waiting_for in WAITS_OF_A_CHAT and row.give_up_at is not None and row.give_up_at <= now
    if is_stuck and (row.expires_at is None or row.expires_at > now):
        return failed(row, row.code or SendError.LOOKUP_FAILED, row.detail or "", now)
    detail = REASONS[SendError.EXPIRED] if row.about is None else TOO_LATE
    row = replace(_finished(row, EXPIRED, now), code=SendError.EXPIRED, detail=detail)
    return replace(_telling(row, _ended(row, now)), content=None)


def told(row: OutboxRow, fact_ids: set[str]) -> OutboxRow:
    """The row without the facts that are published."""
    return replace(row, untold=[fact for fact in row.untold if fact["id"] not in fact_ids])


def may_be_cancelled(row: OutboxRow) -> bool:
    """Whether the message (or action) certainly never left."""
    return row.status == QUEUED and not row.handed_over


def light(row: OutboxRow) -> OutboxRow:
    """The row as it waits in memory: without a long text."""
    if isinstance(row.content, Text) and len(row.content.text) > KEPT_IN_MEMORY_CHARS:
        return replace(row, content=None)
    return row


def changes(before: OutboxRow, after: OutboxRow) -> dict[str, Any]:
    """The fields that differ, by their names in MongoDB. What can never leave again loses its content."""
    fields = {
        stored: new
        for field, stored in CHANGEABLE
        if (new := getattr(after, field)) is not (old := getattr(before, field)) and new != old
    }
    if fields.get("status") in (SENT, EXPIRED):
        fields["content"] = None
    return fields


CHANGEABLE: Final = tuple(
    (field.name, field.encode_name)
    for field in msgspec.structs.fields(OutboxRow)
    if field.name
    in {
        "status",
        "attempts",
        "due_at",
        "handed_over",
        "not_before",
        "expires_at",
        "unknown_since",
        "give_up_at",
        "waiting_for",
        "resume_at",
        "code",
        "detail",
        "order",
        "untold",
        "finished_at",
        "credits",
        "retries",
        "refunded",
        "number",
    }
)
"""Fields that change after the insert; `content` and `epoch` are the store's."""


def _finished(row: OutboxRow, status: str, now: datetime) -> OutboxRow:
    return replace(
        row,
        status=status,
        finished_at=now,
        waiting_for=None,
        resume_at=None,
        unknown_since=None,
        give_up_at=None,
        code=None,
        detail=None,
    )


def _telling(row: OutboxRow, fact: Fact | None) -> OutboxRow:
    if fact is None:
        return row
    return replace(row, untold=[*row.untold, msgspec.to_builtins(fact, builtin_types=(datetime,))])


def _held(row: OutboxRow, now: datetime) -> MessageHeld:
    return MessageHeld(
        id=_fact_id(row, f"held-{row.waiting_for or 'no-more'}", now),
        customer_id=row.customer_id,
        session_id=row.session_id,
        at=now,
        message_id=row.id,
        wa_id=row.wa_id,
        waiting_for=row.waiting_for,
        resume_at=row.resume_at,
    )


def _queued(row: OutboxRow, now: datetime, *, fact_id: str) -> MessageQueued:
    if row.content is None or isinstance(row.content, Action):
        raise ValueError("a queued message has its content")
    return MessageQueued(
        id=fact_id,
        customer_id=row.customer_id,
        session_id=row.session_id,
        at=now,
        message_id=row.id,
        wa_id=row.wa_id,
        to=row.to,
        content=row.content,
        context=row.context,
        accepted_at=row.accepted_at,
        attempts=row.attempts,
    )


def _ended(row: OutboxRow, at: datetime) -> Fact | None:
    """What is told when a message, or an action, has ended without having been done."""
    if row.about is None:
        return _progressed(row, at)
    if not isinstance(row.content, Edit | Revoke):
        return None
    return ActionFailed(
        id=_fact_id(row, row.status, at),
        customer_id=row.customer_id,
        session_id=row.session_id,
        at=at,
        message_id=row.about,
        wa_id=row.content.wa_id,
        action="edit" if isinstance(row.content, Edit) else "revoke",
        code=row.code or row.status.upper(),
        detail=row.detail,
    )


def _done(row: OutboxRow, at: datetime) -> Fact | None:
    """What has been done to another message, where that is what the row was about."""
    common: dict[str, Any] = {
        "id": _fact_id(row, "done", at),
        "customer_id": row.customer_id,
        "session_id": row.session_id,
        "at": at,
        "chat": row.to.removesuffix(PHONE_JID),
        "sender": "",
        "from_me": True,
        "number": row.number,
    }
    match row.content:
        case Edit() as edit:
            return MessageEdited(**common, wa_id=edit.wa_id, text=edit.text)
        case Revoke() as revoke:
            return MessageRevoked(**common, wa_id=revoke.wa_id)
        case Reaction() as reaction:
            return MessageReacted(**common, wa_id=reaction.wa_id, emoji=reaction.emoji)
        case _:
            return None


def _progressed(row: OutboxRow, at: datetime, *, to: str | None = None) -> MessageProgressed:
    return MessageProgressed(
        id=_fact_id(row, row.status, at),
        customer_id=row.customer_id,
        session_id=row.session_id,
        at=at,
        message_id=row.id,
        wa_id=row.wa_id,
        status=row.status,
        attempts=row.attempts,
        code=row.code,
        detail=row.detail,
        to=to,
        number=row.number if row.status == SENT else None,
    )


def _fact_id(row: OutboxRow, what: str, at: datetime) -> str:
    """Made once, when the change is made; stored with the row, so every repeat of the fact has it too."""
    return f"{row.id}/{what}/{row.attempts}-{int(at.timestamp() * 1000)}"
