"""Keeps the counters of a round: adds what its rises come to, each once, however often its facts come.

It runs beside the telling, after the messages are stored: only then is it certain which fact raised which message. The
price is one bulk write for all shards of a round; a row that holds some of the facts already is read, and only then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from libs.runtime import logs
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import LeaseLost
from services.status.counters.counting import tallies_of
from services.status.counters.store import Addition, Fence
from services.status.turns import Turn

TRIES = 5
"""A shard has one writer, so a row whose fence was read is as it was read."""


class Store(Protocol):
    """What is needed of `counter_store.CounterStore`."""

    async def add(self, additions: Sequence[Addition]) -> dict[str, Fence]:
        """Add each of these, or answer the fence of its row."""
        ...


class FencesMoved(Exception):
    """Rows of counters kept changing under their only writer."""


class CounterKeeper:
    """Takes turns whose messages are stored. May see them again, cut otherwise."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log = logs.get()

    async def keep(self, turns: Sequence[Turn]) -> None:
        """Raises nothing: see each turn's `error`."""
        try:
            await self._kept(turns)
        except Exception as error:
            if len(turns) == 1 or is_infrastructure(error):
                for turn in turns:
                    turn.error = turn.error or error
                return
            for turn in turns:
                await self.keep([turn])

    async def _kept(self, turns: Sequence[Turn]) -> None:
        additions = [Addition(tally, turn.shard.lease) for turn in turns for tally in tallies_of(turn.steps)]
        for _ in range(TRIES):
            if not additions:
                return
            fences = await self._store.add(additions)
            refused = [(each, fences[each.tally.place.id]) for each in additions if each.tally.place.id in fences]
            additions = [again for each, fence in refused if (again := _behind(each, fence)) is not None]
            if refused:
                self._log.info("counters held some of these facts", rows=len(refused), left=len(additions))
        if additions:
            raise FencesMoved


def _behind(addition: Addition, fence: Fence) -> Addition | None:
    """What is still to be added to a row with this fence. Raises LeaseLost when a later owner has written it."""
    tally, lease = addition
    if fence.epoch > lease.epoch:
        raise LeaseLost(lease.shard, lease.epoch)
    left = tally.behind(fence.seq)
    return None if left is None else Addition(left, lease)
