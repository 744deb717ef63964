"""Finds a chat for whoever asks, and nobody else's."""

from __future__ import annotations

from libs.contracts.errors import ApiError
from libs.contracts.records import ChatRow
from services.api.access.callers import Caller
from services.api.chats import store_chats
from services.api.context import Edge
from services.api.errors import Refusal


async def chat_for(edge: Edge, caller: Caller, chat_id: str) -> ChatRow:
    """The caller's chat. Raises Refusal NOT_FOUND."""
    row = await store_chats.chat_by_id(edge.database, caller.customer_id, chat_id)
    if row is None or not caller.may_use(row.session_id):
        raise Refusal(ApiError.NOT_FOUND, what="chat")
    return row
