"""Cancels a message and sends one again: tells sender, and waits a moment to see what became of it."""

from __future__ import annotations

import secrets

from libs.contracts.commands import CancelMessage, RetryMessage
from libs.contracts.content import Reaction
from libs.contracts.errors import ApiError
from libs.contracts.ids import send_subject
from libs.contracts.numbers import is_of_another_number
from libs.contracts.records import MessageRow
from libs.runtime.bus import PublishUnclear
from services.api.context import Edge
from services.api.errors import Refusal, unavailable
from services.api.live.hub import WatchedFrame
from services.api.messages import numbers, store_messages
from services.api.messages.finding import message_of
from services.api.requests import nats_headers

WAIT_S = 5.0
CANCELLED, QUEUED = "cancelled", "queued"
RETRYABLE = frozenset({"failed", "cancelled", "expired"})


async def cancelled(edge: Edge, row: MessageRow) -> MessageRow:
    """The message, cancelled; or as it is after WAIT_S, when sender has not come to it yet.

    Raises Refusal MESSAGE_NOT_CANCELLABLE once it was handed to WhatsApp, or has ended otherwise. May run twice.
    """
    if row.status == CANCELLED:
        return row
    await _check_cancellable(edge, row)
    command = CancelMessage(customer_id=row.customer_id, session_id=row.session_id, message_id=_id_of(row))
    with edge.hub.watch(_id_of(row), _has_moved) as watch:
        await _tell(edge, row, command)
        await watch.first(WAIT_S)
    now = await message_of(edge, row.customer_id, _id_of(row)) or row
    await _check_cancellable(edge, now)
    return now


async def queued_again(edge: Edge, row: MessageRow) -> MessageRow:
    """The message, in its queue again, with the same ids; or as it is after WAIT_S.

    Raises Refusal MESSAGE_NOT_RETRYABLE unless it failed, was cancelled or expired before it was ever handed over, and
    OTHER_NUMBER where it may have left from a number that is linked no more: it would be shown twice.
    """
    if row.direction != "out" or row.status not in RETRYABLE:
        raise Refusal(ApiError.MESSAGE_NOT_RETRYABLE, status=row.status)
    await _check_repeatable(edge, row)
    command = RetryMessage(customer_id=row.customer_id, session_id=row.session_id, message_id=_id_of(row))
    with edge.hub.watch(_id_of(row), _is_queued) as watch:
        await _tell(edge, row, command)
        await watch.first(WAIT_S)
    return await message_of(edge, row.customer_id, _id_of(row)) or row


async def _check_repeatable(edge: Edge, row: MessageRow) -> None:
    ended = await store_messages.outbox_row(edge.database, _id_of(row))
    if ended is None or not (ended.handed_over or isinstance(ended.content, Reaction)):
        return
    linked = await numbers.numbers_linked(edge, row.session_id)
    if is_of_another_number(ended.number, ended.accepted_at, linked):
        raise Refusal(ApiError.OTHER_NUMBER)


def _id_of(row: MessageRow) -> str:
    if row.message_id is None:
        raise Refusal(ApiError.MESSAGE_NOT_FOUND)
    return row.message_id


async def _check_cancellable(edge: Edge, row: MessageRow) -> None:
    """`handedOver` tells what the status cannot: an attempt that came back may have left all the same."""
    if row.status == CANCELLED:
        return
    if row.direction != "out" or row.status != QUEUED:
        raise Refusal(ApiError.MESSAGE_NOT_CANCELLABLE, status=row.status)
    waiting = await store_messages.outbox_row(edge.database, _id_of(row))
    if waiting is not None and (waiting.handed_over or waiting.status not in (QUEUED, CANCELLED)):
        raise Refusal(ApiError.MESSAGE_NOT_CANCELLABLE, status=waiting.status)


def _has_moved(frame: WatchedFrame) -> bool:
    return frame.type.startswith("message.") and frame.type != "message.queued"


def _is_queued(frame: WatchedFrame) -> bool:
    return frame.type == "message.queued"


async def _tell(edge: Edge, row: MessageRow, command: CancelMessage | RetryMessage) -> None:
    try:
        await edge.bus.publish(
            send_subject(row.session_id, edge.settings.shards),
            command,
            msg_id=f"{row.message_id}/{secrets.token_hex(6)}",
            headers=nats_headers(),
            repeat_for_s=edge.settings.repeat_for_s,
        )
    except PublishUnclear as error:
        raise unavailable() from error  # both commands may be given twice
