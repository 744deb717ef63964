"""Outcomes are stored many at a time, and each attempt hears of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from pymongo.errors import AutoReconnect

from services.status.webhooks.settling import MOST, Settled, Settlements
from services.status.webhooks.store import WebhookStore
from tests.unit.status.deliveries import delivery


class Store:
    """Notes the sizes of its writes; `owners` are the epochs of rows that a later owner has."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.owners: dict[str, int] = {}
        self.failures = 0

    async def settle(self, settled: Sequence[Settled]) -> list[bool]:
        self.sizes.append(len(settled))
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise AutoReconnect
        return [self.owners.get(row.id, 0) <= epoch for row, epoch in settled]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def settlements(store: Store) -> Settlements:
    return Settlements(cast("WebhookStore", store))


async def test_what_comes_together_is_stored_together(store: Store, settlements: Settlements) -> None:
    outcomes = await asyncio.gather(*(settlements.settle(delivery(number), 1) for number in range(MOST * 2)))
    assert all(outcomes)
    assert sum(store.sizes) == MOST * 2
    assert len(store.sizes) <= 4


async def test_a_lone_one_is_stored_at_once(store: Store, settlements: Settlements) -> None:
    assert await settlements.settle(delivery(1), 1)
    assert store.sizes == [1]


@pytest.mark.parametrize("steps", range(8))
async def test_one_that_comes_as_the_writes_end_is_stored_too(
    store: Store, settlements: Settlements, steps: int
) -> None:
    first = [asyncio.create_task(settlements.settle(delivery(number), 1)) for number in range(3)]
    for _ in range(steps):
        await asyncio.sleep(0)
    assert await asyncio.wait_for(settlements.settle(delivery(9), 1), 60)
    assert all(await asyncio.gather(*first))


async def test_each_hears_of_its_own_row(store: Store, settlements: Settlements) -> None:
    store.owners = {"whk_1/frm_2": 2}
    outcomes = await asyncio.gather(*(settlements.settle(delivery(number), 1) for number in range(4)))
    assert outcomes == [True, True, False, True]


async def test_a_failure_is_told_to_all_of_its_write_and_the_next_goes_on(
    store: Store, settlements: Settlements
) -> None:
    store.failures = 1
    with pytest.raises(AutoReconnect):
        await settlements.settle(delivery(1), 1)
    assert await settlements.settle(delivery(1), 1)


async def test_one_that_is_not_awaited_any_more_harms_no_other(store: Store, settlements: Settlements) -> None:
    left = asyncio.create_task(settlements.settle(delivery(1), 1))
    other = asyncio.create_task(settlements.settle(delivery(2), 1))
    await asyncio.sleep(0)
    left.cancel()
    assert await other


async def test_what_is_not_awaited_any_more_is_written_before_what_waits_for_it(
    store: Store, settlements: Settlements
) -> None:
    left = asyncio.create_task(settlements.settle(delivery(1), 1))
    await asyncio.sleep(0)
    left.cancel()
    assert store.sizes == []
    await settlements.until_written()
    assert store.sizes == [1]
    await settlements.until_written()


async def test_a_write_that_fails_keeps_nobody_waiting(store: Store, settlements: Settlements) -> None:
    store.failures = 1
    failing = asyncio.create_task(settlements.settle(delivery(1), 1))
    await asyncio.sleep(0)
    await settlements.until_written()
    with pytest.raises(AutoReconnect):
        await failing
