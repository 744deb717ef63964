"""Listeners of the live stream: over WebSocket and as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import websockets

from infra.local.customer import Stream
from tests.e2e.wire import BASE, FRAME_KEYS, Json, assert_times
from tests.processes import PATIENCE_S


def address(url: str, **query: str) -> str:
    """Where the stream is."""
    return f"{url.replace('http', 'ws', 1)}{BASE}/stream?{urlencode(query)}"


@contextlib.asynccontextmanager
async def listening(url: str, token: str | None, **query: str) -> AsyncGenerator[Stream]:
    """The stream while the block runs, with this token as its subprotocol."""
    offered = [websockets.Subprotocol("bearer"), websockets.Subprotocol(token)] if token else None
    async with websockets.connect(
        address(url, **query), subprotocols=offered, proxy=None, open_timeout=PATIENCE_S
    ) as socket:
        assert socket.subprotocol == ("bearer" if token else None)
        stream = Stream()
        reading = asyncio.create_task(stream.read(socket, assert_frame))
        try:
            yield stream
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading


async def refusal_of(url: str, token: str | None, **query: str) -> Json:
    """The body with which the handshake is refused."""
    try:
        async with listening(url, token, **query):
            raise AssertionError("the stream opened")
    except websockets.InvalidStatus as refused:
        body: Json = json.loads(refused.response.body)
        return body | {"status": refused.response.status_code}


def assert_frame(frame: Json) -> None:
    """Everything that a frame has, and its times as they are told."""
    if frame["type"] != "ping":
        assert set(frame) == FRAME_KEYS
        assert frame["v"] == 1
        assert_times(frame)


async def heard(stream: Stream, type_: str, **about: Any) -> Json:
    """The frame of this type whose data holds all this, past or to come."""

    def fits(data: Json) -> bool:
        return about.items() <= data.items()

    frame = await stream.wait_for(type_, fits, PATIENCE_S)
    assert frame is not None, f"no {type_} about {about} in {PATIENCE_S:.0f} s"
    return frame


def told_by(stream: Stream) -> list[Json]:
    """The frames, without pings."""
    return [frame for frame in stream.frames if frame["type"] != "ping"]


async def events(
    http: httpx.AsyncClient, until: Callable[[Json], bool], *, after: str | None = None, **query: str
) -> list[Json]:
    """The frames that come as server-sent events, without pings, up to and with the first that `until` accepts."""
    headers = {"Last-Event-ID": after} if after else {}
    frames: list[Json] = []
    async with (
        asyncio.timeout(PATIENCE_S),
        http.stream("GET", f"{BASE}/stream/sse", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == httpx.codes.OK
        assert answer.headers["content-type"].startswith("text/event-stream")
        cursor = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                cursor = value
            elif name == "data":
                frame = json.loads(value)
                assert frame["cursor"] == cursor
                assert_frame(frame)
                if frame["type"] != "ping":
                    frames.append(frame)
                if until(frame):
                    break
    return frames
