"""Builds what this process needs for webhooks, once, and for each shard what is its own."""

from __future__ import annotations

import asyncio

from libs.runtime.service import Runtime
from libs.runtime.shards import Lease
from libs.runtime.tasks import end
from services.status.settings import StatusSettings
from services.status.webhooks.courier import Courier
from services.status.webhooks.definitions import Definitions
from services.status.webhooks.health import Healths
from services.status.webhooks.posting import Poster
from services.status.webhooks.settling import Settlements
from services.status.webhooks.shard import ShardWebhooks
from services.status.webhooks.store import WebhookStore, ensure_webhook_indexes


class WebhookService:
    """The webhooks of one process: definitions and health kept up to date, one HTTP client."""

    def __init__(self, runtime: Runtime, settings: StatusSettings) -> None:
        self._runtime, self._days = runtime, settings.webhook_log_days
        self._store = WebhookStore(runtime.database)
        self._definitions = Definitions(self._store, runtime.bus)
        self._healths = Healths(
            runtime.database,
            self._definitions,
            runtime.bus,
            runtime.crash,
            shards=settings.shards,
            disable_after_days=settings.webhook_disable_days,
        )
        self._poster = Poster(private=settings.private_targets, within_s=settings.webhook_timeout_s)
        self._courier = Courier(
            definitions=self._definitions,
            settlements=Settlements(self._store),
            healths=self._healths,
            poster=self._poster,
            ring=runtime.ring,
            crash=runtime.crash,
            delays_s=settings.delays_s(),
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the indexes, read the definitions, and follow their changes until the process closes."""
        await ensure_webhook_indexes(self._runtime.database, log_days=self._days)
        await self._definitions.load()
        self._tasks = [asyncio.create_task(self._definitions.run()), asyncio.create_task(self._healths.run())]
        self._runtime.closing.append(self._close)

    def of(self, lease: Lease) -> ShardWebhooks:
        """The webhooks of one shard."""
        return ShardWebhooks(
            lease,
            bus=self._runtime.bus,
            definitions=self._definitions,
            store=self._store,
            courier=self._courier,
            crash=self._runtime.crash,
        )

    async def _close(self) -> None:
        await end(*self._tasks)
        await self._poster.close()
