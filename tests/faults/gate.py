"""A gate between one replica and one server: closed, it holds every byte back, as a pulled cable does, or refuses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

MARK = "127.0.0.2"
"""Who comes through a gate comes from this address: so a server can tell the replica behind it from the others."""
CHUNK_BYTES = 1 << 16


class Gate:
    """Open at first. The bytes that it holds back arrive late, once it is opened again."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._ways: set[asyncio.Task[None]] = set()
        self._port = 0
        self.entries = 0
        """How many connections have begun."""

    @property
    def url(self) -> str:
        """The server's URL through the gate."""
        return self._target._replace(netloc=f"127.0.0.1:{self._port}").geturl()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._ways)

    def hold(self) -> None:
        """From now on nothing comes through, and nobody is told."""
        self._open.clear()

    def refuse(self) -> None:
        """Break every connection and refuse new ones."""
        self._refuses = True
        for way in self._ways:
            way.cancel()

    def let_pass(self) -> None:
        """Open it again: what was held back arrives."""
        self._refuses = False
        self._open.set()

    async def close(self) -> None:
        """End every connection."""
        self.refuse()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        return server

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        self.entries += 1
        way = asyncio.create_task(self._connect(reader, writer))
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            host, port = self._target.hostname, self._target.port
            there, back = await asyncio.open_connection(host, port, local_addr=(MARK, 0))
            try:
                async with asyncio.TaskGroup() as both:
                    ways = [both.create_task(self._pass(reader, back)), both.create_task(self._pass(there, writer))]
                    for way in ways:
                        way.add_done_callback(lambda _: [each.cancel() for each in ways])
            finally:
                back.transport.abort()
        except OSError:
            return  # the server is not there
        finally:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                await self._open.wait()
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def gate_to(url: str) -> AsyncGenerator[Gate]:
    """A gate before the server at `url`."""
    gate = Gate(url)
    server = await gate.listen()
    try:
        yield gate
    finally:
        server.close()
        await gate.close()
