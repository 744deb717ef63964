"""Deliveries in memory, and a courier whose outcomes a test decides: what lines need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from msgspec.structs import replace

from libs.contracts.webhooks import DELIVERED, PENDING, WebhookDelivery
from libs.runtime.shards import Lease
from services.status.webhooks.courier import Courier
from services.status.webhooks.lines import Lines
from services.status.webhooks.store import WebhookStore
from tests.unit.status.deliveries import delivery


class PostOffice:
    """Lines over rows in memory. `decide` makes of a row what it is after an attempt; None: the webhook does not work.

    `sent` are the ids in the order in which they were attempted.
    """

    def __init__(self) -> None:
        self.rows: dict[str, WebhookDelivery] = {}
        self.sent: list[str] = []
        self.at_once = self.most_at_once = 0
        self.decide: Callable[[WebhookDelivery], WebhookDelivery | None] = delivered
        self.gates: dict[str, asyncio.Event] = {}
        """An attempt of a row with a gate waits for it."""
        self.reads = 0
        self.reading, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()
        lease = cast("Lease", _Lease())
        self.lines = Lines(lease, cast("WebhookStore", self), cast("Courier", self))

    def put(self, *rows: WebhookDelivery) -> list[WebhookDelivery]:
        """Store these."""
        self.rows |= {row.id: row for row in rows}
        return list(rows)

    def offer(self, *rows: WebhookDelivery, ordered: bool = True) -> None:
        """Store these, of one session, and offer them, as the feed does."""
        self.lines.offer(rows[0].webhook_id, ordered=ordered, rows=self.put(*rows))

    async def until_settled(self, *ids: str) -> None:
        """Wait until these, or all, are settled."""
        async with asyncio.timeout(60):
            while any(row.status == PENDING for row in self.rows.values() if not ids or row.id in ids):  # noqa: ASYNC110
                await asyncio.sleep(0)

    # --- As the store ------------------------------------------------------------------------------------------------

    async def pending_in_order(self, shard: int, webhook_id: str, session: str, limit: int) -> list[WebhookDelivery]:
        self.reads += 1
        found = self._pending(webhook_id, session)
        self.reading.set()
        await self.may_answer.wait()  # what is stored meanwhile is not in the answer
        await asyncio.sleep(0)
        return sorted(found, key=lambda row: row.seq)[:limit]

    async def pending_soonest(
        self, shard: int, webhook_id: str, limit: int, *, but: Collection[str]
    ) -> list[WebhookDelivery]:
        self.reads += 1
        found = [row for row in self._pending(webhook_id) if row.id not in but]
        await asyncio.sleep(0)
        return sorted(found, key=lambda row: row.next_at)[:limit]

    def _pending(self, webhook_id: str, session: str | None = None) -> list[WebhookDelivery]:
        own = [row for row in self.rows.values() if row.webhook_id == webhook_id and row.status == PENDING]
        return [row for row in own if session is None or row.session_id == session]

    # --- As the courier ----------------------------------------------------------------------------------------------

    async def attempt(self, row: WebhookDelivery, lease: Lease) -> WebhookDelivery | None:
        self.sent.append(row.id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await (self.gates[row.id].wait() if row.id in self.gates else asyncio.sleep(0))
        finally:
            self.at_once -= 1
        after = self.decide(row)
        if after is not None:
            self.rows[row.id] = after
        return after


class _Lease:
    shard, epoch, lost, usable = 7, 1, False, True


def delivered(row: WebhookDelivery) -> WebhookDelivery:
    """The endpoint takes it."""
    return replace(row, status=DELIVERED, attempts=row.attempts + 1)


def later(row: WebhookDelivery, wait_s: float = 3600) -> WebhookDelivery:
    """The endpoint does not take it now."""
    return replace(row, failures=row.failures + 1, next_at=datetime.now(UTC) + timedelta(seconds=wait_s))


def frames(numbers: Sequence[int] | range, **fields: Any) -> list[WebhookDelivery]:
    """Deliveries of one session."""
    return [delivery(number, **fields) for number in numbers]
