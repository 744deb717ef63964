"""A day of lease renewals, on a clock that jumps: nothing drifts, and no shard changes hands without a reason."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from libs.runtime import shards
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease, Shards
from tests.faults.accelerated import JumpingLoop, LeaseTable

HOUR_S, DAY_S = 3_600.0, 86_400.0
SHARDS, REPLICAS = 4, 2
SETTLED_AFTER_S = 30.0
TIMING = Timing()


class Renewals:
    """Two replicas of a service and their leases; `suspended` counts the moments at which an owner could not act."""

    def __init__(self) -> None:
        self._random = random.Random(20)  # noqa: S311 - to be repeated, not to be secret
        self.table = LeaseTable(self._answer_s)
        self.replicas = [self._replica(number) for number in range(REPLICAS)]
        self.claims = self.losses = self.suspended = 0

    def _answer_s(self) -> float:
        """How long MongoDB takes: mostly a millisecond, now and then most of what the lease allows."""
        return self._random.choice((0.9, 0.4)) if self._random.random() < 0.001 else self._random.uniform(0.001, 0.01)

    def _replica(self, number: int) -> Shards:
        return Shards(
            service="sender",
            replica=f"sender-{number}",
            count=SHARDS,
            leases=self.table,  # type: ignore[arg-type]  # the calls that it makes
            on_claimed=self._claimed,
            on_gone=self._gone,
            announce=_nobody_hears,
        )

    async def _claimed(self, _: Lease) -> None:
        self.claims += 1

    async def _gone(self, _: Lease) -> None:
        self.losses += 1

    async def run(self, for_s: float) -> None:
        """Renew for this long, looking at the leases every second once they have settled."""
        running = [asyncio.create_task(replica.run()) for replica in self.replicas]
        await asyncio.sleep(SETTLED_AFTER_S)
        self.claims = self.losses = 0
        for _ in range(int(for_s - SETTLED_AFTER_S)):
            await asyncio.sleep(1)
            self.suspended += sum(not lease.usable for one in self.replicas for lease in one.held.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _nobody_hears() -> None:
    return


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[JumpingLoop]:
    """The jumping loop; what `shards.py` takes for the time is its clock."""
    loop = JumpingLoop()
    monkeypatch.setattr(shards.time, "monotonic", loop.time)
    yield loop
    loop.close()


def _renewals(loop: JumpingLoop, for_s: float) -> None:
    renewals = Renewals()
    loop.run_until_complete(renewals.run(for_s))
    rows = [row for row in renewals.table.rows.values() if row.get("shard") is not None]
    beats = [row["beat"] for row in rows]
    print(f"{for_s / HOUR_S:.0f} h of renewals: {min(beats)} to {max(beats)} beats, {renewals.claims} claims")  # noqa: T201
    assert (renewals.claims, renewals.losses) == (0, 0), "a shard changed hands"
    assert renewals.suspended == 0
    assert [len(replica.held) for replica in renewals.replicas] == [SHARDS // REPLICAS] * REPLICAS
    expected = for_s / TIMING.poll_every_s
    assert all(0.99 * expected < beat <= expected + 10 for beat in beats), f"{beats} beats, {expected:.0f} expected"


def test_an_hour_of_renewals_does_not_drift(loop: JumpingLoop) -> None:
    _renewals(loop, HOUR_S)


@pytest.mark.soak
def test_a_day_of_renewals_does_not_drift(loop: JumpingLoop) -> None:
    _renewals(loop, DAY_S)
