"""Group commit: one write for many callers, each under its lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
from pymongo.errors import AutoReconnect

from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease, LeaseLost
from services.sender.groups import GroupCommit

AN_HOUR_S = 3_600.0


class Item(msgspec.Struct, frozen=True):
    lease: Any
    value: str
    weight: int = 1


class Disk:
    """A write that notes its groups, and can be held up or made to fail."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.writing = asyncio.Event()
        self.faults: list[Exception] = []

    async def write(self, items: Sequence[Item]) -> list[str | Exception]:
        self.writing.set()
        await self.go.wait()
        if self.faults:
            raise self.faults.pop(0)
        if any(item.value == "poison" for item in items):
            raise ValueError("poison")
        self.groups.append([item.value for item in items])
        return [LeaseLost(0, 0) if item.value == "fenced" else f"wrote {item.value}" for item in items]


def lease(*, age_s: float = 0.0) -> Lease:
    return Lease(1, 4, confirmed_at=for_long() - age_s, timing=Timing())


def for_long() -> float:
    """When a lease is confirmed that holds for an hour: longer than any machine stands still."""
    return asyncio.get_running_loop().time() + AN_HOUR_S


@pytest.fixture
async def disk() -> Disk:
    return Disk()


@pytest.fixture
async def group(disk: Disk) -> AsyncIterator[GroupCommit[Item, str]]:
    made = GroupCommit[Item, str]("test", disk.write, largest=5)
    made.start()
    yield made
    await made.stop()


async def test_what_comes_while_a_write_runs_goes_into_one_group(disk: Disk, group: GroupCommit[Item, str]) -> None:
    held = lease()
    disk.go.clear()
    first = group.submit(Item(held, "0"))
    await disk.writing.wait()
    others = [group.submit(Item(held, str(number))) for number in range(1, 5)]
    disk.go.set()
    assert await asyncio.gather(first, *others) == [f"wrote {number}" for number in range(5)]
    assert disk.groups == [["0"], ["1", "2", "3", "4"]]


async def test_order_is_kept_and_groups_are_bounded(disk: Disk, group: GroupCommit[Item, str]) -> None:
    held = lease()
    await asyncio.gather(*(group.submit(Item(held, str(number))) for number in range(12)))
    assert [value for written in disk.groups for value in written] == [str(number) for number in range(12)]
    assert max(len(written) for written in disk.groups) == 5


async def test_a_heavy_change_goes_alone_rather_than_never(disk: Disk, group: GroupCommit[Item, str]) -> None:
    held = lease()
    await asyncio.gather(group.submit(Item(held, "light")), group.submit(Item(held, "heavy", weight=50)))
    assert disk.groups == [["light"], ["heavy"]]


async def test_each_caller_learns_of_its_own_change(group: GroupCommit[Item, str]) -> None:
    held = lease()
    good, fenced = group.submit(Item(held, "good")), group.submit(Item(held, "fenced"))
    assert await good == "wrote good"
    with pytest.raises(LeaseLost):
        await fenced


async def test_an_outage_is_waited_out(disk: Disk, group: GroupCommit[Item, str]) -> None:
    disk.faults = [AutoReconnect("away"), AutoReconnect("away")]
    assert await group.submit(Item(lease(), "a")) == "wrote a"


async def test_a_poisonous_change_fails_alone(disk: Disk, group: GroupCommit[Item, str]) -> None:
    held = lease()
    futures = [group.submit(Item(held, value)) for value in ("a", "poison", "b")]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert results[0] == "wrote a"
    assert isinstance(results[1], ValueError)
    assert results[2] == "wrote b"


async def test_a_change_under_a_lost_lease_is_never_written(disk: Disk, group: GroupCommit[Item, str]) -> None:
    lost = lease()
    lost.lose()
    with pytest.raises(LeaseLost):
        await group.submit(Item(lost, "a"))
    assert disk.groups == []


async def test_a_suspended_lease_waits_and_holds_nobody_up(disk: Disk, group: GroupCommit[Item, str]) -> None:
    suspended, held = lease(age_s=AN_HOUR_S + 10), lease()
    waits = group.submit(Item(suspended, "waits"))
    assert await group.submit(Item(held, "goes")) == "wrote goes"
    assert not waits.done()
    suspended.confirm(for_long())
    assert await asyncio.wait_for(waits, 60) == "wrote waits"
    assert disk.groups == [["goes"], ["waits"]]


async def test_a_lease_lost_during_an_outage_ends_the_wait(disk: Disk, group: GroupCommit[Item, str]) -> None:
    held = lease()
    disk.faults = [AutoReconnect("away")] * 100
    future = group.submit(Item(held, "a"))
    await asyncio.sleep(0.02)
    held.lose()
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(future, 60)
