"""Finds a message wherever it is on its way, so that an accepted id is never unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from libs.contracts.commands import SendCommand, SendMessage
from libs.contracts.errors import ApiError
from libs.contracts.ids import COMMANDS, is_message_id, shard_of, whatsapp_id
from libs.contracts.records import MessageRow, OutboxRow
from libs.runtime.replay import ReplayBroken, stored_since
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.messages import idempotency, store_messages

CLOCKS_APART = timedelta(seconds=5)
PUBLISHED_WITHIN = timedelta(seconds=30)
MOST_SCANNED = 20_000

_decode = msgspec.json.Decoder(SendCommand).decode


async def message_for(edge: Edge, caller: Caller, message_id: str) -> MessageRow:
    """The caller's message, wherever it is on its way. Raises Refusal MESSAGE_NOT_FOUND."""
    row = await message_of(edge, caller.customer_id, message_id)
    if row is None or not caller.may_use(row.session_id):
        raise Refusal(ApiError.MESSAGE_NOT_FOUND)
    return row


async def message_of(edge: Edge, customer_id: str, message_id: str) -> MessageRow | None:
    """The customer's message: as status knows it, else sender, else as it was accepted; None when it never was."""
    row = await store_messages.message_by_id(edge.database, message_id)
    if row is not None:
        return row if row.customer_id == customer_id else None
    if not is_message_id(message_id):
        return None
    early = (
        await _in_outbox(edge, message_id)
        or await _in_commands(edge, message_id)
        or await _in_outbox(edge, message_id)  # sender may have taken it between the two looks
        or await _in_idempotency(edge, customer_id, message_id)
    )
    return early if early is not None and early.customer_id == customer_id else None


async def _in_outbox(edge: Edge, message_id: str) -> MessageRow | None:
    row = await store_messages.outbox_row(edge.database, message_id)
    return None if row is None or not store_messages.is_message(row) else store_messages.row_before_status(row)


async def _in_commands(edge: Edge, message_id: str) -> MessageRow | None:
    """The command, while it waits for sender. It was published soon after its id, which tells the time, was made."""
    made_at = datetime.fromtimestamp(int(message_id.replace("-", "")[:12], 16) / 1000, UTC)
    scanned = 0
    try:
        async for _, message in stored_since(edge.bus, COMMANDS, "cmd.send.>", made_at - CLOCKS_APART):
            headers = message.headers or {}
            if headers.get("Nats-Msg-Id") == message_id:
                command = _decode(message.data)
                return row_of_command(edge, command) if isinstance(command, SendMessage) else None
            scanned += 1
            stored_at = datetime.fromisoformat(headers["Nats-Time-Stamp"])
            if scanned >= MOST_SCANNED or stored_at > made_at + PUBLISHED_WITHIN:
                return None
    except ReplayBroken:
        return None
    return None


async def _in_idempotency(edge: Edge, customer_id: str, message_id: str) -> MessageRow | None:
    """Known to have been asked for under a key, whose repeat has yet to be published."""
    row = await idempotency.row_of_message(edge.database, customer_id, message_id)
    if row is None:
        return None
    return MessageRow(
        id=f"{row.session_id}/{whatsapp_id(message_id)}",
        customer_id=row.customer_id,
        session_id=row.session_id,
        shard=shard_of(row.session_id, edge.settings.shards),
        wa_id=whatsapp_id(message_id),
        direction="out",
        message_id=message_id,
        type="text",
        media_id=row.media_id,
        created_at=row.created_at,
    )


def row_of_command(edge: Edge, command: SendMessage) -> MessageRow:
    """The message as its services will see it first."""
    return store_messages.row_before_status(
        OutboxRow(
            id=command.message_id,
            customer_id=command.customer_id,
            session_id=command.session_id,
            shard=shard_of(command.session_id, edge.settings.shards),
            engine=command.engine,
            wa_id=whatsapp_id(command.message_id),
            to=command.to,
            content=command.content,
            context=command.context,
            order=0,
            status="queued",
            due_at=command.accepted_at,
            accepted_at=command.accepted_at,
            not_before=command.not_before,
            epoch=0,
        )
    )
