"""The live stream: WebSocket, its twin as server-sent events, and the one-time ticket that opens either."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from litestar import Request, Router, WebSocket, get, post, websocket
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.response import Stream

from libs.contracts.errors import ApiError
from libs.runtime import logs
from libs.runtime.tasks import end
from services.api.access.admission import admit_request
from services.api.access.auth import session_of
from services.api.access.callers import Caller
from services.api.access.credentials import bearer_of, given_key_of
from services.api.access.gate import caller_of_request, found_behind
from services.api.access.keys import KEY_PREFIX
from services.api.access.rules import RULES
from services.api.access.tickets import caller_of_ticket, issue_ticket
from services.api.context import Edge, edge_of
from services.api.errors import Refusal, envelope, invalid, refusal_of
from services.api.languages import language_for
from services.api.live.entitlement import UNAUTHORIZED, Entitlement
from services.api.live.filters import Cursor, Filter, cursor_of, patterns_of
from services.api.live.hub import RESTARTED, TOO_SLOW, Listener, LiveFrame
from services.api.live.listening import Listening, Ping, Told

QUEUED_FRAMES = 1_000
CLOSE_TIMEOUT_S = 10.0
SUBPROTOCOL = "bearer"
INTERNAL_FAULT = 1011
LAST_WORD_S = 0.01
STUCK_CHECK_S, STUCK_CHECKS = 6.0, 2
"""A socket that takes nothing this long, while frames wait for it, is too slow: before its unanswered pings end it
without a cursor. Two looks, so that a pause of this process itself is not taken for one of the client's."""
REASONS = {TOO_SLOW: "too slow", RESTARTED: "server restart", UNAUTHORIZED: "the credential has ended"}

Connection = ASGIConnection[Any, Any, Any, Any]
log = logs.get()


class TicketView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A one-time ticket; `expires_in` in seconds."""

    ticket: str
    expires_in: int


class TicketAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a request for a ticket."""

    success: bool = True
    data: TicketView
    ticket: str
    expires_in: int


@post("/stream/ticket", status_code=200, operation_id="create_stream_ticket")
async def create_ticket(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> TicketAnswer:
    """A ticket opens one stream, within a minute: for browsers, which cannot send headers with a WebSocket."""
    caller.require("read")
    ticket, life_s = await issue_ticket(edge, caller)
    return TicketAnswer(data=TicketView(ticket=ticket, expires_in=life_s), ticket=ticket, expires_in=life_s)


# --- Who listens, and to what ----------------------------------------------------------------------------------------


async def caller_of_socket(edge: Edge, socket: WebSocket[Any, Any, Any]) -> Caller:
    """Whoever has the ticket, else the token after `bearer` in the subprotocols, else that in a header.

    Raises Refusal 401 or 403.
    """
    edge.require_bus()
    if ticket := socket.query_params.get("ticket"):
        return await _caller_with(edge, ticket)
    credential = _credential_of(socket)
    found = await found_behind(edge, credential)
    if isinstance(found, Caller):
        await admit_request(edge, found)
        return found
    if found is not None:
        raise Refusal(ApiError.FORBIDDEN, reason="a platform user opens a stream with a ticket")
    raise Refusal(ApiError.INVALID_API_KEY if credential.startswith(KEY_PREFIX) else ApiError.INVALID_TOKEN)


def _credential_of(connection: Connection) -> str:
    offered: list[str] = connection.scope.get("subprotocols", [])
    if len(offered) > 1 and offered[0].lower() == SUBPROTOCOL:
        return offered[1]
    credential = bearer_of(connection) or given_key_of(connection)
    if not credential:
        raise Refusal(ApiError.UNAUTHORIZED)
    return credential


async def _caller_with(edge: Edge, ticket: str) -> Caller:
    caller = await caller_of_ticket(edge, ticket)
    if caller is None:
        raise Refusal(ApiError.INVALID_TOKEN)
    return caller


async def listening_of(edge: Edge, caller: Caller, connection: Connection, since: str) -> tuple[Listening, Listener]:
    """The connection's place in the stream, by `session`, `events` and its cursor. Raises Refusal, BusDown."""
    caller.require("read")
    patterns = patterns_of(connection.query_params.get("events", ""))
    if patterns is None:
        raise invalid("events", "it lists up to 100 types such as message.sent or session.*, separated by commas")
    sessions = await _sessions_of(edge, caller, connection.query_params.get("session", ""))
    cursor: Cursor | None = cursor_of(since) if since else None
    if since and cursor is None:
        raise invalid("since", "it is not a cursor of this stream")
    chosen = Filter(customer_id=caller.customer_id, sessions=sessions, patterns=patterns)
    listener = Listener(chosen, most=QUEUED_FRAMES)
    listening = Listening(edge.hub, edge.bus, listener)
    await listening.begin(cursor)
    listener.told = listening.cursor
    return listening, listener


async def _sessions_of(edge: Edge, caller: Caller, text: str) -> frozenset[str] | None:
    """The ids of the sessions asked for; without a filter those that the caller may see."""
    named = [part.strip() for part in text.split(",") if part.strip()]
    if not named:
        return None if caller.session_ids is None else frozenset(caller.session_ids)
    ids = [(await session_of(edge, caller.customer_id, name)).id for name in named]
    if not all(caller.may_use(session_id) for session_id in ids):
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return frozenset(ids)


async def text_of(edge: Edge, caller: Caller, item: Told) -> str:
    """The item as it is sent to this caller."""
    if isinstance(item, LiveFrame):
        if not caller.may_link:
            return item.text_without_codes
        await item.paint(edge.painter)
    return item.text


# --- WebSocket -------------------------------------------------------------------------------------------------------


@websocket("/stream")
async def stream(socket: WebSocket[Any, Any, Any]) -> None:
    """Push frames until the client goes away. Refused before the handshake with the usual status and JSON."""
    edge = edge_of(socket)
    try:
        caller = await caller_of_socket(edge, socket)
        listening, listener = await listening_of(edge, caller, socket, socket.query_params.get("since", ""))
    except Exception as error:
        await _refuse(socket, refusal_of(error, method="GET", body_bytes=edge.settings.body_bytes))
        return
    offered: list[str] = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocols=SUBPROTOCOL if SUBPROTOCOL in offered else None)
    writer = asyncio.create_task(_write(edge, socket, caller, listening, listener))
    reader = asyncio.create_task(_drain(socket))
    watch = asyncio.create_task(_end_when_stuck(listener))
    listener.on_end = lambda: _cancel(writer)
    await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
    await end(writer, reader, watch)
    fault = None if writer.cancelled() else writer.exception()
    if not reader.cancelled():
        return  # the client has gone away by itself
    if fault is not None:
        log.warning("a stream broke off", reason=type(fault).__name__)
    await _close(socket, listener.ended or INTERNAL_FAULT, listener.told)


