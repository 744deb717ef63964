"""A kill storm under load, both ways: nothing is lost or doubled, and the stream tells it all once."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.faults.audience import Audience
from tests.faults.shop import Shop
from tests.faults.storm import Storm
from tests.faults.witness import Witness
from tests.faults.writers import Writers
from tests.stack import running_stack

STORM_S = float(os.environ.get("MERPATI_STORM_S", "600"))
SEED = int(os.environ.get("MERPATI_STORM_SEED", "20261120"))
KILL_EVERY_S = 5.0
OUT_PER_S, IN_PER_S = 20.0, 10.0
SESSIONS, CONTACTS, AUDIENCES = 50, 40, 3
SETTLED_WITHIN_S = 180.0

pytestmark = [pytest.mark.needs_go, pytest.mark.soak, pytest.mark.timeout(STORM_S + 600)]

TWO_OF_EACH = "api=2,sender=2,sessions=2,status=2"
VICTIMS = (
    *(f"{service}-{number}" for service in ("api", "sender", "status") for number in (1, 2)),
    *(f"{process}-simulator-{number}" for process in ("sessions", "engine") for number in (1, 2)),
    *("nats", "mongod"),
)


async def test_a_kill_storm_loses_and_doubles_nothing_in_either_direction(tmp_path: Path) -> None:
    options = ("--networks", "simulator", "--replicas", TWO_OF_EACH)
    async with running_stack(tmp_path, *options, hasty=True) as stack, AsyncExitStack() as closing:
        shop = Shop(stack)
        closing.push_async_callback(shop.close)
        await shop.open(sessions=SESSIONS, contacts=CONTACTS)
        writers = Writers(shop, stack.simulator_url)
        closing.push_async_callback(writers.close)
        audiences = [await closing.enter_async_context(Audience(stack.url, stack.key)) for _ in range(AUDIENCES)]

        storm = Storm(stack, VICTIMS, seed=SEED, every_s=KILL_EVERY_S)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(shop.send_on(OUT_PER_S, over))
            group.create_task(writers.write_on(IN_PER_S, over))
            await storm.rage(STORM_S)
            over.set()
        calm = time.monotonic()
        print(f"seed {SEED}: {storm}; {len(shop.accepted)} out, {len(writers.written)} in")  # noqa: T201
        await shop.all_shown(within_s=SETTLED_WITHIN_S)
        await asyncio.gather(*(writers.all_heard(audience, within_s=SETTLED_WITHIN_S) for audience in audiences))
        print(f"settled {time.monotonic() - calm:.1f} s after the last kill")  # noqa: T201

        await shop.assert_each_arrived_once()
        async with Witness(stack.ready) as witness:
            await witness.assert_outbox_settles(set(shop.accepted), within_s=SETTLED_WITHIN_S)
            assert await witness.dead_letters() == 0
            for audience in audiences:
                await audience.all_told(shop.accepted)
                audience.assert_flawless()
                writers.assert_each_came_in_once(audience)
                await witness.assert_heard_all(audience)
        print(f"the audiences connected {[audience.connections for audience in audiences]} times")  # noqa: T201
