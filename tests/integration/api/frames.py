"""Plays status, which publishes frames to UPDATES, and a client that listens to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from websockets.asyncio.client import ClientConnection, connect

from libs.contracts.ids import new_message_id, update_subject, whatsapp_id
from libs.contracts.times import iso
from libs.contracts.updates import Frame, MessageError, MessageView, SessionView
from tests.integration.api.edges import BASE, BOUND_S, Site

SHARDS = 32


def message_view(session_id: str, message_id: str, status: str, **more: Any) -> MessageView:
    """A message object as status writes it."""
    values: dict[str, Any] = {
        "message_id": message_id,
        "wa_id": whatsapp_id(message_id),
        "session_id": session_id,
        "direction": "out",
        "type": "text",
        "status": status,
        "to": "6281234567890",
        "from_": None,
        "chat": "6281234567890",
        "text": "hello",
        "caption": None,
        "file_name": None,
        "media": None,
        "waiting_for": None,
        "resume_at": None,
        "error": None,
        "attempts": 1,
        "created_at": iso(datetime.now(UTC)),
        "sent_at": None,
        "delivered_at": None,
        "read_at": None,
    }
    return MessageView(**{**values, **more})


class Publisher:
    """Publishes frames for one customer, numbered from 1."""

    def __init__(self, client: Client, customer_id: str) -> None:
        self._client, self.customer_id = client, customer_id
        self._jetstream = client.jetstream(timeout=60)  # frames wait for one another, and each for the disk
        self.count = 0

    async def message(
        self, session_id: str, status: str = "sent", *, message_id: str | None = None, code: str | None = None
    ) -> int:
        """One `message.*` frame; returns its stream sequence."""
        error = MessageError(code=code, message="It did not work.") if code else None
        view = message_view(session_id, message_id or new_message_id(), status, error=error)
        return await self._publish(session_id, f"message.{status}", view)

    async def session(self, session_id: str, update: str, **data: Any) -> int:
        """One `session.*` frame; returns its stream sequence."""
        return await self._publish(session_id, f"session.{update}", SessionView(**{"status": update, **data}))

    async def _publish(self, session_id: str, frame_type: str, data: Any) -> int:
        self.count += 1
        frame = Frame(
            id=f"frm_{self.count}",
            type=frame_type,
            session_id=session_id,
            occurred_at=iso(datetime.now(UTC)),
            data=data,
        )
        subject = update_subject(self.customer_id, session_id, frame_type, SHARDS)
        acked = await self._jetstream.publish(
            subject, msgspec.json.encode(frame), headers={"Fact-Seq": str(self.count)}
        )
        return acked.seq


@asynccontextmanager
async def publisher(url: str, customer_id: str) -> AsyncIterator[Publisher]:
    """A publisher with a connection of its own."""
    client = await nats.connect(url)
    try:
        yield Publisher(client, customer_id)
    finally:
        await client.close()


def socket_url(site: Site, query: str = "") -> str:
    """Where the stream of a site is."""
    return f"ws{site.url.removeprefix('http')}{BASE}/stream{query}"


@asynccontextmanager
async def listening(site: Site, query: str = "", **more: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket with the customer's key in its subprotocols."""
    protocols = ["bearer", site.account.api_key]
    options: dict[str, Any] = {"subprotocols": protocols, "proxy": None, "compression": None, "max_queue": None, **more}
    async with connect(socket_url(site, query), **options) as socket:
        yield socket


async def next_frame(socket: ClientConnection) -> dict[str, Any]:
    """The next frame that is no ping."""
    async with asyncio.timeout(BOUND_S):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] != "ping":
                return frame


async def next_frames(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    """So many frames."""
    return [await next_frame(socket) for _ in range(count)]


def position(frame: dict[str, Any]) -> int:
    """The frame's place in the log."""
    return int(frame["cursor"].rpartition("-")[2])
