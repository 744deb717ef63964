"""The single-session admin dashboard beyond the link: its first page, messages, and chats with a reply."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from libs.contracts.content import Text
from libs.contracts.errors import ApiError
from libs.contracts.records import ChatRow, SessionRecord
from services.api import confirmations
from services.api.access.admission import admit_message
from services.api.access.auth import session_of
from services.api.access.callers import Caller
from services.api.access.single import default_session
from services.api.chats import reading, store_chats
from services.api.chats.store_chats import ChatsWanted
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.messages.admin_messages import (
    FAILED,
    PENDING,
    QUEUED,
    SENT,
    STATUSES,
    AdminChat,
    AdminMessage,
    admin_chat,
    admin_message,
)
from services.api.messages.composing import text_content, wishes_of
from services.api.messages.finding import message_for, row_of_command
from services.api.messages.sending import Draft, accept, check_session, command_of
from services.api.messages.views import MessageRef
from services.api.platform import store_admin
from services.api.platform.store_admin import MOST_COUNTED, MOST_PAGED
from services.api.routes.single import SingleStatus, single_status
from services.api.times import now

MOST_LISTED = 500
ARCHIVED_AFTER = timedelta(days=30)
"""A chat that is quiet for so long counts as archived."""

AnyRequest = Request[Any, Any, Any]
Page = Annotated[int, QueryParameter(ge=1, le=MOST_PAGED)]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)]
ChatRef = Annotated[str, PathParameter(description="The chat's id.")]


class ChatCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Chats of the default session; archived are those that were quiet for 30 days, active the others."""

    total: int
    unread: int
    active: int
    archived: int


class MessageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that are still kept, each counted up to 100,000."""

    pending: int
    queued: int
    sent: int
    failed: int


class AdminDashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The first page."""

    chats: ChatCounts
    messages: MessageCounts
    whatsapp: SingleStatus


class AdminDashboardAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/admin/dashboard."""

    data: AdminDashboard
    success: bool = True


class Pages(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Numbered pages, from 1; `total` stops at 10,000."""

    page: int
    limit: int
    total: int
    total_pages: int


