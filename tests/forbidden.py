"""An address that nobody is to connect to: it counts what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class ForbiddenListener:
    """Where it listens, and what came there."""

    def __init__(self) -> None:
        self.host, self.port = "", 0
        self.connections = 0
        self.read = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep the first bytes of a connection, and hang up."""
        self.connections += 1
        self.read += await reader.read(4096)
        writer.close()

    def assert_untouched(self) -> None:
        assert (self.connections, self.read) == (0, b"")


@asynccontextmanager
async def forbidden_listener(host: str = "127.0.0.1") -> AsyncGenerator[ForbiddenListener]:
    """A listener at a free port of this address."""
    listener = ForbiddenListener()
    server = await asyncio.start_server(listener.serve, host, 0)
    listener.host, listener.port = server.sockets[0].getsockname()[:2]
    try:
        yield listener
    finally:
        server.close()
