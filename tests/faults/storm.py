"""A storm: one process after another, drawn from a seed, is killed with SIGKILL."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence

from tests.processes import eventually
from tests.stack import RunningStack

BACK_WITHIN_S = 30.0


class Storm:
    """Kills a random process of the stack every few seconds; the same seed draws the same victims."""

    def __init__(self, stack: RunningStack, victims: Sequence[str], *, seed: int, every_s: float) -> None:
        self._stack, self._victims, self._every_s = stack, victims, every_s
        self._random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.kills: list[tuple[float, str]] = []
        """Seconds since the beginning, and who."""
        self._killed: dict[str, int] = {}

    async def rage(self, for_s: float) -> None:
        """Kill until the time is over."""
        began = time.monotonic()
        while time.monotonic() - began < for_s:
            due = began + len(self.kills) * self._every_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            victim = self._random.choice(self._victims)
            await self._until_it_runs(victim)
            self._killed[victim] = self._stack.kill(victim)
            self.kills.append((time.monotonic() - began, victim))

    async def _until_it_runs(self, victim: str) -> None:
        """One that was just killed is killed again as soon as it is back."""

        async def runs() -> bool:
            return self._stack.pids.get(victim, 0) not in {0, self._killed.get(victim)}

        await eventually(runs, within_s=BACK_WITHIN_S)

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {times}" for name, times in sorted(Counter(v for _, v in self.kills).items()))
        return f"{len(self.kills)} kills ({counted})"
