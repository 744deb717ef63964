"""What a connection may cost before anybody is asked: each rule over a real socket, and the answer that tells it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from services.api.serving import Server, listening_socket
from services.api.web import connections
from services.api.web.addresses import networks_of
from services.api.web.connections import HEAD_BYTES, THIS_MACHINE, Crowd

BOUND_S = 30.0
GET = b"GET / HTTP/1.1\r\nHost: here\r\n"
OK = b"HTTP/1.1 200 OK"


async def whole(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body once it is here."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Wire:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, data: bytes) -> None:
        """Send this, as far as it is taken."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def rest(self) -> bytes:
        """What comes until the server closes."""
        async with asyncio.timeout(BOUND_S):
            return await self._reader.read()

    async def answer(self, body: bytes) -> bytes:
        """What comes up to these words."""
        async with asyncio.timeout(BOUND_S):
            return await self._reader.readuntil(body)

    def close(self) -> None:
        """Go away."""
        self._writer.close()


Connect = Callable[[], Awaitable[Wire]]


@pytest.fixture
def crowd() -> Crowd:
    return Crowd(most=3)


@pytest.fixture
async def connect(crowd: Crowd) -> AsyncIterator[Connect]:
    """A running server; makes connections to it."""
    wires: list[Wire] = []
    with listening_socket("127.0.0.1", 0) as listener:
        listener.listen()
        server = Server(whole, crowd=crowd, drain_s=5, end_waits=lambda: None)
        task = asyncio.create_task(server.serve(sockets=[listener]))

        async def made() -> Wire:
            wires.append(Wire(*await asyncio.open_connection(*listener.getsockname())))
            return wires[-1]

        yield made
        for wire in wires:
            wire.close()
        server.should_exit = True
        await asyncio.wait_for(task, BOUND_S)


def refusal_in(answer: bytes, status: int, error: str) -> str:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    told = json.loads(body)
    assert (told["success"], told["error"]) == (False, error)
    assert f"x-request-id: {told['requestId']}".encode() in head
    assert b"connection: close" in head
    return str(told["message"])


# --- HTTP itself -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_head", "says"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "no Host", id="none"),
        pytest.param(GET + b"Host: there\r\n\r\n", "more than one", id="two"),
        pytest.param(GET + b"host: here\r\n\r\n", "more than one", id="twice the same"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "its Host", id="words"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: here/x\r\n\r\n", "its Host", id="a path"),
        pytest.param(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "more than one", id="two in HTTP/1.0"),
        pytest.param(b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "HTTP", id="0.9"),
        pytest.param(b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", "HTTP", id="9.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP", id="a preface of HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: here\r\nNo colon\r\n\r\n", "HTTP", id="a header without a colon"),
    ],
)
async def test_what_is_not_http_is_told_so(connect: Connect, request_head: bytes, says: str) -> None:
    wire = await connect()
    await wire.say(request_head)
    assert says in refusal_in(await wire.rest(), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "head",
    [
        GET,
        b"GET / HTTP/1.0\r\n",
        b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n",
        b"GET / HTTP/1.1\r\nHost: \r\n",
        b"GET / HTTP/1.1\r\nHost: gateway_1.internal:80\r\n",
    ],
)
async def test_what_is_http_is_answered(connect: Connect, head: bytes) -> None:
    wire = await connect()
    await wire.say(head + b"Connection: close\r\n\r\n")
    assert (await wire.rest()).startswith(OK)


async def test_the_answer_is_in_the_language_that_was_asked_for(connect: Connect) -> None:
    wire = await connect()
    await wire.say(GET + b"Accept-Language: id\r\nHost: there\r\n\r\n")
    assert "Permintaan bukan HTTP yang sah" in refusal_in(await wire.rest(), 400, "MALFORMED_REQUEST")


