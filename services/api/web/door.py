"""The outermost layer of the edge: request ids, CORS, the access line, and an answer even when all else fails."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, cast

import msgspec
from litestar._parsers import parse_query_string  # its cache is nowhere public
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from libs.contracts.errors import ApiError
from libs.runtime import logs
from services.api.errors import CLIENT_GONE, CLOSED_BY_CLIENT, Refusal, envelope, unavailable
from services.api.languages import language_here
from services.api.requests import begin_request, headers_of_answer
from services.api.web.addresses import Network, client_of

METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
HEADERS = "Content-Type, Authorization, X-API-Key, Idempotency-Key, Prefer, X-Request-ID"
EXPOSED = ", ".join(
    (
        *("X-Request-ID", "Retry-After", "Idempotent-Replayed", "Content-Disposition"),
        *("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"),
    )
)
PREFLIGHT_S = "600"
QUIET = ("/livez", "/readyz")

LONG_QUERY = 4_096
"""Bytes. Litestar remembers the parameters of 1,024 queries: those of long ones would take 2 GB."""
_PUBLIC = re.compile(r"^(/api/services/whatsapp/chat/[^/]*/).*", re.DOTALL)
_KEY = re.compile(r"gf_[A-Za-z0-9_-]+")

log = logs.get()


def logged_path(path: str) -> str:
    """The path as logs may hold it: without keys, numbers and messages."""
    return _KEY.sub("gf_...", _PUBLIC.sub(r"\1...", path))[:300]


class Door:
    """ASGI wrapper around the whole edge."""

    def __init__(self, app: ASGIApp, *, origins: frozenset[str], proxies: tuple[Network, ...] = ()) -> None:
        self._app, self._origins, self._proxies = app, origins, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _NEEDED}
        request_id = begin_request(
            headers.get(b"x-request-id", ""),
            address=self._address_of(scope),
            path=scope["path"],
            accept_language=headers.get(b"accept-language", ""),
        )
        visit = _Visit(scope, send, headers, request_id, self._origins)
        if visit.is_options:
            await visit.answer(200, b'{"success":true,"data":null}')
        else:
            await self._serve(visit, scope, receive)
        visit.note()
        if len(scope.get("query_string", b"")) > LONG_QUERY:
            parse_query_string.cache_clear()

    def _address_of(self, scope: Scope) -> str:
        peer = scope.get("client")
        told = (value for name, value in scope["headers"] if name == b"x-forwarded-for") if self._proxies else ()
        return client_of(peer[0] if peer else "", b",".join(told).decode("latin-1"), self._proxies)

    async def _serve(self, visit: _Visit, scope: Scope, receive: Receive) -> None:
        try:
            await self._app(scope, _noting_departure(scope, receive), visit.send)
        except asyncio.CancelledError:  # the edge ends, and this took longer than its drain
            log.warning("a request was cut off by the end of the edge", path=logged_path(scope["path"]))
            await visit.refuse(unavailable() if visit.changes_nothing else Refusal(ApiError.INTERNAL))
            raise
        except Exception as error:
            if CLIENT_GONE in scope:
                log.info("the client went away", reason=type(error).__name__)
                visit.status = CLOSED_BY_CLIENT
                return
            log.exception("a request failed outside of its handler")
            await visit.refuse(Refusal(ApiError.INTERNAL))


def _noting_departure(scope: Scope, receive: Receive) -> Receive:
    """The same, leaving a note when the client goes away: what fails then is not worth an error."""

    async def noting() -> Any:
        message = await receive()
        if message["type"] == "http.disconnect":
            cast("dict[str, Any]", scope)[CLIENT_GONE] = True
        return message

    return noting


_NEEDED = frozenset((b"x-request-id", b"origin", b"accept-language"))


class _Visit:
    """One connection: what is added to its answer, and noted of it."""

    def __init__(
        self, scope: Scope, send: Send, headers: dict[bytes, str], request_id: str, origins: frozenset[str]
    ) -> None:
        self._scope, self._send, self._began = scope, send, time.perf_counter()
        self._added = [(b"x-request-id", request_id.encode())]
        self.status = 0
        origin = headers.get(b"origin", "")
        self.is_options = bool(scope["type"] == "http" and scope["method"] == "OPTIONS")
        if origin:
            self._added += _cors(origin, origins, self.is_options)

    async def send(self, message: Message) -> None:
        """Hand on, with our headers on the start of the answer."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            start = cast("dict[str, Any]", message)
            self.status = start["status"]
            start["headers"] = [*start.get("headers", ()), *headers_of_answer(), *self._added]
        elif message["type"] == "websocket.accept":
            self.status = 101
        try:
            await self._send(message)
        except OSError:  # ASGI 2.4: the server raises it where a client has gone away
            cast("dict[str, Any]", self._scope)[CLIENT_GONE] = True
            raise

    @property
    def changes_nothing(self) -> bool:
        """Whether the request may be repeated whatever has become of it."""
        return self._scope["type"] != "http" or self._scope["method"] in ("GET", "HEAD")

    async def refuse(self, refusal: Refusal) -> None:
        """The refusal, unless an answer has begun."""
        if self._scope["type"] == "http" and not self.status:
            body = msgspec.json.encode(envelope(refusal, language=language_here()))
            await self.answer(refusal.status, body, *refusal.headers.items())

    async def answer(self, status: int, body: bytes, *more: tuple[str, str]) -> None:
        """A whole JSON answer, with `more` headers."""
        named = (("content-type", "application/json"), ("content-length", str(len(body))), *more)
        headers = [(name.lower().encode(), value.encode()) for name, value in named]
        await self.send(cast("Message", {"type": "http.response.start", "status": status, "headers": headers}))
        await self.send(cast("Message", {"type": "http.response.body", "body": body, "more_body": False}))

    def note(self) -> None:
        """The access line."""
        scope: Any = self._scope
        path: str = scope["path"]
        if path in QUIET:
            return
        log.info(
            "request",
            method=scope.get("method", "WEBSOCKET"),
            path=logged_path(path),
            status=self.status,
            ms=round((time.perf_counter() - self._began) * 1000, 1),
        )


def _cors(origin: str, origins: frozenset[str], preflight: bool) -> list[tuple[bytes, bytes]]:
    if "*" in origins:
        added = [(b"access-control-allow-origin", b"*")]
    elif origin in origins:
        added = [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
        ]
    else:
        return [(b"vary", b"Origin")]
    added += [(b"access-control-expose-headers", EXPOSED.encode()), (b"vary", b"Origin")]
    if preflight:
        added += [
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-allow-headers", HEADERS.encode()),
            (b"access-control-max-age", PREFLIGHT_S.encode()),
        ]
    return added
