"""Chats: with whom a session writes, what was said last, and what is unread."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, PathParameter, QueryParameter

from libs.contracts.records import ChatRow
from services.api import confirmations
from services.api.access.auth import session_for, session_of
from services.api.access.callers import Caller
from services.api.chats import reading, store_chats
from services.api.chats.finding import chat_for
from services.api.chats.seeking import sought_chats
from services.api.chats.store_chats import ChatsWanted
from services.api.chats.subjects import groups_sought, subjects_listed
from services.api.chats.views import ChatAnswer, ChatList, ChatObject, chat_object
from services.api.context import Edge
from services.api.errors import invalid
from services.api.languages import localized
from services.api.messages.views import Paging

MOST_LISTED = 200
ChatRef = Annotated[str, PathParameter(description="The chat's id.")]


@get("/", operation_id="list_chats")
async def list_chats(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session: Annotated[str | None, QueryParameter(description="A session's id or name.")] = None,
    unread: FromQuery[bool | None] = None,
    q: Annotated[str | None, QueryParameter(max_length=100, description="A part of a name or a number.")] = None,
    cursor: Annotated[str | None, QueryParameter(max_length=400)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)] = 50,
) -> ChatList:
    """The customer's chats, the one that moved last first, in pages."""
    caller.require("read")
    sessions = [(await session_for(edge, caller, session)).id] if session else caller.session_ids
    sought = sought_chats(q or "", edge.settings.default_country)
    wanted = ChatsWanted(
        customer_id=caller.customer_id,
        sessions=sessions,
        is_read=None if unread is None else not unread,
        sought=sought,
        groups=await groups_sought(edge, caller.customer_id, sought),
    )
    try:
        page = await store_chats.chats_newest_first(edge.database, wanted, after=cursor or None, limit=limit)
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error
    subjects = await subjects_listed(edge, caller.customer_id, page.rows)
    shown = [chat_object(row, subjects) for row in page.rows]
    paging = Paging(limit=limit, next=page.next, has_more=page.next is not None)
    return ChatList(chats=shown, data=shown, pagination=paging)


@get("/{chat_id:str}", operation_id="get_chat")
async def get_chat(edge: NamedDependency[Edge], caller: NamedDependency[Caller], chat_id: ChatRef) -> ChatAnswer:
    """One chat; its messages are `GET /messages?chat=`."""
    caller.require("read")
    return ChatAnswer(data=await _shown(edge, await chat_for(edge, caller, chat_id)))


@post("/{chat_id:str}/read", operation_id="mark_chat_read", status_code=202)
async def mark_chat_read(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], chat_id: ChatRef
) -> Response[ChatAnswer]:
    """Mark what has come in as read, here and at WhatsApp. 200 once it is counted as read, 202 when it will be."""
    caller.require("send")
    before = await chat_for(edge, caller, chat_id)
    session = await session_of(edge, before.customer_id, before.session_id)
    after = await reading.chat_read(edge, session, before)
    is_done = before.unread == 0 or after.read_at != before.read_at
    message = localized(confirmations.CHAT_READ if is_done else confirmations.CHAT_TO_BE_READ)
    shown = await _shown(edge, after)
    return Response(ChatAnswer(data=shown, message=message), status_code=200 if is_done else 202)


async def _shown(edge: Edge, row: ChatRow) -> ChatObject:
    return chat_object(row, await subjects_listed(edge, row.customer_id, [row]))


router = Router(
    path="/api/customer/whatsapp/chats",
    route_handlers=[list_chats, get_chat, mark_chat_read],
    tags=["Chats"],
)
