"""A running sender, the network it hands messages to, and what it has stored and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pymongo import AsyncMongoClient

from libs.contracts.commands import Command, SendMessage
from libs.contracts.content import Text
from libs.contracts.events import AnyFact, MessageProgressed, MessageQueued
from libs.contracts.ids import new_message_id, send_subject
from libs.runtime.bus import Bus, PublishUnclear
from libs.runtime.facts import tell
from libs.runtime.topology import apply
from tests.integration.sender.network import Network
from tests.processes import PATIENCE_S, Running, eventually, service

SHARDS = 2
SESSION = "a1b2c3d4e5f60718"


class Stage:
    """One NATS, one database, and whatever a test puts between them."""

    def __init__(self, bus: Bus, database: Any, nats_url: str, mongodb_url: str, directory: Path) -> None:
        self.bus, self.database, self.network = bus, database, Network(bus)
        self._nats_url, self._mongodb_url, self._directory = nats_url, mongodb_url, directory
        self._jetstream = bus.nats.jetstream(timeout=PATIENCE_S)

    def sender(self, replica: str = "one", **settings: str) -> AbstractAsyncContextManager[Running]:
        """A sender process, killed at the end."""
        return service(
            "services.sender.app",
            self._directory,
            nats_url=self._nats_url,
            mongodb_url=self._mongodb_url,
            replica=replica,
            **{"shards": str(SHARDS), "retry_first_s": "0.2", **settings},
        )

    async def command(self, command: Command, *, msg_id: str | None = None) -> int:
        """Publish a command as api does, repeated until it is known to be stored: the stream keeps it once."""
        subject = send_subject(command.session_id, SHARDS)
        return await self.bus.publish(subject, command, msg_id=msg_id or new_message_id(), repeat_for_s=PATIENCE_S)

    async def send(self, message_id: str | None = None, **fields: Any) -> str:
        """Publish one SendMessage; returns its message id."""
        command = send_message(message_id or new_message_id(), **fields)
        await self.command(command)
        return command.message_id

    async def send_many(self, number: int, **fields: Any) -> list[str]:
        return [await self.send(**fields) for _ in range(number)]

    async def tell(self, *facts: AnyFact) -> None:
        """Publish facts as sessions does: again when it is not clear whether they are stored."""

        async def are_stored() -> bool:
            try:
                await tell(self.bus, facts, SHARDS)
            except PublishUnclear:
                return False
            return True

        await eventually(are_stored)

    async def row(self, message_id: str) -> dict[str, Any]:
        found: dict[str, Any] | None = await self.database["outbox"].find_one({"_id": message_id})
        return found or {}

    async def until(self, message_id: str, status: str) -> dict[str, Any]:
        """The row once it has this status."""

        async def ask() -> dict[str, Any] | None:
            row = await self.row(message_id)
            return row if row.get("status") == status else None

        row = await eventually(ask)
        assert row is not None
        return row

    async def until_all(self, status: str, number: int) -> None:
        """Wait until so many rows have this status."""

        async def ask() -> bool:
            return await self.database["outbox"].count_documents({"status": status}) == number

        await eventually(ask)

    async def facts(self, kind: str = "message") -> list[AnyFact]:
        """Every fact in EVENTS whose subject is of this kind, in order; a repeat counts once."""
        last = (await self._jetstream.stream_info("EVENTS")).state.last_seq
        found = [await self._jetstream.get_msg("EVENTS", seq=seq) for seq in range(1, last + 1)]
        kept = [message for message in found if (message.subject or "").startswith(f"fact.{kind}.")]
        facts = [msgspec.json.decode(message.data or b"", type=AnyFact) for message in kept]
        seen: dict[str, AnyFact] = {}
        for fact in facts:
            seen.setdefault(fact.id, fact)
        return list(seen.values())

    async def told(self, message_id: str) -> list[str]:
        """The statuses told of a message, in order."""
        return [
            fact.status if isinstance(fact, MessageProgressed) else "queued"
            for fact in await self.facts()
            if isinstance(fact, MessageQueued | MessageProgressed) and fact.message_id == message_id
        ]

    async def until_told(self, message_id: str, statuses: list[str]) -> None:
        """Wait until exactly these statuses are told of the message."""

        async def ask() -> bool:
            return await self.told(message_id) == statuses

        try:
            await eventually(ask)
        except AssertionError:
            assert await self.told(message_id) == statuses
            raise


def send_message(message_id: str, *, session_id: str = SESSION, text: str = "hello", **fields: Any) -> SendMessage:
    values: dict[str, Any] = {
        "customer_id": "cus_1",
        "engine": "simulator",
        "to": "6281234567890@s.whatsapp.net",
        "accepted_at": datetime.now(UTC),
        **fields,
    }
    return SendMessage(message_id=message_id, session_id=session_id, content=Text(text=text), **values)


@pytest.fixture
async def stage(nats_url: str, mongodb_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True)
    yield Stage(bus, client.get_default_database(), nats_url, mongodb_url, tmp_path)
    await client.close()
    await bus.close()
    await asyncio.sleep(0)
