"""Edits, deletes for everybody, and marks as read: checks that it may be done, and tells sender to do it in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from libs.contracts.commands import ActOnMessage
from libs.contracts.content import Action, Edit, Read, Revoke
from libs.contracts.errors import ApiError
from libs.contracts.ids import new_message_id, send_subject
from libs.contracts.records import MessageRow, OutboxRow, SessionRecord
from libs.runtime.bus import PublishUnclear, StreamFull
from services.api.context import Edge
from services.api.errors import Refusal, unavailable
from services.api.live.hub import Watch
from services.api.messages import numbers, store_messages
from services.api.messages.finding import message_of
from services.api.messages.jids import is_group
from services.api.messages.replies import chat_of, sender_of
from services.api.messages.sending import check_session, refusal_of_failed
from services.api.requests import nats_headers
from services.api.times import now

SENT = "sent"
LEFT = frozenset({SENT, "delivered", "read", "played"})
EDITABLE = frozenset({"text", "image", "video", "document"})
EDITED_WITHIN = timedelta(minutes=15)
"""WhatsApp's own clients offer an edit for 15 minutes after sending, and take one that comes within 20: WhatsApp Web,
`WAWebMessageEditUtils` (900 s and 1200 s), and `EditWindow` in whatsmeow's send.go (20 minutes, what is taken). Later
ones are not shown. The difference is for the way, and here for the wait in the lane."""
EDIT_TAKEN_WITHIN = timedelta(minutes=20)
DELETED_WITHIN = timedelta(hours=60)
"""WhatsApp's own clients offer it for two and a half days after sending, and carry out what comes within 12 hours more:
WhatsApp Web, `WAWebRevokeMsgConstants`. whatsmeow has no such constant. Later requests are not carried out."""
DELETE_TAKEN_WITHIN = timedelta(hours=72)
MOST_READ = 100
LOOK_EVERY_S = 0.1
LOOK_WHETHER_ENDED_S = 1.0
EDITED = frozenset({"message.edited", "message.edit_failed"})
REVOKED = frozenset({"message.revoked", "message.revoke_failed"})


# --- Rules -----------------------------------------------------------------------------------------------------------


def why_not_editable(row: MessageRow, at: datetime) -> str | None:
    """Why this message takes no new words, or None."""
    if row.direction != "out":
        return "it came in"
    if row.revoked_at is not None:
        return "it was deleted"
    if row.type not in EDITABLE:
        return f"it is of the type {row.type}"
    if row.type != "text" and row.caption is None:
        return "it has no caption"
    if row.status not in LEFT:
        return f"it is {row.status}"
    return "more than 15 minutes have passed" if _is_past(row, EDITED_WITHIN, at) else None


def why_not_deletable(row: MessageRow, at: datetime) -> str | None:
    """Why this message, which has left or come in, cannot be deleted for everybody, or None."""
    if row.direction == "in" and not is_group(chat_of(row)):
        return "it came in, and not in a group"
    if row.type == "reaction":
        return "a reaction is taken back by sending one with an empty emoji"
    if row.direction == "out" and row.status not in LEFT:
        return f"it is {row.status}"
    return "more than 60 hours have passed" if _is_past(row, DELETED_WITHIN, at) else None


def says(row: MessageRow, text: str) -> bool:
    """Whether these are the words of the message now: its text, or its caption."""
    return (row.text if row.type == "text" else row.caption) == text


def is_overtaken(row: MessageRow, action: OutboxRow) -> bool:
    """Whether the message was changed by this action and again after it, or by a later one alone."""
    if action.finished_at is None:
        return False
    was_applied = any(entry.fact_id.startswith(f"{action.id}/") for entry in row.history)
    changed_later = row.edited_at is not None and row.edited_at > action.finished_at
    return was_applied or changed_later or row.revoked_at is not None


def _is_past(row: MessageRow, within: timedelta, at: datetime) -> bool:
    return at - _left_at(row) > within


def _left_at(row: MessageRow) -> datetime:
    return row.sent_at or row.created_at


# --- What is done ----------------------------------------------------------------------------------------------------


async def edited(edge: Edge, session: SessionRecord, row: MessageRow, text: str, *, wait_s: float) -> MessageRow | None:
    """Give the message new words; the message as it is then, or None when that was not seen within `wait_s`.

    Words that it has already are sent too: another edit that nobody has stored yet may be on its way.
    Raises Refusal MESSAGE_NOT_EDITABLE, OTHER_NUMBER, QUEUE_FULL; MESSAGE_FAILED when WhatsApp refused it meanwhile.
    """
    reason = why_not_editable(row, now())
    if reason is not None:
        raise Refusal(ApiError.MESSAGE_NOT_EDITABLE, reason=reason)
    number = await numbers.own_number(edge, row)
    command = _command(session, row, Edit(wa_id=row.wa_id, text=text), number, _left_at(row) + EDIT_TAKEN_WITHIN)
    return await _done(edge, session, row, command, EDITED, wait_s, is_done=lambda now_row: says(now_row, text))


async def deleted(edge: Edge, session: SessionRecord, row: MessageRow, *, wait_s: float) -> MessageRow | None:
    """Delete the message for everybody; as `edited`, with MESSAGE_NOT_DELETABLE."""
    if row.revoked_at is not None:
        return row
    reason = why_not_deletable(row, now())
    if reason is not None:
        raise Refusal(ApiError.MESSAGE_NOT_DELETABLE, reason=reason)
    number = await numbers.own_number(edge, row)
    action = Revoke(wa_id=row.wa_id, sender=sender_of(row))
    command = _command(session, row, action, number, _left_at(row) + DELETE_TAKEN_WITHIN)
    return await _done(
        edge, session, row, command, REVOKED, wait_s, is_done=lambda now_row: now_row.revoked_at is not None
    )


async def marked_read(
    edge: Edge, session: SessionRecord, row: MessageRow, *, wait_s: float, most: int = MOST_READ
) -> tuple[int, bool]:
    """Tell the chat that this message, and those before it, were read: how many, and whether that was seen to be done.

    At most `most`, and MOST_READ, of them, the latest ones; none that another number received.
    Raises Refusal MESSAGE_NOT_INCOMING, OTHER_NUMBER, QUEUE_FULL.
    """
    if row.direction != "in":
        raise Refusal(ApiError.MESSAGE_NOT_INCOMING)
    linked = await numbers.numbers_linked(edge, session.id)
    number = numbers.own_number_among(row, linked)
    await check_session(edge, session)
    found = await store_messages.incoming_up_to(edge.database, row, limit=min(most, MOST_READ))
    rows = [each for each in found if not numbers.is_of_another(each, linked)]
    by_sender: dict[str, list[MessageRow]] = {}
    for each in rows:
        by_sender.setdefault(sender_of(each) or "", []).append(each)
    marks = (
        _command(session, group[0], Read(wa_ids=[each.wa_id for each in group], sender=sender), number)
        for sender, group in by_sender.items()
    )
    told = [await _tell(edge, mark) for mark in marks]
    return len(rows), wait_s > 0 and await _have_ended(edge, told, wait_s)


# --- How it is told --------------------------------------------------------------------------------------------------


async def _done(
    edge: Edge,
    session: SessionRecord,
    row: MessageRow,
    command: ActOnMessage,
    kinds: frozenset[str],
    wait_s: float,
    *,
    is_done: Callable[[MessageRow], bool],
) -> MessageRow | None:
    await check_session(edge, session)
    with edge.hub.watch(row.message_id or "", lambda frame: frame.type in kinds) as watch:
        action_id = await _tell(edge, command)
        return await _as_changed(edge, row, action_id, watch, wait_s, is_done)


async def _as_changed(
    edge: Edge,
    row: MessageRow,
    action_id: str,
    watch: Watch,
    wait_s: float,
    is_done: Callable[[MessageRow], bool],
) -> MessageRow | None:
    """The message, once sender has ended the action and the row shows it, or what overtook it; None after `wait_s`.

    A frame tells when to look, not what was done: it may be that of another action. Of one that changes nothing more
    none comes. Raises Refusal as `_changed_by`.
    """
    deadline = asyncio.get_running_loop().time() + wait_s
    while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
        await watch.first(min(LOOK_WHETHER_ENDED_S, left_s))
        watch.renew()
        found = await _changed_by(edge, row, action_id, is_done)
        if found is not None or edge.hub.waits_are_over:
            return found
    return None


async def _changed_by(
    edge: Edge, row: MessageRow, action_id: str, is_done: Callable[[MessageRow], bool]
) -> MessageRow | None:
    """The message as this action left it; None before that. Raises Refusal MESSAGE_FAILED when it failed for good."""
    action = await store_messages.outbox_row(edge.database, action_id)
    if action is None or action.finished_at is None:
        return None
    found = await message_of(edge, row.customer_id, row.message_id or "")
    if action.status != SENT:
        code = action.code or action.status.upper()
        error = {"code": code, "message": action.detail or code}
        raise refusal_of_failed(row.message_id or "", {**store_messages.shown(found or row), "error": error})
    return found if found is not None and (is_done(found) or is_overtaken(found, action)) else None


def _command(
    session: SessionRecord, row: MessageRow, action: Action, number: str | None, expires_at: datetime | None = None
) -> ActOnMessage:
    return ActOnMessage(
        customer_id=row.customer_id,
        session_id=row.session_id,
        action_id=new_message_id(),
        message_id=row.message_id or "",
        engine=session.engine,
        to=chat_of(row),
        action=action,
        accepted_at=now(),
        expires_at=expires_at,
        number=number,
    )


async def _tell(edge: Edge, command: ActOnMessage) -> str:
    """Publish the action; returns its id."""
    subject = send_subject(command.session_id, edge.settings.shards)
    try:
        await edge.bus.publish(
            subject,
            command,
            msg_id=command.action_id,
            headers=nats_headers(),
            repeat_for_s=edge.settings.repeat_for_s,
        )
    except (PublishUnclear, StreamFull) as error:
        raise unavailable() from error  # each of them may be done twice
    return command.action_id


async def _have_ended(edge: Edge, action_ids: list[str], wait_s: float) -> bool:
    """Whether sender has ended all of these within `wait_s`; of a read mark no frame tells."""
    deadline = asyncio.get_running_loop().time() + wait_s
    while asyncio.get_running_loop().time() < deadline:
        if await store_messages.ended_rows(edge.database, action_ids) == len(action_ids):
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False
