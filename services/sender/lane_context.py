"""What a lane needs from its shard: limits, storage, the session's owner, and what is known of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from libs.contracts.calls import DeliverAnswer
from libs.contracts.content import Action, Content
from libs.contracts.records import LinkedNumber, OutboxRow
from libs.runtime.shards import Lease
from services.sender.gate import Book
from services.sender.retries import Retries, Silence
from services.sender.store import Observed


class Terms(Protocol):
    """The limits a lane works under."""

    @property
    def retries(self) -> Retries: ...
    @property
    def probe_every_s(self) -> float: ...
    @property
    def refusal_held_s(self) -> float: ...
    @property
    def unknown_limit_s(self) -> float: ...


class Desk(Book, Protocol):
    """What a lane needs from its shard."""

    @property
    def lease(self) -> Lease: ...
    @property
    def terms(self) -> Terms: ...
    def now(self) -> datetime: ...
    async def until_able(self) -> None:
        """Wait until the lease is confirmed and NATS is there. Raises LeaseLost."""
        ...

    def keep(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        """Store the change, then tell its facts; the future is done when it is stored. Raises LeaseLost in it."""
        ...

    async def may_send(self, customer_id: str) -> bool:
        """Whether the customer's subscription lets messages leave. Raises PyMongoError."""
        ...

    async def numbers_of(self, session_id: str) -> Sequence[LinkedNumber]:
        """The numbers that the session was linked to, oldest first. Raises PyMongoError."""
        ...

    async def content_of(self, row: OutboxRow) -> Content | Action | None: ...
    async def status_of(self, message_id: str) -> str | None:
        """The status of a message's row; None when there is none (any more)."""
        ...

    async def deliver(self, row: OutboxRow, content: Content | Action) -> DeliverAnswer | Silence: ...
    def newest_epoch(self, network: str) -> int:
        """The highest epoch that an owner of this shard's sessions has shown."""
        ...

    async def observed(self, session_id: str) -> Observed: ...
    def crash_at(self, point: str) -> None: ...
