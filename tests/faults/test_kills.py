"""Everything is killed with SIGKILL, one after another, under load; counted on the phones of the simulated network."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.faults.audience import Audience
from tests.faults.replica import extra_replica
from tests.faults.shop import Shop
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.needs_go]

VICTIMS = ("api-1", "sender-1", "sessions-simulator-1", "status-1", "engine-simulator-1", "nats", "mongod")
MESSAGES = 300
PER_SECOND = 8
MANY = 20
"""Sessions: so many that each replica has some, however chance spreads them over the shards."""


async def test_every_process_is_killed_under_load_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    async with running_stack(tmp_path, "--networks", "simulator", hasty=True) as stack:
        shop = Shop(stack)
        await shop.open(sessions=10, contacts=20)
        async with Audience(stack.url, stack.key) as audience:
            sending = asyncio.create_task(_send_all(shop))
            for victim in VICTIMS:
                await asyncio.sleep(1.5)
                await _kill_and_wait(stack, victim)
                await asyncio.sleep(2.5)
            await sending
            assert len(shop.accepted) == MESSAGES
            await shop.all_delivered(within_s=120)
            await shop.assert_each_arrived_once()
            await audience.all_told(shop.accepted)
            audience.assert_flawless()
            print(f"{MESSAGES} messages over {len(VICTIMS)} kills; the audience connected {audience.connections} times")  # noqa: T201
        await shop.close()


async def _send_all(shop: Shop) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(MESSAGES):
            group.create_task(shop.send(number))
            await asyncio.sleep(1 / PER_SECOND)


async def _kill_and_wait(stack: RunningStack, victim: str) -> None:
    await stack.restarted(victim, stack.kill(victim))


async def test_a_replica_that_dies_for_good_is_replaced_without_a_new_code(tmp_path: Path) -> None:
    async with running_stack(tmp_path, "--networks", "simulator") as stack:
        shop = Shop(stack)
        await shop.open(sessions=MANY, contacts=4)
        async with extra_replica(stack, "sessions-simulator-1", tmp_path) as extra:
            moved = await eventually(extra.sessions_held, within_s=60, every_s=0.2)
            await shop.all_connected()
            await asyncio.gather(*(shop.send(number) for number in range(20)))
            killed = time.monotonic()
            await extra.kill()

            async def back() -> bool:
                states = await extra.states_of(moved)
                return all(s["status"] == "connected" and s["epoch"] > moved[s["_id"]] for s in states)

            await eventually(back)
            print(f"{len(moved)} sessions connected elsewhere after {time.monotonic() - killed:.1f} s")  # noqa: T201
            assert all(s["link"] == 1 for s in await extra.states_of(moved)), "a new code was needed"
            await asyncio.gather(*(shop.send(number) for number in range(20, 40)))
            await shop.all_delivered()
            await shop.assert_each_arrived_once()
        await shop.close()
