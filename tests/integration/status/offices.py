"""NATS, MongoDB, an endpoint of the test's own, and the status processes that deliver to it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from libs.runtime.bus import Bus
from libs.runtime.mongo import Database
from tests.integration.status.hooks import Hooks, due
from tests.integration.status.stream import frames_in
from tests.processes import Running, eventually, service
from tests.receiver import Receiver

STATUS = "services.status.app"


class Office:
    """NATS, MongoDB, an endpoint, and the status processes that a test starts."""

    def __init__(self, bus: Bus, database: Database, endpoint: Receiver, settings: dict[str, Any], path: Path) -> None:
        self.bus, self.endpoint, self._settings, self._path = bus, endpoint, settings, path
        self.hooks = Hooks(bus, database.client, database)

    def status(self, replica: str = "one", **settings: str) -> AbstractAsyncContextManager[Running]:
        """A status process, while the block runs."""
        return service(STATUS, self._path, replica=replica, **(self._settings | settings))

    async def told(self, frames: int) -> None:
        """Wait until UPDATES holds so many."""

        async def enough() -> bool:
            return await frames_in(self.bus) >= frames

        await eventually(enough)

    async def all_came(self, webhook: Any, path: str = "/", *, since: int | None = None) -> None:
        """Everything that is due has come, each session's frames in order."""
        wanted = await due(self.bus, webhook, since=since)

        async def came() -> bool:
            return self.endpoint.by_session(path) == wanted

        try:
            await eventually(came, every_s=0.2)
        except AssertionError:
            assert self.endpoint.by_session(path) == wanted
            raise

    async def all_settled(self, webhook: Any) -> None:
        """Wait until each frame of UPDATES has a delivery that has ended."""

        async def settled() -> bool:
            counts = await self.hooks.statuses(webhook)
            return "pending" not in counts and sum(counts.values()) == await frames_in(self.bus)

        await eventually(settled)
