"""A TCP proxy that loses what the server sends, and cuts connections: a network fault on loopback."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit


class Proxy:
    """Stands between clients and one server. While `losing` is set, nothing that the server sends comes through."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._writers: set[asyncio.StreamWriter] = set()
        self.losing = False
        self.lost_bytes = 0
        self.url = ""

    def cut(self) -> None:
        """Break every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection."""
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, server_writer}
        up = asyncio.ensure_future(self._pass(reader, server_writer, may_lose=False))
        down = asyncio.ensure_future(self._pass(server_reader, writer, may_lose=True))
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for each in (up, down):
            each.cancel()
        for each in (writer, server_writer):
            each.transport.abort()
            self._writers.discard(each)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, may_lose: bool) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if may_lose and self.losing:
                    self.lost_bytes += len(data)
                    continue
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def proxy_to(url: str) -> AsyncIterator[Proxy]:
    """A proxy before the server at `url`."""
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 4222)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"{parts.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
