"""Counters over any stream of facts, cut into any batches, dying anywhere: each rise is counted once."""

from __future__ import annotations

import asyncio
from collections import Counter as Sums
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.counters import NAMES, QUARTER_S
from libs.contracts.events import AnyFact
from libs.contracts.records import MessageRow
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from libs.runtime.shards import LeaseLost
from services.status.amendments import is_amendment
from services.status.counters.counting import added_by
from services.status.counters.keeping import CounterKeeper
from services.status.handlers import FactHandler
from services.status.publishing import Publisher
from services.status.rounds import Rounds
from tests.unit.status.builders import CUSTOMER, T0, deliveries, progressed, queued, receipt
from tests.unit.status.memory import Died, MemoryBus, MemoryStore
from tests.unit.status.memory_counters import MemoryCounters
from tests.unit.status.owners import SHARD, SHARDS, shard
from tests.unit.status.test_handlers import AMENDING, POOL

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class World:
    """What outlives an owner."""

    def __init__(self) -> None:
        self.store, self.bus, self.counters = MemoryStore(), MemoryBus(), MemoryCounters()

    def sums(self) -> dict[str, dict[str, int]]:
        """The counters that are above zero."""
        return {row: dict(+sums) for row, sums in self.counters.sums.items() if +sums}


class CountingOwner:
    """A new owner of the tests' shard that keeps counters."""

    def __init__(self, world: World, epoch: int = 1) -> None:
        publisher = Publisher(cast(Any, world.bus), SHARDS)
        handler = FactHandler(
            store=cast(Any, world.store),
            publisher=publisher,
            crash=CrashPoints(""),
            beside=[CounterKeeper(world.counters).keep],
        )
        self._rounds, self._shard = Rounds(handler, moment_s=0), shard(SHARD, epoch)

    async def handle(self, batch: list[Delivery[AnyFact]]) -> None:
        await self._rounds.handle(self._shard, batch)


def by_the_histories(rows: Sequence[MessageRow]) -> dict[str, dict[str, int]]:
    """The counters as they follow from what is stored in the end."""
    sums: dict[str, Sums[str]] = {}
    for row in rows:
        for number, entry in enumerate(row.history):
            if row.message_id is None or is_amendment(entry):
                continue
            added = added_by(row, number)
            quarter, day = int(entry.at.timestamp()) // QUARTER_S, (entry.at - EPOCH).days
            sums.setdefault(f"{row.session_id}/{row.type}/{quarter}", Sums()).update(added)
            counts = {name: each for name, each in added.items() if name in NAMES}
            sums.setdefault(f"{row.customer_id}/{row.shard}/{day}", Sums()).update(counts)
    return {row_id: dict(+each) for row_id, each in sums.items() if +each}


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, str, int]]:
    """Rounds: how many facts the batch holds, how it ends, and after how many writes."""
    ends = st.sampled_from(["well", "dies storing", "dies counting", "fails counting", "dies before ack"])
    return draw(st.lists(st.tuples(st.integers(1, 15), ends, st.integers(0, 3)), max_size=12))


@settings(max_examples=500)
@given(stream=st.lists(st.sampled_from(POOL + AMENDING), max_size=30), rounds=lives())
def test_any_facts_and_any_deaths_count_each_rise_once(
    stream: list[AnyFact], rounds: list[tuple[int, str, int]]
) -> None:
    world, undisturbed = asyncio.run(lived(stream, rounds)), asyncio.run(lived(stream, []))
    assert world.sums() == undisturbed.sums() == by_the_histories(list(world.store.rows.values()))


async def lived(stream: list[AnyFact], rounds: list[tuple[int, str, int]]) -> World:
    """Feed the stream through these rounds, each after a death with a new owner; the rest in batches of one."""
    world, done, epoch = World(), 0, 1
    owner = CountingOwner(world, epoch)
    for size, end, number in [*rounds, *[(1, "well", 0)] * len(stream)]:
        batch = deliveries(stream[done : done + size], first_seq=done + 1)
        if not batch:
            break
        try:
            await one_round(owner, world, batch, end, number)
            done += len(batch)
        except Died:
            if end != "fails counting":  # else the same owner handles a batch again
                epoch += 1
                owner = CountingOwner(world, epoch)
    return world


async def one_round(owner: CountingOwner, world: World, batch: list[Any], end: str, number: int) -> None:
    try:
        if end == "dies storing":
            world.store.writes_before_death = number
        if end in ("dies counting", "fails counting"):
            world.counters.adds_before_death = number
        await owner.handle(batch)
    finally:
        world.store.writes_before_death, world.counters.adds_before_death = None, None
    if end == "dies before ack":
        raise Died


async def test_a_batch_of_many_facts_costs_one_write_and_no_read() -> None:
    world = World()
    ids = [f"019a9d3c-7c00-7000-8000-{number:012x}" for number in range(40)]
    facts = [queued(f"q{each}", wa_id=each, message_id=each) for each in ids]
    await CountingOwner(world).handle(deliveries(facts))
    assert world.counters.bulks == 1
    assert len(world.counters.sums) == 2, "a quarter's and a day's"


async def test_a_batch_that_comes_again_cut_otherwise_adds_only_what_is_new() -> None:
    world = World()
    facts = deliveries([queued(), progressed("sent"), receipt("delivered"), receipt("read")])
    await CountingOwner(world, 1).handle(facts[:2])
    await CountingOwner(world, 2).handle(facts[1:])
    assert world.sums()[f"{CUSTOMER}/{SHARD}/{(T0 - EPOCH).days}"] == {
        name: 1 for name in ("queued", "sent", "delivered", "read")
    }


async def test_an_owner_gives_up_when_a_later_one_has_counted() -> None:
    world = World()
    stale = CountingOwner(world, 1)
    await stale.handle(deliveries([queued()]))
    for row, fence in world.counters.fences.items():
        world.counters.fences[row] = fence._replace(epoch=2)
    before = world.sums()
    with pytest.raises(LeaseLost):
        await stale.handle(deliveries([progressed("sent")], first_seq=2))
    assert world.sums() == before
