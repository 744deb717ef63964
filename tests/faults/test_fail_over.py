"""Replicas die, and are restarted as planned: how long sessions are away, and that callers notice nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.callers import Caller
from tests.faults.replica import environment_of
from tests.faults.shop import Shop
from tests.faults.switchboard import Switchboard, spread
from tests.faults.witness import Witness
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

pytestmark = [pytest.mark.needs_go, pytest.mark.soak]

SESSIONS = int(os.environ.get("MERPATI_FAIL_OVER_SESSIONS", "200"))
KILLS = int(os.environ.get("MERPATI_FAIL_OVER_KILLS", "10"))
CONTACTS = 10
REPLICAS = 3
P95_S, PLANNED_S = 5.0, 1.0
CALLS_PER_S = 15.0
SERVICES = tuple(f"{service}-{number}" for service in ("api", "sender", "status") for number in (1, 2))
SOCKETS = tuple(f"sessions-simulator-{number}" for number in range(1, REPLICAS + 1))


class Scene:
    """A stack with three replicas of sessions, and everybody connected."""

    def __init__(self, stack: RunningStack, shop: Shop, switchboard: Switchboard, witness: Witness) -> None:
        self.stack, self.shop, self.switchboard, self.witness = stack, shop, switchboard, witness

    async def settled(self) -> None:
        """Wait until each replica of sessions has its fair share, and everybody is connected."""

        async def fair() -> bool:
            shares = await self.witness.shards_by_replica("sessions/simulator")
            return len(shares) == REPLICAS and max(shares.values()) - min(shares.values()) <= 1

        await eventually(fair, within_s=60, every_s=0.2)
        await self.switchboard.all_back()

    async def restart(self, name: str) -> None:
        """SIGTERM, as an operator or an update does it; returns when the new process says that it is ready."""
        old = self.stack.pids[name]
        port = environment_of(old).get("MERPATI_HEALTH_PORT")  # its successor's too, whose own is not readable at once
        os.kill(old, signal.SIGTERM)
        await self.stack.restarted(name, old, timeout_s=30)
        if port is None:  # nats, mongod
            return
        async with httpx.AsyncClient(trust_env=False) as client:

            async def ready() -> bool:
                try:
                    return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
                except httpx.TransportError:
                    return False

            await eventually(ready, within_s=60)


@asynccontextmanager
async def three_replicas(tmp_path: Path, sessions: int) -> AsyncGenerator[Scene]:
    """Everything running, everybody connected, each replica with its share."""
    options = ("--networks", "simulator", "--replicas", f"api=2,sender=2,status=2,sessions={REPLICAS}")
    async with running_stack(tmp_path, *options, hasty=True) as stack, AsyncExitStack() as closing:
        shop = Shop(stack)
        closing.push_async_callback(shop.close)
        await shop.open(sessions=sessions, contacts=CONTACTS)
        witness = await closing.enter_async_context(Witness(stack.ready))
        switchboard = await closing.enter_async_context(Switchboard(stack.simulator_url, shop.numbers))
        scene = Scene(stack, shop, switchboard, witness)
        await scene.settled()
        yield scene


@asynccontextmanager
async def calls_to(scene: Scene) -> AsyncGenerator[None]:
    """Calls while the block runs, over lasting connections and over new ones; none of them may fail."""
    callers = [Caller(scene.stack, scene.shop, keep_alive=keep_alive) for keep_alive in (True, False)]
    over = asyncio.Event()
    async with asyncio.TaskGroup() as calling:
        for caller in callers:
            calling.create_task(caller.go_on(CALLS_PER_S / len(callers), over))
        yield
        over.set()
    for caller, kind in zip(callers, ("lasting", "new"), strict=True):
        print(f"over {kind} connections: {caller}")  # noqa: T201
        await caller.close()
    assert not any(caller.failures for caller in callers), [caller.failures for caller in callers]


async def _assert_each_send_arrived(scene: Scene) -> None:
    await scene.shop.all_shown(within_s=120)
    await scene.shop.assert_each_arrived_once()
    await scene.witness.assert_outbox_settles(set(scene.shop.accepted), within_s=60)


async def test_sessions_of_a_killed_replica_are_connected_elsewhere_within_seconds(tmp_path: Path) -> None:
    async with three_replicas(tmp_path, SESSIONS) as scene:
        away: list[float] = []
        for kill in range(KILLS):
            began = time.monotonic()
            scene.stack.kill(SOCKETS[kill % REPLICAS])
            await eventually(lambda: _somebody_is_away(scene))
            await scene.switchboard.all_back()
            away += scene.switchboard.absences_since(began)
            await scene.settled()
        print(f"{KILLS} kills of one of {REPLICAS} replicas, {SESSIONS} sessions: away {spread(sorted(away))}")  # noqa: T201
        assert len(away) >= KILLS * SESSIONS / REPLICAS / 2
        assert sorted(away)[int(len(away) * 0.95)] < P95_S


async def _somebody_is_away(scene: Scene) -> bool:
    return scene.switchboard.away > 0


async def test_a_planned_restart_keeps_each_session_away_for_less_than_a_second(tmp_path: Path) -> None:
    async with three_replicas(tmp_path, SESSIONS) as scene:
        away: list[float] = []
        async with calls_to(scene):
            for name in SOCKETS:
                began = time.monotonic()
                await scene.restart(name)
                await scene.switchboard.all_back()
                away += scene.switchboard.absences_since(began)
                await scene.settled()
        print(f"{REPLICAS} planned restarts, {SESSIONS} sessions: away {spread(sorted(away))}")  # noqa: T201
        assert len(away) >= SESSIONS / 2
        assert max(away) < PLANNED_S
        await _assert_each_send_arrived(scene)


async def test_a_rolling_restart_of_everything_fails_no_call(tmp_path: Path) -> None:
    async with three_replicas(tmp_path, 20) as scene:
        async with calls_to(scene):
            for name in (*SERVICES, *SOCKETS, "nats", "mongod"):
                await scene.restart(name)
                await asyncio.sleep(1)
            await scene.settled()
        await _assert_each_send_arrived(scene)
