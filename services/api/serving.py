"""Serves the application until SIGTERM, and then ends without breaking a request that is on its way."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, cast

import uvicorn
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from services.api.web.connections import Connection, Crowd, judge_all

PING_S, PONG_S = 20.0, 20.0
IDLE_S = 75
"""Longer than proxies keep an idle connection: a request that meets its closing on the way is lost."""
LAST_REQUESTS_S = 0.5
"""How long the connections of an edge that ends may bring one more request."""
FRAME_BYTES = 64 * 1024
TICKS_PER_S = 10


class Server(uvicorn.Server):
    """uvicorn, with an end at which no request is lost.

    uvicorn closes the listener, at which Linux resets the connections that nobody has accepted yet (and does not hand
    them to the other sockets of a port that is shared, see `tcp_migrate_req` in its ip-sysctl.rst); and it closes each
    connection that is not amid a request, also one whose first is on its way. Here those that wait are accepted before
    the listener closes, and for LAST_REQUESTS_S each open connection may bring a request, whose answer says
    `Connection: close`.
    """

    def __init__(self, app: ASGIApp, *, crowd: Crowd, drain_s: int, end_waits: Callable[[], None]) -> None:
        """`end_waits` asks the connections to end that would never do so themselves; the rest has `drain_s`."""
        self._end_waits = end_waits
        self._ending = False
        super().__init__(
            uvicorn.Config(
                self._parting(app),
                http=cast("type[asyncio.Protocol]", partial(Connection, crowd=crowd)),
                loop="uvloop",
                ws="websockets-sansio",
                ws_max_size=FRAME_BYTES,
                ws_per_message_deflate=False,  # each frame would be compressed anew for each of a thousand sockets
                ws_ping_interval=PING_S,
                ws_ping_timeout=PONG_S,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=IDLE_S,
                proxy_headers=False,  # it would believe whoever connects from this machine; the door asks our setting
                lifespan="on",
                timeout_graceful_shutdown=drain_s,
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's own ten times a second; connections are judged once."""
        if counter % TICKS_PER_S == 0:
            judge_all(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain."""
        self._ending = True
        accepted = self._close_listeners(sockets or [])
        self._end_waits()
        for connection in accepted:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_REQUESTS_S):
                while self.server_state.connections:  # noqa: ASYNC110 - uvicorn tells nobody when the last has gone
                    await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    def _close_listeners(self, listeners: list[socket.socket]) -> list[socket.socket]:
        """The connections that waited. Nothing else may run in between: whoever connected meanwhile would be reset."""
        accepted: list[socket.socket] = []
        for listener in listeners:
            with contextlib.suppress(OSError):  # nobody waits any more, or we have too many files open
                while True:
                    accepted.append(listener.accept()[0])
        for server in self.servers:
            server.close()
        for connection in accepted:
            connection.setblocking(False)
        return accepted

    def _protocol(self) -> asyncio.Protocol:
        made = cast("type[Any]", self.config.http_protocol_class)
        return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _parting(self, app: ASGIApp) -> ASGIApp:
        """The same; once the server ends, an answer also ends its connection."""

        async def parting(scope: Scope, receive: Receive, send: Send) -> None:
            async def last(message: Message) -> None:
                if self._ending and message["type"] == "http.response.start":
                    start = cast("dict[str, Any]", message)
                    start["headers"] = [*start.get("headers", ()), (b"connection", b"close")]
                await send(message)

            await app(scope, receive, last)

        return parting

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """SIGTERM and SIGINT end the server, and the process ends with 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that shares its port with the other replicas of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.setblocking(False)
    return listener
