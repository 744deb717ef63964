"""A shard's webhooks over a stream and a database in memory, whose owner may die at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from libs.contracts.updates import Frame
from libs.contracts.webhooks import (
    DELIVERED,
    PENDING,
    Webhook,
    WebhookDelivery,
    WebhookHealth,
    WebhookReplay,
    WebhookStart,
)
from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from libs.runtime.replay import Log
from libs.runtime.shards import Lease
from services.api.webhooks.store_webhooks import stamped
from services.status.webhooks.courier import Courier
from services.status.webhooks.definitions import Definitions
from services.status.webhooks.shard import ShardWebhooks
from services.status.webhooks.store import WebhookStore
from tests.unit.status.deliveries import T0, webhook

LOG = "a"
SHARD = 7


async def _steps(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


class World:
    """UPDATES of one shard and one customer, the collections, and one owner after the other."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Frame[msgspec.Raw]]] = []
        """Subject and frame; the first has the sequence 1."""
        self.webhooks: dict[str, Webhook] = {}
        self.version_now = self.known = self.floor = self.epoch = 0
        self.rows: dict[str, WebhookDelivery] = {}
        self.sent: list[tuple[str, str, int]] = []
        """(webhook, session, sequence), in the order in which the endpoint got them."""
        self._owner: ShardWebhooks | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._definitions: Definitions | None = None

    # --- What happens ------------------------------------------------------------------------------------------------

    def tell(self, session: str) -> None:
        """One more frame."""
        number = len(self.frames) + 1
        frame = Frame(
            id=f"frm_{number}", type="message.sent", session_id=session, occurred_at="", data=msgspec.Raw(b"{}")
        )
        self.frames.append((f"updates.07.cus_1.{session}.message.sent", frame))

    def make(self, webhook_id: str, **fields: Any) -> Webhook:
        """The customer makes a webhook; nobody is told of it."""
        start = WebhookStart(number=1, version=0, log=LOG, since=len(self.frames))
        return self._store(webhook(webhook_id, start=start, **fields))

    def replay(self, webhook_id: str, since: int) -> None:
        """The customer wants a replay."""
        before = self.webhooks[webhook_id]
        again = WebhookReplay(number=before.number + 1, version=0, log=LOG, since=since, until=len(self.frames))
        self._store(replace(before, replays=[*before.replays, again]))

    def _store(self, changed: Webhook) -> Webhook:
        self.version_now += 1
        self.webhooks[changed.id] = stamped(changed, self.version_now)
        return self.webhooks[changed.id]

    async def look(self) -> None:
        """The owner's process reads the definitions."""
        if self._definitions is not None:
            await self._definitions.refresh()

    # --- Owners ------------------------------------------------------------------------------------------------------

    async def claim(self) -> None:
        """A new owner in a new process."""
        self.epoch += 1
        store, bus, courier = cast("WebhookStore", self), cast("Bus", _Bus()), cast("Courier", self)
        self._definitions = Definitions(store, bus)
        await self._definitions.refresh()
        lease = cast("Lease", _Lease(self.epoch))
        self._owner = ShardWebhooks(
            lease, bus=bus, definitions=self._definitions, store=store, courier=courier, crash=CrashPoints("")
        )
        await self._owner.start()
        self._tasks = [asyncio.create_task(self._feed(self._owner))]

    async def die(self) -> None:
        """The owner is gone in the middle of whatever it does."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._owner is not None:
            await self._owner.stop()

    async def settled(self) -> None:
        """Wait until the owner has taken every frame, follows every change, and nothing is pending."""
        async with asyncio.timeout(60):
            while self.floor < len(self.frames) or self.known < self._latest() or self._is_pending():  # noqa: ASYNC110
                await asyncio.sleep(0)
        await _steps(50)

    def _latest(self) -> int:
        return max((start.version for each in self.webhooks.values() for start in each.begun_after(0)), default=0)

    def _is_pending(self) -> bool:
        return any(row.status == PENDING for row in self.rows.values())

    async def _feed(self, owner: ShardWebhooks) -> None:
        position = self.floor
        while True:
            batch = [
                Delivery(frame, seq, {}, 1, subject)
                for seq, (subject, frame) in enumerate(self.frames, start=1)
                if position < seq <= position + 5
            ]
            if batch:
                await owner.take(batch)
                position = batch[-1].seq
                await _steps(3)  # the acknowledgement is on its way
                self.floor = max(self.floor, position)
            await asyncio.sleep(0)

    # --- As the stream -----------------------------------------------------------------------------------------------

    async def log_of(self, bus: Bus, stream: str) -> Log:
        await asyncio.sleep(0)
        return Log(name=LOG, first=1, last=len(self.frames))

    async def stored_after(self, bus: Bus, stream: str, subject: str, position: int) -> AsyncIterator[tuple[int, Any]]:
        while position < len(self.frames):
            found = self.frames[position : position + 4]
            await _steps(2)
            for place, frame in found:
                position += 1
                yield position, _Message(msgspec.json.encode(frame), {"Nats-Subject": place})

    # --- As the store ------------------------------------------------------------------------------------------------

    async def version(self) -> int:
        await asyncio.sleep(0)
        return self.version_now

    async def changed_after(self, version: int) -> list[Webhook]:
        found = [each for each in self.webhooks.values() if each.version > version]
        await _steps(2)
        return found

    async def disabled_after(self, at: datetime | None) -> list[WebhookHealth]:
        return []

    async def known_to(self, shard: int) -> int:
        return self.known

    async def note_known(self, shard: int, version: int, epoch: int) -> bool:
        await asyncio.sleep(0)
        self.known = max(self.known, version)
        return True

    async def add(self, rows: Sequence[WebhookDelivery]) -> list[WebhookDelivery]:
        await asyncio.sleep(0)
        new = [row for row in rows if row.id not in self.rows]
        self.rows |= {row.id: row for row in new}
        await _steps(2)
        return new

    async def add_again(self, rows: Sequence[WebhookDelivery]) -> None:
        await asyncio.sleep(0)
        for row in rows:
            there = self.rows.get(row.id)
            if there is None or there.start < row.start:
                self.rows[row.id] = row
        await _steps(2)

    async def lines(self, shard: int) -> list[tuple[str, str]]:
        return sorted({(row.webhook_id, row.session_id) for row in self.rows.values() if row.status == PENDING})

    async def lines_of(self, shard: int, webhook_id: str) -> list[str]:
        found = [session for webhook, session in await self.lines(shard) if webhook == webhook_id]
        await _steps(10)
        return found

    async def pending_in_order(self, shard: int, webhook_id: str, session: str, limit: int) -> list[WebhookDelivery]:
        own = [row for row in self.rows.values() if (row.webhook_id, row.session_id) == (webhook_id, session)]
        found = sorted((row for row in own if row.status == PENDING), key=lambda row: row.seq)[:limit]
        await _steps(2)
        return found

    async def pending_soonest(
        self, shard: int, webhook_id: str, limit: int, *, but: Collection[str]
    ) -> list[WebhookDelivery]:
        own = [row for row in self.rows.values() if row.webhook_id == webhook_id and row.id not in but]
        found = [row for row in own if row.status == PENDING][:limit]
        await _steps(2)
        return found

    async def hasten(self, webhook_id: str, shard: int, epoch: int, at: datetime) -> None:
        await asyncio.sleep(0)

    async def forget(self, webhook_id: str, shard: int) -> None:
        await asyncio.sleep(0)

    # --- As the courier ----------------------------------------------------------------------------------------------

    async def attempt(self, row: WebhookDelivery, lease: Lease) -> WebhookDelivery:
        await asyncio.sleep(0)
        self.sent.append((row.webhook_id, row.session_id, row.seq))
        await _steps(2)
        self.rows[row.id] = replace(self.rows[row.id], status=DELIVERED, attempts=row.attempts + 1, settled_at=T0)
        return self.rows[row.id]

    async def until_written(self) -> None:
        await asyncio.sleep(0)


class _Message(msgspec.Struct):
    data: bytes
    headers: dict[str, str]


class _Lease:
    shard, lost, usable = SHARD, False, True

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    async def until_usable(self) -> None:
        await asyncio.sleep(0)


class _Subscription:
    async def drain(self) -> None: ...


class _Bus:
    connected = True

    @property
    def nats(self) -> Any:
        return self

    async def subscribe(self, *_: Any, **__: Any) -> _Subscription:
        return _Subscription()
