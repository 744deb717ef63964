"""The collection of chats in memory, whose owner dies when it is told to, and a shard's owner that keeps it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from msgspec.structs import replace

from libs.contracts.events import AnyFact
from libs.contracts.records import ChatRow
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from services.status.chats.keeping import ChatKeeper
from services.status.chats.rules import ChatChange
from services.status.handlers import FactHandler
from services.status.publishing import Publisher
from services.status.rounds import Rounds
from services.status.store import RowsMoved
from tests.unit.status.memory import Died, MemoryBus, MemoryStore
from tests.unit.status.owners import SHARD, SHARDS, shard


class MemoryChats:
    """Rows of chats. `writes_before_death`: the owner dies when it has written that many more, `backwards` or not."""

    def __init__(self) -> None:
        self.rows: dict[str, ChatRow] = {}
        self.writes_before_death: int | None = None
        self.backwards = False
        self.reads: list[set[str]] = []

    async def chats(self, keys: Collection[str]) -> list[ChatRow]:
        self.reads.append(set(keys))
        return [row for row in self.rows.values() if not set(keys).isdisjoint(row.keys)]

    async def write(self, changes: Sequence[ChatChange]) -> None:
        for change in reversed(changes) if self.backwards else changes:
            if self.writes_before_death is not None:
                if self.writes_before_death == 0:
                    raise Died
                self.writes_before_death -= 1
            stored = self.rows.get(change.after.id)
            if not _is_as_read(stored, change):
                raise RowsMoved
            self.rows[change.after.id] = replace(change.after, epoch=change.epoch)

    def seen(self) -> dict[str, ChatRow]:
        """What customers see, whoever wrote it; words that were changed already need no further write."""
        return {row.id: replace(row, epoch=0, fact_seq=0) for row in self.rows.values() if row.merged_into is None}


def _is_as_read(stored: ChatRow | None, change: ChatChange) -> bool:
    if stored is None or change.before is None:
        return stored is None and change.before is None
    return stored.fact_seq == change.before.fact_seq and stored.epoch <= change.epoch


class ChatOwner:
    """A new owner of the tests' shard, with its chats."""

    def __init__(self, store: MemoryStore, bus: MemoryBus, chats: MemoryChats, epoch: int = 1) -> None:
        handler = FactHandler(
            store=cast(Any, store),
            publisher=Publisher(cast(Any, bus), SHARDS),
            crash=CrashPoints(""),
            beside=[ChatKeeper(cast(Any, chats)).keep],
        )
        self._rounds, self.shard = Rounds(handler, moment_s=0), shard(SHARD, epoch)

    async def handle(self, batch: list[Delivery[AnyFact]]) -> None:
        await self._rounds.handle(self.shard, batch)
