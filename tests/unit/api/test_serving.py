"""The server's end, with connections in every state: each that brought its request by then is answered."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from services.api import serving
from services.api.serving import Server, listening_socket
from services.api.web.connections import Crowd

REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi"
BOUND_S = 30.0
DRAIN_S = 60
AMID_S = 0.3

LOOPS = (uvloop.new_event_loop, asyncio.new_event_loop)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers 200 with the body; to `/slow` after AMID_S."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    body = (await receive())["body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(AMID_S)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Stopped(Server):
    """Ends when it is told to, without going through its loop between `at_end` and its end."""

    def __init__(self, at_end: Callable[[], None]) -> None:
        super().__init__(echo, crowd=Crowd(most=1_000), drain_s=DRAIN_S, end_waits=lambda: None)
        self._at_end = at_end
        self.told = asyncio.Event()

    async def main_loop(self) -> None:
        await self.told.wait()
        self._at_end()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for some seconds is no client that brings nothing."""
    monkeypatch.setattr(serving, "LAST_REQUESTS_S", BOUND_S)


Client = Callable[[tuple[str, int], Stopped], Awaitable[None]]


def run(loop: Callable[[], asyncio.AbstractEventLoop], client: Client, at_end: Callable[[], None]) -> None:
    """Run a server and this client of it, which tells it to end."""

    async def both() -> None:
        with listening_socket("127.0.0.1", 0) as listener:
            listener.listen()
            server = Stopped(at_end)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                await client(listener.getsockname(), server)
                await asyncio.wait_for(task, BOUND_S)
            finally:
                for left in list(server.server_state.connections):  # uvloop would wait for them for ever
                    left.transport.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(both())


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The whole answer, until the end of the connection."""
    return await asyncio.wait_for(reader.read(), BOUND_S)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("loop", LOOPS)
def test_connections_that_nobody_has_accepted_yet_are_served(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    address: list[tuple[str, int]] = []
    waiting: list[socket.socket] = []

    def crowd() -> None:
        with socket.create_connection(address[0]) as gone:  # by a reset, before it is accepted
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for number in range(20):
            waiting.append(socket.create_connection(address[0]))
            if number % 2:
                waiting[-1].sendall(REQUEST)

    async def client(served: tuple[str, int], server: Stopped) -> None:
        address.append(served)
        server.told.set()
        while not waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for number, connection in enumerate(waiting):
            connection.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=connection)
            if not number % 2:
                writer.write(REQUEST)
            got = await answer(reader)
            assert got.startswith(b"HTTP/1.1 200"), f"connection {number}: {got!r}"
            writer.close()

    run(loop, client, crowd)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_may_bring_one_more_request(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def client(served: tuple[str, int], server: Stopped) -> None:
        opened = [await asyncio.open_connection(*served) for _ in range(3)]
        _, (kept, lasting), (slow, amid) = opened
        lasting.write(REQUEST)
        head = await kept.readuntil(b"\r\n\r\nhi")
        assert b"connection: close" not in head.lower()
        amid.write(REQUEST.replace(b"/ ", b"/slow ", 1))
        await asyncio.sleep(0.05)
        server.told.set()
        await asyncio.sleep(0.05)
        for reader, writer in opened[:2]:
            writer.write(REQUEST)
            got = await answer(reader)
            assert got.startswith(b"HTTP/1.1 200"), got
            assert b"connection: close" in got.lower()
        assert b"connection: close" in (await answer(slow)).lower()
        for _, writer in opened:
            writer.close()

    run(loop, client, lambda: None)


@pytest.mark.parametrize("loop", LOOPS)
def test_who_brings_nothing_is_not_waited_for(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with socket.socket() as connection:

        async def client(served: tuple[str, int], server: Stopped) -> None:
            connection.connect(served)
            await asyncio.sleep(0.05)
            server.told.set()

        run(loop, client, lambda: None)
