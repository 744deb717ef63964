"""Who is connected, as the simulated network sees it: how long each number was away, to some hundredths of a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from types import TracebackType
from typing import Any, Self

import httpx

from tests.processes import eventually

LOOK_EVERY_S = 0.03


class Switchboard:
    """Watches which numbers have a connected device, and notes every absence."""

    def __init__(self, simulator_url: str, numbers: list[str]) -> None:
        self._http = httpx.AsyncClient(base_url=simulator_url, timeout=40, trust_env=False)
        self._numbers = set(numbers)
        self._away_since: dict[str, float] = {}
        self.absences: list[tuple[str, float, float]] = []
        """Number, from, to; monotonic seconds."""
        self.looks = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._http.aclose()

    async def _watch(self) -> None:
        while True:
            answer = await self._http.get("/phones")
            self._note({phone["number"] for phone in answer.json()["phones"] if _is_connected(phone)}, time.monotonic())
            self.looks += 1
            await asyncio.sleep(LOOK_EVERY_S)

    def _note(self, connected: set[str], now: float) -> None:
        for number in self._numbers - connected:
            self._away_since.setdefault(number, now)
        for number in self._away_since.keys() & connected:
            self.absences.append((number, self._away_since.pop(number), now))

    @property
    def away(self) -> int:
        """How many are not connected now."""
        return len(self._away_since)

    async def all_back(self, within_s: float = 30) -> None:
        """Wait until everybody is connected, as a look from now on sees it."""
        looks = self.looks + 1

        async def back() -> bool:
            return self.looks > looks and not self._away_since

        await eventually(back, within_s=within_s)

    def absences_since(self, moment: float) -> list[float]:
        """How long each absence took that ended since then, in seconds, shortest first."""
        return sorted(to - since for _, since, to in self.absences if to >= moment)


def _is_connected(phone: dict[str, Any]) -> bool:
    return any(device["connected"] for device in phone["devices"])


def spread(seconds: list[float]) -> str:
    """p50, p95 and the longest of sorted times."""
    if not seconds:
        return "none"
    p50, p95 = (seconds[min(len(seconds) - 1, int(len(seconds) * share))] for share in (0.50, 0.95))
    return f"{len(seconds)} times, p50 {p50:.2f} s, p95 {p95:.2f} s, longest {seconds[-1]:.2f} s"
