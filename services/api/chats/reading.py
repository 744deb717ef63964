"""Reads a chat for a customer: the chat is told so at WhatsApp, and status, which counts what is unread."""

from __future__ import annotations

import asyncio

from libs.contracts.events import ChatRead
from libs.contracts.records import ChatRow, MessageRow, SessionRecord
from libs.runtime.bus import PublishUnclear, StreamFull
from libs.runtime.facts import tell
from services.api.chats import store_chats
from services.api.context import Edge
from services.api.errors import unavailable
from services.api.messages import acting, numbers, store_messages
from services.api.messages.replies import chat_of
from services.api.times import now

SEEN_WITHIN_S = 3.0
LOOK_EVERY_S = 0.02


async def chat_read(edge: Edge, session: SessionRecord, row: ChatRow) -> ChatRow:
    """The chat, with everything read that `row` shows; or as it is after SEEN_WITHIN_S. May run twice.

    Raises Refusal QUEUE_FULL, SERVICE_UNAVAILABLE.
    """
    if row.unread == 0 or row.last_incoming is None:
        return row
    message = await store_messages.message_by_id(edge.database, row.last_incoming.message_id)
    if message is not None and not await _is_of_another_number(edge, message):  # else it is gone by retention
        await acting.marked_read(edge, session, message, most=row.unread, wait_s=0)
    await _tell(edge, row, row.incoming)
    return await _seen(edge, row)


async def _is_of_another_number(edge: Edge, message: MessageRow) -> bool:
    """Whether a number that is linked no more received it: the present one has nothing to tell its sender."""
    return numbers.is_of_another(message, await numbers.numbers_linked(edge, message.session_id))


async def note_message_read(edge: Edge, message: MessageRow) -> None:
    """Count the chat of an incoming message as read up to that message, which WhatsApp is told elsewhere."""
    row = await store_chats.chat_with(edge.database, message.customer_id, message.session_id, chat_of(message))
    if row is None or row.unread == 0:
        return
    later = await store_messages.incoming_after(edge.database, message, most=row.unread)
    if later < row.unread:
        await _tell(edge, row, row.incoming - later)


async def _tell(edge: Edge, row: ChatRow, incoming: int) -> None:
    fact = ChatRead(
        id=f"read/{row.id}/{incoming}",
        customer_id=row.customer_id,
        session_id=row.session_id,
        at=now(),
        chat_jid=row.chat_jid,
        incoming=incoming,
    )
    try:
        await tell(edge.bus, [fact], edge.settings.shards)
    except (PublishUnclear, StreamFull) as error:
        raise unavailable() from error  # reading twice is reading once


async def _seen(edge: Edge, row: ChatRow) -> ChatRow:
    deadline = asyncio.get_running_loop().time() + SEEN_WITHIN_S
    while True:
        after = await store_chats.chat_by_id(edge.database, row.customer_id, row.id) or row
        if after.read_at != row.read_at or asyncio.get_running_loop().time() > deadline:
            return after
        await asyncio.sleep(LOOK_EVERY_S)