# --- Headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(GET + b"X: " + b"a" * HEAD_BYTES + b"\r\n\r\n", id="one"),
        pytest.param(GET + b"X-Much: ab\r\n" * 8_000 + b"\r\n", id="many"),
        pytest.param(b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nHost: here\r\n\r\n", id="a path"),
        pytest.param(GET + b"X: " + b"a" * 40 * HEAD_BYTES, id="one that does not end"),
        pytest.param(GET + b"a" * 40 * HEAD_BYTES, id="a name that does not end"),
        pytest.param(b"GET /" + b"a" * 40 * HEAD_BYTES, id="a path that does not end"),
    ],
)
async def test_headers_have_a_limit_of_size(connect: Connect, head: bytes) -> None:
    wire = await connect()
    saying = asyncio.create_task(wire.say(head))
    with contextlib.suppress(ConnectionError):  # of what was on its way when the server closed
        answer = await wire.rest()
        assert "64 KB" in refusal_in(answer, 431, "HEADERS_TOO_LARGE")
    await saying


async def test_headers_just_below_the_limit_are_read_and_a_body_does_not_count(connect: Connect) -> None:
    wire = await connect()
    much = b"X: " + b"a" * (HEAD_BYTES - 100) + b"\r\n"
    body = b"b" * 3 * HEAD_BYTES
    request = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n" % len(body) + much + b"\r\n" + body
    for _ in range(3):
        await wire.say(request + request)  # pipelined
        for _ in range(2):
            assert OK in await wire.answer(str(len(body)).encode())


# --- Time ------------------------------------------------------------------------------------------------------------


async def test_headers_that_do_not_end_are_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    wire = await connect()
    await wire.say(GET + b"X-Slow: a")
    refusal_in(await wire.rest(), 408, "REQUEST_TIMEOUT")


async def test_a_connection_that_brings_nothing_is_closed(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 0.5)
    assert await (await connect()).rest() == b""


async def test_a_body_that_comes_too_slowly_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_WINDOW_S", 0.5)
    wire = await connect()
    await wire.say(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\nab")
    refusal_in(await wire.rest(), 408, "REQUEST_TIMEOUT")


async def test_a_body_that_is_slow_but_comes_is_read(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_WINDOW_S", 1.0)
    monkeypatch.setattr(connections, "BODY_BYTES_PER_S", 1)
    wire = await connect()
    await wire.say(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 40\r\nConnection: close\r\n\r\n")
    for _ in range(40):
        await wire.say(b"a")
        await asyncio.sleep(0.1)
    assert (await wire.rest()).startswith(OK)


async def test_who_waits_to_be_let_in_is_not_slow(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between requests uvicorn's own time counts; it is longer than what this waits."""
    for name in ("HEAD_S", "SILENT_S", "BODY_WINDOW_S"):
        monkeypatch.setattr(connections, name, 0.2)
    wire = await connect()
    for _ in range(2):
        await wire.say(GET + b"\r\n")
        assert OK in await wire.answer(b"\r\n\r\n0")
        await asyncio.sleep(2.5)


# --- How many --------------------------------------------------------------------------------------------------------


async def test_one_address_has_a_share_of_the_connections(connect: Connect) -> None:
    first, *_ = [await connect() for _ in range(3)]
    await first.say(GET + b"\r\n")
    assert OK in await first.answer(b"\r\n\r\n0")
    refusal_in(await (await connect()).rest(), 429, "TOO_MANY_CONNECTIONS")
    first.close()
    await asyncio.sleep(0.2)
    again = await connect()
    await again.say(GET + b"Connection: close\r\n\r\n")
    assert (await again.rest()).startswith(OK)


def test_a_crowd_counts_addresses_and_not_those_who_stand_before_many() -> None:
    crowd = Crowd(most=1, exempt=(*networks_of(("10.0.0.0/8",)), *THIS_MACHINE))
    assert [crowd.enter("203.0.113.7"), crowd.enter("203.0.113.7"), crowd.enter("203.0.113.8")] == [
        "203.0.113.7",
        None,
        "203.0.113.8",
    ]
    assert crowd.enter("::ffff:203.0.113.7") is None
    assert crowd.enter("2001:db8::1") == "2001:db8::/64"
    assert crowd.enter("2001:db8::2") is None
    crowd.leave("203.0.113.7")
    assert crowd.enter("203.0.113.7") == "203.0.113.7"
    assert [crowd.enter(each) for each in ("10.1.2.3", "10.1.2.3", "127.0.0.1", "::1", "")] == [""] * 5
