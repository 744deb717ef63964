"""The chats: with whom the devices write, what was said, and answers; live, read and unread."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from libs.contracts.records import ChatRow, MessageRow
from services.api.access.callers import Caller
from services.api.chats import store_chats
from services.api.chats.addresses import addresses_shown
from services.api.chats.finding import chat_for
from services.api.chats.seeking import sought_chats
from services.api.chats.store_chats import ChatsWanted
from services.api.chats.subjects import groups_sought, learn_subject, subjects_listed, subjects_of
from services.api.context import Edge
from services.api.dashboard.bubbles import Bubble, bubbles_of
from services.api.dashboard.lists import Filters, filters_of
from services.api.dashboard.reading import clock_of, devices_to_choose, session_names
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.errors import invalid
from services.api.messages import store_messages
from services.api.messages.filters import sessions_asked
from services.api.messages.jids import is_group
from services.api.messages.store_messages import Wanted
from services.api.sessions import store_sessions
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import CONNECTED

PLACE = "/whatsapp/chats"
LISTED = 30
SHOWN = 40
FIELDS = ("q", "session", "unread")
EMOJIS = ("👍", "❤️", "😂", "🙏")

Page = Annotated[str, QueryParameter(name="page", max_length=400)]
Before = Annotated[str, QueryParameter(name="before", max_length=400)]


class ChatList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of chats."""

    rows: list[ChatRow]
    devices: list[Seen]
    names: dict[str, str]
    """Of the rows' devices, deleted ones too."""
    subjects: dict[str, str]
    """Of the rows' groups, by JID."""
    filters: Filters
    next: str | None
    page: str
    clock: Clock


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """A page of one chat, oldest first. `device` is None for a deleted one; `older` is where the page before begins."""

    row: ChatRow
    bubbles: list[Bubble]
    older: str | None
    is_newest: bool
    device: Seen | None
    subjects: dict[str, str]
    clock: Clock

    @property
    def is_connected(self) -> bool:
        """Whether what is written now leaves now."""
        return self.device is not None and self.device.status in CONNECTED


# --- The page --------------------------------------------------------------------------------------------------------


@get(PLACE)
async def show_chats(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    page: Page = "",
) -> Response[str]:
    """The chats by the filters of the address, the one that moved last first."""
    cursor = cursor_now(edge)
    chats = await _list_of(edge, request, customer, page)
    return pages_of(request).page(
        request, "chats.html", visitor=visitor, cursor=cursor, chats=chats, thread=None, subjects=chats.subjects
    )


@get(f"{PLACE}/list")
async def show_list(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    customer: NamedDependency[Caller],
    chat: Annotated[str, QueryParameter(max_length=64)] = "",
) -> Response[str]:
    """The newest chats, for a page that is open; `chat` is the one that it shows."""
    chats = await _list_of(edge, request, customer, "")
    return pages_of(request).page(request, "chats_list.html", chats=chats, shown=chat, subjects=chats.subjects)


@get(f"{PLACE}/{{chat_id:str}}")
async def show_chat(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    chat_id: FromPath[str],
    page: Page = "",
    before: Before = "",
) -> Response[str]:
    """One chat beside the others."""
    cursor = cursor_now(edge)
    chats, thread = await asyncio.gather(
        _list_of(edge, request, customer, page), _thread_of(edge, request, customer, chat_id, before, is_opened=True)
    )
    return pages_of(request).page(
        request,
        "chats.html",
        visitor=visitor,
        cursor=cursor,
        chats=chats,
        thread=thread,
        subjects=chats.subjects | thread.subjects,
        may_send="send" in customer.scopes,
        emojis=EMOJIS,
    )


@get(f"{PLACE}/{{chat_id:str}}/thread")
async def show_thread(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    customer: NamedDependency[Caller],
    chat_id: FromPath[str],
) -> Response[str]:
    """What is newest in one chat, for a page that is open."""
    thread = await _thread_of(edge, request, customer, chat_id, "")
    return pages_of(request).page(
        request,
        "chats_thread.html",
        thread=thread,
        subjects=thread.subjects,
        may_send="send" in customer.scopes,
        emojis=EMOJIS,
    )


# --- What it shows ---------------------------------------------------------------------------------------------------


async def _list_of(edge: Edge, request: Request[Any, Any, Any], caller: Caller, page: str) -> ChatList:
    filters = filters_of(request, *FIELDS)
    sought = sought_chats(filters["q"], edge.settings.default_country)
    wanted = ChatsWanted(
        customer_id=caller.customer_id,
        sessions=await sessions_asked(edge, caller, filters["session"] or None),
        is_read=False if filters["unread"] else None,
        sought=sought,
        groups=await groups_sought(edge, caller.customer_id, sought),
    )
    try:
        found, devices, clock = await asyncio.gather(
            store_chats.chats_newest_first(edge.database, wanted, after=page or None, limit=LISTED),
            devices_to_choose(edge.database, caller),
            clock_of(edge, caller.customer_id, language_of_path(request.url.path)),
        )
    except ValueError as error:
        raise invalid("page", "it is not a page of this list") from error
    return ChatList(
        rows=found.rows,
        devices=devices,
        names=await session_names(edge.database, caller.customer_id, {row.session_id for row in found.rows}),
        subjects=await subjects_listed(edge, caller.customer_id, found.rows),
        filters=filters,
        next=found.next,
        page=page,
        clock=clock,
    )


async def _thread_of(
    edge: Edge, request: Request[Any, Any, Any], caller: Caller, chat_id: str, before: str, *, is_opened: bool = False
) -> Thread:
    row = await chat_for(edge, caller, chat_id)
    try:
        found, device, clock = await asyncio.gather(
            store_messages.messages_newest_first(edge.database, in_chat(row), after=before or None, limit=SHOWN),
            store_sessions.seen_session(edge.database, caller.customer_id, row.session_id),
            clock_of(edge, caller.customer_id, language_of_path(request.url.path)),
        )
    except ValueError as error:
        raise invalid("before", "it is no place in this chat") from error
    named = {each.reply_to for each in found.rows if each.reply_to}
    answered = await store_messages.messages_known_as(edge.database, row.session_id, named)
    return Thread(
        row=row,
        bubbles=bubbles_of(found.rows, [each for each in answered if _is_in(row, each)]),
        older=found.next,
        is_newest=not before,
        device=device,
        subjects=await _subject(edge, row, device if is_opened else None),
        clock=clock,
    )


async def _subject(edge: Edge, row: ChatRow, device: Seen | None) -> dict[str, str]:
    """What the group is called, which the device is asked for when it is not known; nothing for a person."""
    if is_group(row.chat_jid) and device is not None and device.status in CONNECTED:
        await learn_subject(edge, device.record, row.chat_jid)
    return await subjects_of(edge, row.customer_id, [row.chat_jid])


def in_chat(row: ChatRow) -> Wanted:
    """The messages of a chat, under each address under which it is known."""
    first, *further = addresses_shown(row)
    return Wanted(customer_id=row.customer_id, sessions=(row.session_id,), chat=first, chat_aliases=tuple(further))


def _is_in(row: ChatRow, message: MessageRow) -> bool:
    """WhatsApp ids are their senders' own choice: an answer may name a message of another chat."""
    return f"{row.session_id}/{message.chat_jid}" in row.keys


handlers: list[ControllerRouterHandler] = [show_chats, show_list, show_chat, show_thread]
