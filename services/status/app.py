"""Starts the status service: the only place that constructs its parts."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from libs.contracts.events import AnyFact
from libs.contracts.ids import EVENTS, shard_token
from libs.runtime.feeds import Feed
from libs.runtime.service import Runtime, ShardOwner, run
from libs.runtime.settings import SettingsError, read
from libs.runtime.shards import Lease
from services.status.chats import store as chat_store
from services.status.chats.keeping import ChatKeeper
from services.status.chats.store import ChatStore
from services.status.counters import store as counter_store
from services.status.counters.keeping import CounterKeeper
from services.status.counters.store import CounterStore
from services.status.handlers import FactHandler
from services.status.publishing import Publisher, ShardStream
from services.status.rounds import Rounds
from services.status.settings import StatusSettings
from services.status.store import StatusStore, ensure_indexes
from services.status.turns import Shard
from services.status.webhooks.service import WebhookService
from services.status.webhooks.shard import ShardWebhooks

SERVICE = "status"
NAME_LOOKUPS_AT_ONCE = "64"
"""Threads in which libuv looks up the hosts of webhooks: of its 4, a few names that time out would leave none."""


class StatusShard:
    """The status of every session in one shard: reads its facts, keeps its messages, tells its customers."""

    def __init__(self, lease: Lease, rounds: Rounds, publisher: Publisher, webhooks: ShardWebhooks) -> None:
        self._publisher, self._stream, self._webhooks = publisher, ShardStream(lease), webhooks
        shard = Shard(lease, self._stream)
        self._feed = Feed[AnyFact](
            stream=EVENTS,
            subjects=[f"fact.*.{shard_token(lease.shard)}.>"],
            types=AnyFact,
            handle=lambda facts: rounds.handle(shard, facts),
        )

    @property
    def feeds(self) -> Sequence[Feed[Any]]:
        """The shard's facts, and its frames for webhooks."""
        return [self._feed, self._webhooks.feed]

    async def start(self) -> None:
        """Learn how far a former owner's telling came; what it left untold comes again with its facts."""
        await asyncio.gather(self._publisher.last(self._stream), self._webhooks.start())

    async def stop(self) -> None:
        """End what runs beside the feeds."""
        await self._webhooks.stop()


async def build(runtime: Runtime, settings: StatusSettings) -> Callable[[Lease], ShardOwner]:
    """What makes the owner of a claimed shard."""
    await ensure_indexes(runtime.database, message_days=settings.message_days)
    await chat_store.ensure_indexes(runtime.database, days=settings.message_days)
    await counter_store.ensure_indexes(runtime.database, days=settings.counter_days)
    publisher = Publisher(runtime.bus, settings.shards)
    handler = FactHandler(
        store=StatusStore(runtime.database),
        publisher=publisher,
        crash=runtime.crash,
        beside=[ChatKeeper(ChatStore(runtime.database)).keep, CounterKeeper(CounterStore(runtime.database)).keep],
    )
    rounds = Rounds(handler)
    webhooks = WebhookService(runtime, settings)
    await webhooks.start()
    return lambda lease: StatusShard(lease, rounds, publisher, webhooks.of(lease))


def main() -> None:
    """Run until SIGTERM; wrong settings are said in one line."""
    try:
        settings = read(StatusSettings, os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    os.environ.setdefault("UV_THREADPOOL_SIZE", NAME_LOOKUPS_AT_ONCE)
    uvloop.run(run(SERVICE, settings, lambda runtime: build(runtime, settings)))


if __name__ == "__main__":
    main()
