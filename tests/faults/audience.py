"""A WebSocket client as the documentation asks for it: it reconnects with its last cursor, and keeps every frame."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import websockets

from tests.processes import PATIENCE_S, eventually

STREAM = "/api/customer/whatsapp/stream"
PAUSE_S = 0.2


class Audience:
    """Follows the live stream of a customer over any number of broken connections."""

    def __init__(self, url: str, key: str) -> None:
        self._address = url.replace("http", "ws", 1) + STREAM
        self._key = key
        self.frames: list[dict[str, Any]] = []
        self.connections = 0
        self._listening = asyncio.Event()
        self._cursor: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        await asyncio.wait_for(self._listening.wait(), PATIENCE_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException, TimeoutError):
                await self._connected()
            await asyncio.sleep(PAUSE_S)

    async def _connected(self) -> None:
        since = f"?since={quote(self._cursor)}" if self._cursor else ""
        subprotocols = [websockets.Subprotocol("bearer"), websockets.Subprotocol(self._key)]
        async with websockets.connect(
            self._address + since, subprotocols=subprotocols, proxy=None, open_timeout=5
        ) as socket:
            self.connections += 1
            async for text in socket:
                frame = json.loads(text)
                self._cursor = frame["cursor"]
                self._listening.set()
                if frame["type"] != "ping":
                    self.frames.append(frame)

    def statuses(self) -> dict[str, list[str]]:
        """The statuses of each message of ours, in the order in which they came."""
        told: dict[str, list[str]] = {}
        for frame in self.frames:
            if frame["type"].startswith("message.") and frame["data"]["direction"] == "out":
                told.setdefault(frame["data"]["messageId"], []).append(frame["data"]["status"])
        return told

    async def all_told(self, messages: Iterable[str], within_s: float = PATIENCE_S) -> None:
        """Wait until it has heard of each of these messages that it was delivered."""
        wanted = set(messages)

        async def told() -> bool:
            known = self.statuses()
            return all("delivered" in known.get(message, ()) for message in wanted)

        await eventually(told, within_s=within_s, every_s=0.5)

    def received(self) -> dict[str, dict[str, Any]]:
        """What came in, by WhatsApp id."""
        return {frame["data"]["waId"]: frame for frame in self.frames if frame["type"] == "message.received"}

    def assert_flawless(self) -> None:
        """Each frame once, cursors strictly rising, no gap, and every message's statuses rising."""
        ids = [frame["id"] for frame in self.frames]
        assert len(ids) == len(set(ids)), f"{len(ids) - len(set(ids))} frames came twice"
        assert not [frame for frame in self.frames if frame["type"] == "gap"]
        cursors = [sequence_of(frame["cursor"]) for frame in self.frames]
        assert cursors == sorted(set(cursors)), "cursors do not strictly rise"
        order = ("queued", "sending", "sent", "delivered", "read", "played")
        for message, statuses in self.statuses().items():
            ranks = [order.index(status) for status in statuses]
            assert ranks == sorted(set(ranks)), f"{message}: {statuses}"


def sequence_of(cursor: str) -> int:
    """The sequence in a cursor `<stream created>-<sequence>`."""
    return int(cursor.rpartition("-")[2])