async def _end_when_stuck(listener: Listener) -> None:
    stuck = 0
    while stuck < STUCK_CHECKS:
        before = listener.told
        await asyncio.sleep(STUCK_CHECK_S)
        stuck = stuck + 1 if listener.waiting and listener.told == before else 0
    listener.end(TOO_SLOW)


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


async def _write(
    edge: Edge, socket: WebSocket[Any, Any, Any], caller: Caller, listening: Listening, listener: Listener
) -> None:
    async with contextlib.aclosing(_allowed(Entitlement(edge, caller, listener), listening, listener)) as told:
        async for item in told:
            await socket.send_text(await text_of(edge, caller, item))
            listener.told = item.cursor


async def _allowed(entitlement: Entitlement, listening: Listening, listener: Listener) -> AsyncGenerator[Told, None]:
    """The frames of the stream, as long as the credential behind it is valid."""
    async with entitlement.watched(), contextlib.aclosing(listening.told()) as told:
        async for item in told:
            if isinstance(item, Ping):
                await entitlement.ask()
            if listener.ended is not None:
                return
            yield item


async def _drain(socket: WebSocket[Any, Any, Any]) -> None:
    """What a client says is read and ignored; ends when it goes away."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return


async def _close(socket: WebSocket[Any, Any, Any], code: int, cursor: Cursor | None) -> None:
    reason = f"{REASONS.get(code, 'closed')}; cursor {cursor}"
    with contextlib.suppress(Exception):  # the client may be gone, or not read at all
        await asyncio.wait_for(socket.close(code=code, reason=reason), CLOSE_TIMEOUT_S)


async def _refuse(socket: WebSocket[Any, Any, Any], refusal: Refusal) -> None:
    language = language_for(socket.scope["path"], socket.headers.get("accept-language", ""))
    body = msgspec.json.encode(envelope(refusal, language=language))
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
    await socket.receive()
    if "websocket.http.response" not in (socket.scope.get("extensions") or {}):
        await socket.close(code=4000 + refusal.status % 1000, reason=refusal.code.value)
        return
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    start: Any = {"type": "websocket.http.response.start", "status": refusal.status, "headers": raw}
    await socket.send(start)
    rest: Any = {"type": "websocket.http.response.body", "body": body, "more_body": False}
    await socket.send(rest)
    await asyncio.sleep(LAST_WORD_S)  # until the server has noted the end: it takes a refusal for a fault otherwise


# --- Server-sent events ----------------------------------------------------------------------------------------------


@get("/stream/sse", operation_id="stream_events")
async def stream_events(request: Request[Any, Any, Any], edge: NamedDependency[Edge]) -> Stream:
    """Each event's data is a frame and its id the frame's cursor; a reconnect sends the last one by itself."""
    ticket = request.query_params.get("ticket", "")
    caller = await (_caller_with(edge, ticket) if ticket else caller_of_request(edge, request, RULES["stream_events"]))
    since = request.headers.get("last-event-id", "") or request.query_params.get("since", "")
    listening, listener = await listening_of(edge, caller, request, since)
    return Stream(
        _events(edge, caller, listening, listener),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(edge: Edge, caller: Caller, listening: Listening, listener: Listener) -> AsyncGenerator[str, None]:
    yield ": open\n\n"
    async with contextlib.aclosing(_allowed(Entitlement(edge, caller, listener), listening, listener)) as told:
        async for item in told:
            yield f"id: {item.cursor}\ndata: {await text_of(edge, caller, item)}\n\n"
            listener.told = item.cursor
    if listener.ended is not None:
        yield f'event: close\ndata: {{"code":{listener.ended},"cursor":"{listener.told}"}}\n\n'


router = Router(
    path="/api/customer/whatsapp", route_handlers=[create_ticket, stream, stream_events], tags=["Live stream"]
)
