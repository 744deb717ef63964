"""Five hundred sessions come back from nothing, staggered; and what each of them costs in memory while it is idle."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec
import pytest

from infra.local.simulator import Listening
from tests.faults.logins import Logins
from tests.faults.memory import resident_mb
from tests.faults.shop import Shop
from tests.faults.simulated import SimulatedNetwork
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

pytestmark = [pytest.mark.needs_go, pytest.mark.soak]

STEPS = (1, 100, 500)
LOGINS_AT_ONCE = 50
SETTLED_AFTER_S = 60
"""The garbage of the logins is collected by then, and its memory given back to the kernel."""
MOST_MB = 1.0
OWNER, ENGINE = "sessions-simulator-1", "engine-simulator-1"


class Crowd:
    """Linked sessions on one stack, in growing number."""

    def __init__(self, stack: RunningStack, network: SimulatedNetwork) -> None:
        self._stack, self._network = stack, network
        self._endpoint = msgspec.json.decode((stack.data / "simulator.out").read_bytes(), type=Listening).endpoint
        self.linked = 0

    async def grow(self, to: int) -> None:
        """Link more, until there are so many."""
        shop = Shop(self._stack)
        await shop.open(sessions=to - self.linked, contacts=0)
        await shop.close()
        self.linked = to

    async def starts_cold(self, within_s: float) -> Logins:
        """Kill the owner of all sessions, and its engine with it; wait until everybody is back."""
        logins = Logins(self._network, self._endpoint)
        old = self._stack.kill(OWNER)
        await eventually(self._nobody_is_left)
        async with logins:
            await self._stack.restarted(OWNER, old)
            await eventually(partial(logins.are, self.linked), within_s=within_s)
        return logins

    async def _nobody_is_left(self) -> bool:
        return (await self._network.stats())["connected"] == 0

    def memory_mb(self) -> tuple[float, float]:
        """Resident: the service and its engine worker."""
        return resident_mb(self._stack.pids[OWNER]), resident_mb(self._stack.pids[ENGINE])


@pytest.mark.timeout(1500)
async def test_five_hundred_sessions_start_cold_and_cost_a_megabyte_each_at_most(tmp_path: Path) -> None:
    measured: dict[int, float] = {}
    async with (
        running_stack(tmp_path, "--networks", "simulator") as stack,
        SimulatedNetwork(stack.simulator_url) as network,
    ):
        crowd = Crowd(stack, network)
        for sessions in STEPS:
            await crowd.grow(sessions)
            logins = await crowd.starts_cold(within_s=120)
            _tell_start(sessions, logins)
            assert logins.at_once <= LOGINS_AT_ONCE
            await asyncio.sleep(SETTLED_AFTER_S)  # not for a condition: memory is given back when the runtime likes
            service, engine = crowd.memory_mb()
            measured[sessions] = service + engine
            print(f"{sessions} idle sessions: service {service:.0f} MB, engine worker {engine:.0f} MB")  # noqa: T201
    for sessions in STEPS[1:]:
        each_mb = (measured[sessions] - measured[1]) / (sessions - 1)
        print(f"beyond the first, at {sessions}: {each_mb:.2f} MB each")  # noqa: T201
        assert each_mb <= MOST_MB


def _tell_start(sessions: int, logins: Logins) -> None:
    rates = ", ".join(f"{second} s: {number}" for second, number in sorted(logins.per_second.items()))
    print(  # noqa: T201
        f"cold start of {sessions}: the last after {logins.last_at_s:.1f} s, at most {logins.at_once} logins at once; "
        f"logins per second {rates}"
    )
