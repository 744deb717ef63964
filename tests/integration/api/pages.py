"""A web server of the test's own, on loopback: pages by path, and how often each was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Pages(msgspec.Struct, kw_only=True, eq=False):
    """The server; `asked` are the heads of the requests that came."""

    url: str
    answers: dict[str, Answer] = {}
    asked: list[str] = []

    def page(self, path: str, body: bytes, *, kind: str = "application/octet-stream", status: int = 200) -> str:
        """Have this path answer these bytes; returns its address."""
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.raw(path, head.encode() + body)

    def redirect(self, path: str, target: str) -> str:
        """Have this path lead elsewhere; returns its address."""
        return self.raw(path, f"HTTP/1.1 302 X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())

    def raw(self, path: str, answer: bytes, *, then_hang: bool = False) -> str:
        """Have this path answer exactly this; `then_hang` leaves the connection open after it."""

        async def write(writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()
            if then_hang:
                await asyncio.Event().wait()

        return self.by(path, write)

    def by(self, path: str, answer: Answer) -> str:
        """Have this path answered by a function; returns its address."""
        self.answers[path] = answer
        return self.url + path


@asynccontextmanager
async def serving() -> AsyncIterator[Pages]:
    """A server while the block runs."""
    pages = Pages(url="")
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        pages.asked.append(head)
        answer = pages.answers.get(head.split(" ")[1].partition("?")[0])
        if answer is not None:
            await answer(writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            running.discard(task)
            writer.close()
            _ = task.cancelled() or task.exception()  # the client may have gone away

        task = asyncio.create_task(serve(reader, writer))
        running.add(task)
        task.add_done_callback(ended)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    pages.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield pages
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # the transports close in the loop's next turn
