"""The counters in memory, as far as their keeper uses them; they fail, half done, when they are told to."""

from __future__ import annotations

from collections import Counter as Sums
from collections.abc import Sequence

from services.status.counters.store import Addition, Fence
from tests.unit.status.memory import Died


class MemoryCounters:
    """`adds_before_death`: the owner dies when so many more rows were added to."""

    def __init__(self) -> None:
        self.sums: dict[str, Sums[str]] = {}
        self.fences: dict[str, Fence] = {}
        self.adds_before_death: int | None = None
        self.bulks = 0

    async def add(self, additions: Sequence[Addition]) -> dict[str, Fence]:
        refused: dict[str, Fence] = {}
        self.bulks += 1
        for tally, lease in additions:
            self._die_when_it_is_time()
            fence = self.fences.get(tally.place.id, Fence(-1, 0))
            if fence.seq >= tally.first_seq or fence.epoch > lease.epoch:
                refused[tally.place.id] = fence
                continue
            self.sums.setdefault(tally.place.id, Sums()).update(tally.sums())
            self.fences[tally.place.id] = Fence(tally.last_seq, lease.epoch)
        return refused

    def _die_when_it_is_time(self) -> None:
        if self.adds_before_death is not None:
            if self.adds_before_death == 0:
                raise Died
            self.adds_before_death -= 1
