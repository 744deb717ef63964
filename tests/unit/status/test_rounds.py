"""Batches that come together are handled together, and none is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.status.publishing import ShardStream
from services.status.rounds import BUSY, ROUND_FACTS, ROUNDS_AT_ONCE, Rounds
from services.status.turns import Shard, Turn
from tests.unit.status.builders import deliveries, queued


class Handler:
    """Notes each round; works while `pause` is not set."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.pause = asyncio.Event()
        self.pause.set()
        self.fault: Exception | None = None

    async def handle(self, turns: Sequence[Turn]) -> None:
        self.rounds.append([turn.shard.lease.shard for turn in turns])
        await self.pause.wait()
        if self.fault is not None:
            raise self.fault


def shard(number: int) -> Shard:
    lease = Lease(number, 1, confirmed_at=0, timing=Timing())
    return Shard(lease, ShardStream(lease))


def rounds_of(handler: Handler) -> Rounds:
    return Rounds(cast(Any, handler), moment_s=0.001)


async def test_a_lone_batch_waits_for_nothing() -> None:
    handler = Handler()
    await rounds_of(handler).handle(shard(1), deliveries([queued()]))
    assert handler.rounds == [[1]]


async def test_what_comes_while_rounds_are_at_work_goes_into_one() -> None:
    handler = Handler()
    handler.pause.clear()
    rounds = rounds_of(handler)
    work = [asyncio.ensure_future(rounds.handle(shard(number), deliveries([queued()]))) for number in range(6)]
    await begun(handler, 1)
    handler.pause.set()
    await asyncio.gather(*work)
    assert len(handler.rounds) <= ROUNDS_AT_ONCE + 1
    assert sorted(number for each in handler.rounds for number in each) == list(range(6))


async def begun(handler: Handler, rounds: int) -> None:
    """Wait until so many rounds are at work, and for what might begin beside them."""
    async with asyncio.timeout(60):
        while len(handler.rounds) < rounds:  # noqa: ASYNC110 - one step of the loop
            await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)


async def test_after_a_busy_round_what_comes_within_a_moment_shares_the_next() -> None:
    handler = Handler()
    rounds = Rounds(cast(Any, handler), moment_s=0.5)
    await rounds.handle(shard(0), deliveries([queued()] * BUSY))
    await asyncio.gather(*(later(rounds, number, steps=number * 5) for number in range(1, 6)))
    assert handler.rounds == [[0], [1, 2, 3, 4, 5]]


async def later(rounds: Rounds, number: int, *, steps: int) -> None:
    for _ in range(steps):
        await asyncio.sleep(0)
    await rounds.handle(shard(number), deliveries([queued()]))


async def test_after_a_quiet_round_nothing_is_waited_for() -> None:
    rounds = Rounds(cast(Any, Handler()), moment_s=3_600)
    for number in range(3):
        await asyncio.wait_for(rounds.handle(shard(number), deliveries([queued()] * (BUSY - 1))), 60)


async def test_a_second_round_begins_only_for_many_facts() -> None:
    handler = Handler()
    handler.pause.clear()
    rounds = rounds_of(handler)
    work = [asyncio.ensure_future(rounds.handle(shard(n), deliveries([queued()] * 50))) for n in range(4)]
    await begun(handler, 1)
    assert len(handler.rounds) == 1
    work += [asyncio.ensure_future(rounds.handle(shard(n), deliveries([queued()] * 50))) for n in range(4, 10)]
    await begun(handler, ROUNDS_AT_ONCE)
    assert len(handler.rounds) == ROUNDS_AT_ONCE
    handler.pause.set()
    await asyncio.gather(*work)
    assert sorted(number for each in handler.rounds for number in each) == list(range(10))


async def test_a_round_does_not_grow_without_bound() -> None:
    handler = Handler()
    rounds, batch = rounds_of(handler), deliveries([queued()] * 100)
    await asyncio.gather(*(rounds.handle(shard(number), batch) for number in range(20)))
    assert max(map(len, handler.rounds)) == ROUND_FACTS // 100


async def test_shards_that_come_again_at_once_are_never_left_waiting() -> None:
    """The next batch of a shard may come in the very moment in which the round of its last one ends."""
    rounds = rounds_of(Handler())

    async def come_again(number: int) -> None:
        for _ in range(50):
            await rounds.handle(shard(number), deliveries([queued()]))

    await asyncio.wait_for(asyncio.gather(*(come_again(number) for number in range(4))), 60)


async def test_a_fault_reaches_every_batch_of_its_round_and_the_next_goes_on() -> None:
    handler = Handler()
    handler.fault = RuntimeError("a fault")
    rounds = rounds_of(handler)
    with pytest.raises(RuntimeError, match="a fault"):
        await rounds.handle(shard(1), deliveries([queued()]))
    handler.fault = None
    await rounds.handle(shard(1), deliveries([queued()]))


async def test_a_feed_that_stopped_waiting_disturbs_nobody() -> None:
    handler = Handler()
    handler.pause.clear()
    rounds = rounds_of(handler)
    stopped = asyncio.ensure_future(rounds.handle(shard(1), deliveries([queued()])))
    await asyncio.sleep(0)
    stopped.cancel()
    handler.pause.set()
    await asyncio.wait_for(rounds.handle(shard(2), deliveries([queued()])), 60)
