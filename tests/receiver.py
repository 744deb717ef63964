"""An endpoint for webhooks, as a customer would run one: it keeps what it got, and answers as a test decides."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import msgspec
from aiohttp import web
from multidict import CIMultiDict
from standardwebhooks import Webhook

from infra.local.ports import LOOPBACK
from tests.processes import PATIENCE_S


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int
    """What was answered."""
    came_at: datetime

    @property
    def id(self) -> str:
        """`webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def frame(self) -> dict[str, Any]:
        """The body."""
        return msgspec.json.decode(self.body)


Answer = Callable[[Request], Awaitable[web.StreamResponse]]


async def taken(request: Request) -> web.StreamResponse:
    """200."""
    return web.Response(text="ok")


def refusing(status: int, **headers: str) -> Answer:
    """Always this status."""

    async def answer(request: Request) -> web.StreamResponse:
        return web.Response(status=status, text="no", headers=CIMultiDict(headers))

    return answer


def slow(seconds: float) -> Answer:
    """200, after a while."""

    async def answer(request: Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response(text="late")

    return answer


class Receiver:
    """Listens on a port of its own; `answers` by path, `taken` for the others."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._came: dict[str, list[Request]] = defaultdict(list)
        self._taken: dict[str, list[Request]] = defaultdict(list)
        self.answers: dict[str, Answer] = {}
        self.origin = ""
        self.came = asyncio.Event()

    def url(self, path: str = "/") -> str:
        """The address of a path."""
        return self.origin + path

    def of(self, path: str) -> list[Request]:
        """What came to this path, in order."""
        return list(self._came[path])

    def by_session(self, path: str = "/") -> dict[str | None, list[int]]:
        """The sequences of the frames that were taken, by session, each the first time it was."""
        seen: set[str] = set()
        found: dict[str | None, list[int]] = defaultdict(list)
        for request in self._taken[path]:
            if request.id not in seen:
                seen.add(request.id)
                frame = request.frame
                found[frame["sessionId"]].append(int(frame["cursor"].partition("-")[2]))
        return dict(found)

    def verify(self, secret: str, path: str = "/") -> None:
        """Every request was signed with this secret, and fresh when it came. Raises WebhookVerificationError."""
        for request in self.of(path):
            with patch("standardwebhooks.webhooks.datetime", wraps=datetime) as clock:
                clock.now.return_value = request.came_at
                Webhook(secret).verify(request.body, request.headers)

    async def until(self, holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
        """Wait until this holds, looking at each request that comes."""
        async with asyncio.timeout(within_s):
            while not holds():
                self.came.clear()
                await self.came.wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        came = Request(path=request.path, headers=dict(request.headers), body=body, status=0, came_at=datetime.now(UTC))
        response: web.StreamResponse | None = None
        try:
            response = await self.answers.get(request.path, taken)(came)
        finally:
            status = response.status if response is not None else 0
            kept = msgspec.structs.replace(came, headers=_lower(came.headers), status=status)
            self.requests.append(kept)
            self._came[kept.path].append(kept)
            if 200 <= status < 300:
                self._taken[kept.path].append(kept)
            self.came.set()
        return response


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run one until the block ends."""
    made = Receiver()
    app = web.Application(client_max_size=4 << 20)
    app.router.add_route("*", "/{tail:.*}", made._handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    port = runner.addresses[0][1]
    made.origin = f"http://{LOOPBACK}:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()
