"""The message log: found, exported, read in full, sent again, cancelled, edited or taken back."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from libs.contracts.records import MessageRow
from services.api.access.callers import Caller
from services.api.chats import store_chats
from services.api.chats.subjects import subjects_of
from services.api.context import Edge
from services.api.dashboard.bubbles import TYPES, Bubble, bubble_of
from services.api.dashboard.lists import Filters, filters_of
from services.api.dashboard.reading import clock_of, contact_names, devices_to_choose, session_names
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.typed import day_typed
from services.api.dashboard.visitors import Visitor
from services.api.errors import Refusal, invalid
from services.api.messages import acting, store_messages
from services.api.messages.changing import QUEUED, RETRYABLE
from services.api.messages.filters import STATUSES, wanted_messages
from services.api.messages.finding import message_for
from services.api.messages.replies import chat_of
from services.api.messages.store_messages import Page, Wanted
from services.api.sentences import sentence
from services.api.sessions import store_sessions
from services.api.sessions.store_sessions import Seen
from services.api.times import iso, now

PLACE = "/whatsapp/messages"
SHOWN = 25
FIELDS = ("q", "status", "session", "direction", "type", "chat", "from", "to")
ALWAYS_SEEN = ("q", "status")
"""The filters that are there without opening the others."""
MOST_CURSOR = 400
NOTHING = Page(rows=[], next=None)


class MessageLog(msgspec.Struct, frozen=True, kw_only=True):
    """A page of it. `export` are the filters for the API; `problem` says what is wrong with them."""

    rows: list[MessageRow]
    devices: list[Seen]
    names: dict[str, str]
    """Of the rows' devices, deleted ones too."""
    subjects: dict[str, str]
    """Of the rows' groups, by JID."""
    contacts: dict[str, str]
    """The other side's own name, by message id."""
    filters: Filters
    export: str
    problem: str
    next: str | None
    is_first: bool
    clock: Clock

    @property
    def has_more_filters(self) -> bool:
        """Whether one is set that would be out of sight."""
        return any(value for name, value in self.filters.fields.items() if name not in ALWAYS_SEEN)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message, with what can still be done about it. `chat_id` is None where its chat is not kept any more."""

    bubble: Bubble
    device: str
    name: str | None
    """As the other side calls itself."""
    chat_id: str | None
    subjects: dict[str, str]
    clock: Clock
    may_retry: bool
    may_cancel: bool
    may_edit: bool
    may_revoke: bool


# --- The log ---------------------------------------------------------------------------------------------------------


@get(PLACE)
async def show_messages(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
) -> Response[str]:
    """The log by the filters of the address, newest first."""
    cursor = cursor_now(edge)
    filters = filters_of(request, *FIELDS)
    after = request.query_params.get("cursor", "")[:MOST_CURSOR]
    clock = await clock_of(edge, customer.customer_id, language_of_path(request.url.path))
    log = await _log_of(edge, customer, filters, after, clock)
    return pages_of(request).page(
        request,
        "messages.html",
        visitor=visitor,
        cursor=cursor,
        log=log,
        subjects=log.subjects,
        statuses=STATUSES,
        types=TYPES,
    )


async def _log_of(edge: Edge, caller: Caller, filters: Filters, after: str, clock: Clock) -> MessageLog:
    problem, export = "", dict(filters.fields)
    try:
        since = day_typed(filters["from"], "from", clock)
        until = day_typed(filters["to"], "to", clock, days=1)
        wanted = await _wanted(edge, caller, filters, since, until)
        export |= {name: iso(at) for name, at in (("from", since), ("to", until)) if at is not None}
    except Refusal as refusal:
        problem, wanted = sentence(refusal.code, clock.language, refusal.params), None
    page, devices = await asyncio.gather(_page_of(edge, wanted, after), devices_to_choose(edge.database, caller))
    return MessageLog(
        rows=page.rows,
        devices=devices,
        names=await session_names(edge.database, caller.customer_id, {row.session_id for row in page.rows}),
        subjects=await subjects_of(edge, caller.customer_id, (row.chat for row in page.rows)),
        contacts=await contact_names(edge.database, caller.customer_id, page.rows),
        filters=filters,
        export=urlencode({name: value for name, value in export.items() if value}),
        problem=problem,
        next=page.next,
        is_first=not after,
        clock=clock,
    )


async def _wanted(
    edge: Edge, caller: Caller, filters: Filters, since: datetime | None, until: datetime | None
) -> Wanted:
    direction = filters["direction"]
    return await wanted_messages(
        edge,
        caller,
        session=filters["session"] or None,
        status=filters["status"] or None,
        direction=direction if direction in ("in", "out") else None,
        kind=filters["type"] or None,
        chat=filters["chat"] or None,
        q=filters["q"] or None,
        since=since,
        until=until,
    )


async def _page_of(edge: Edge, wanted: Wanted | None, after: str) -> Page:
    """Nothing for filters that are wrong. Raises Refusal VALIDATION_FAILED."""
    if wanted is None:
        return NOTHING
    try:
        return await store_messages.messages_newest_first(edge.database, wanted, after=after or None, limit=SHOWN)
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error


# --- One message -----------------------------------------------------------------------------------------------------


@get(f"{PLACE}/{{message_id:str}}")
async def show_message(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    message_id: FromPath[str],
) -> Response[str]:
    """One message with its history, and what can still be done about it."""
    cursor = cursor_now(edge)
    row, clock = await asyncio.gather(
        message_for(edge, customer, message_id),
        clock_of(edge, customer.customer_id, language_of_path(request.url.path)),
    )
    message = await _message_of(edge, customer, row, clock)
    return pages_of(request).page(
        request, "message.html", visitor=visitor, cursor=cursor, message=message, subjects=message.subjects
    )


async def _message_of(edge: Edge, caller: Caller, row: MessageRow, clock: Clock) -> Message:
    device, names, contacts, chat, answered = await asyncio.gather(
        store_sessions.live_session(edge.database, caller.customer_id, row.session_id),
        session_names(edge.database, caller.customer_id, [row.session_id]),
        contact_names(edge.database, caller.customer_id, [row]),
        store_chats.chat_with(edge.database, caller.customer_id, row.session_id, chat_of(row)),
        store_messages.messages_known_as(edge.database, row.session_id, [row.reply_to] if row.reply_to else []),
    )
    may = "send" in caller.scopes and device is not None
    has_left = row.direction == "in" or row.status in acting.LEFT
    return Message(
        bubble=bubble_of(row, answers=next(iter(answered), None)),
        device=names.get(row.session_id, row.session_id),
        name=next(iter(contacts.values()), None),
        chat_id=chat.id if chat else None,
        subjects=await subjects_of(edge, caller.customer_id, [row.chat]),
        clock=clock,
        may_retry=may and row.direction == "out" and row.status in RETRYABLE,
        may_cancel=may and row.direction == "out" and row.status == QUEUED,
        may_edit=may and acting.why_not_editable(row, now()) is None,
        may_revoke=may and has_left and row.revoked_at is None and acting.why_not_deletable(row, now()) is None,
    )


handlers: list[ControllerRouterHandler] = [show_messages, show_message]