class AdminMessages(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what was sent, newest first."""

    messages: list[AdminMessage]
    pagination: Pages


class AdminMessagesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/admin/messages."""

    data: AdminMessages
    success: bool = True


class AdminMessageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One message that was sent."""

    data: AdminMessage
    message: Localized | msgspec.UnsetType = msgspec.UNSET
    success: bool = True


class AdminChats(msgspec.Struct, frozen=True, kw_only=True):
    """One page of chats, the one that moved last first."""

    chats: list[AdminChat]
    pagination: Pages


class AdminChatsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """GET /api/admin/chats."""

    data: AdminChats
    success: bool = True


class ChatReply(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a reply."""

    message: Annotated[str, Meta(min_length=1, max_length=65_536)]


# --- The first page --------------------------------------------------------------------------------------------------


@get("/dashboard", operation_id="get_admin_dashboard")
async def get_admin_dashboard(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> AdminDashboardAnswer:
    """Chats, messages and the link at a glance."""
    chats, messages, whatsapp = await asyncio.gather(
        _chat_counts(edge, caller), _message_counts(edge, caller), single_status(edge, caller)
    )
    return AdminDashboardAnswer(data=AdminDashboard(chats=chats, messages=messages, whatsapp=whatsapp))


async def _chat_counts(edge: Edge, caller: Caller) -> ChatCounts:
    wanted = await _chats_wanted(edge, caller)
    unread = msgspec.structs.replace(wanted, is_read=False)
    total, archived, waiting = await asyncio.gather(
        store_chats.count_chats(edge.database, wanted, most=MOST_COUNTED),
        store_chats.count_chats(edge.database, wanted, most=MOST_COUNTED, moved_before=now() - ARCHIVED_AFTER),
        store_chats.count_chats(edge.database, unread, most=MOST_COUNTED),
    )
    return ChatCounts(total=total, unread=waiting, active=total - archived, archived=archived)


async def _message_counts(edge: Edge, caller: Caller) -> MessageCounts:
    pending, queued, sent, failed = await asyncio.gather(
        *(
            store_admin.messages_in(edge.database, caller.customer_id, status)
            for status in (PENDING, QUEUED, SENT, FAILED)
        )
    )
    return MessageCounts(pending=pending, queued=queued, sent=sent, failed=failed)


# --- Messages --------------------------------------------------------------------------------------------------------


@get("/messages", operation_id="list_admin_messages")
async def list_admin_messages(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    status: Annotated[str, QueryParameter(max_length=20, description="PENDING, QUEUED, SENT or FAILED.")] = "",
    page: Page = 1,
    limit: Limit = 20,
) -> AdminMessagesAnswer:
    """What was sent, newest first, in numbered pages."""
    name = status.upper()
    if name not in ("", "ALL", *STATUSES):
        raise invalid("status", f"it is one of {', '.join(STATUSES)}")
    _check_page(page, limit)
    rows, total = await store_admin.sent_messages(
        edge.database, caller.customer_id, name if name in STATUSES else None, page=page, limit=limit
    )
    messages = [admin_message(row) for row in rows]
    return AdminMessagesAnswer(data=AdminMessages(messages=messages, pagination=_pages(page, limit, total)))


@get("/status/{message_id:str}", operation_id="get_admin_message_status")
async def get_admin_message_status(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], message_id: MessageRef
) -> AdminMessageAnswer:
    """What became of a message that was sent."""
    caller.require("read")
    row = await message_for(edge, caller, message_id)
    if row.direction != "out":
        raise Refusal(ApiError.MESSAGE_NOT_FOUND)
    return AdminMessageAnswer(data=admin_message(row))


def _check_page(page: int, limit: int) -> None:
    """Raises Refusal for what lies beyond the pages: to skip that many would cost as much as to read them."""
    if (page - 1) * limit >= MOST_PAGED:
        raise invalid("page", f"only the newest {MOST_PAGED:,} are paged through by number")


def _pages(page: int, limit: int, total: int) -> Pages:
    return Pages(page=page, limit=limit, total=total, total_pages=-(-total // limit))


# --- Chats -----------------------------------------------------------------------------------------------------------


@get("/chats", operation_id="list_admin_chats")
async def list_admin_chats(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    is_read: Annotated[bool | None, QueryParameter(name="isRead")] = None,
    page: Page = 1,
    limit: Limit = 100,
) -> AdminChatsAnswer:
    """The chats of the default session, the one that moved last first."""
    _check_page(page, limit)
    wanted = msgspec.structs.replace(await _chats_wanted(edge, caller), is_read=is_read)
    rows, total = await asyncio.gather(
        store_chats.chats_by_page(edge.database, wanted, page=page, limit=limit),
        store_chats.count_chats(edge.database, wanted, most=MOST_PAGED),
    )
    chats = [admin_chat(row) for row in rows]
    return AdminChatsAnswer(data=AdminChats(chats=chats, pagination=_pages(page, limit, total)))


@post("/chats/{chat_id:str}/reply", operation_id="reply_to_admin_chat", status_code=200)
async def reply_to_admin_chat(
    request: AnyRequest,
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    chat_id: ChatRef,
    data: JSONBody[ChatReply],
) -> AdminMessageAnswer:
    """Answer a chat from the number that it was written to; what had come in counts as read."""
    caller.require("send")
    chat = await store_chats.chat_by_id(edge.database, caller.customer_id, chat_id)
    if chat is None:
        raise Refusal(ApiError.NOT_FOUND, what="chat")
    session = await session_of(edge, caller.customer_id, chat.session_id)
    content = text_content(data.message)
    await check_session(edge, session)
    await reading.chat_read(edge, session, chat)
    return await _replied(request, edge, caller, session, chat, content)


async def _replied(
    request: AnyRequest, edge: Edge, caller: Caller, session: SessionRecord, chat: ChatRow, content: Text
) -> AdminMessageAnswer:
    draft = Draft(session=session, to=chat.chat_jid, content=content)
    await admit_message(edge, caller)
    accepted = await accept(edge, draft, wishes_of(edge, request))
    row = msgspec.structs.replace(row_of_command(edge, command_of(draft, accepted)), status=accepted.status)
    return AdminMessageAnswer(data=admin_message(row), message=localized(confirmations.MESSAGE_IN[accepted.status]))


async def _chats_wanted(edge: Edge, caller: Caller) -> ChatsWanted:
    """Those of the default session, as all that this dashboard shows; none while there is no session."""
    seen = await default_session(edge, caller)
    return ChatsWanted(customer_id=caller.customer_id, sessions=[] if seen is None else [seen.record.id])


routers = (
    Router(
        path="/api/admin",
        route_handlers=[get_admin_dashboard, list_admin_messages, list_admin_chats, reply_to_admin_chat],
        tags=["Single-session dashboard"],
    ),
    Router(
        path="/api/messages",
        route_handlers=[get_admin_message_status],
        tags=["Single-session dashboard"],
    ),
)
