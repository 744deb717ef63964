"""How a crowd of sessions comes back: how many are logged in, and how many are at it, ten times a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.faults.simulated import SimulatedNetwork

EVERY_S = 0.1
ESTABLISHED = "01"


class Logins:
    """Watches the simulated network from when it is entered to when it is left."""

    def __init__(self, network: SimulatedNetwork, endpoint: str) -> None:
        self._network = network
        self._port = urlsplit(endpoint).port or 0
        self._task: asyncio.Task[None] | None = None
        self._began = 0.0
        self.connected = 0
        self.at_once = 0
        """The most sockets at a time that were open and not logged in yet, as the kernel counts them."""
        self.last_at_s = 0.0
        """Seconds until the last change."""
        self.per_second = Counter[int]()

    async def __aenter__(self) -> Self:
        self._began = time.monotonic()
        self.connected = (await self._network.stats())["connected"]
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _watch(self) -> None:
        while True:
            sockets = await asyncio.to_thread(established_to, self._port)
            connected = (await self._network.stats())["connected"]
            at_s = time.monotonic() - self._began
            self.at_once = max(self.at_once, sockets - connected)
            if connected > self.connected:
                self.per_second[int(at_s)] += connected - self.connected
                self.last_at_s = at_s
            self.connected = connected
            await asyncio.sleep(EVERY_S)

    async def are(self, number: int) -> bool:
        """Whether so many are logged in."""
        return self.connected == number


def established_to(port: int) -> int:
    """The established TCP connections to this port of the loopback, counted at its own end."""
    count = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == ESTABLISHED and int(fields[1].rpartition(":")[2], 16) == port:
            count += 1
    return count
