"""Writes how much each session has still to send, for the edge's limit and for health; never in the way."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pymongo.errors import PyMongoError

from libs.runtime import logs
from libs.runtime.tasks import end
from services.sender.store import Depth, Store


class Measured(Protocol):
    """A shard whose sessions have a depth."""

    def depth_of(self, session_id: str) -> Depth | None:
        """The depth now; None when the shard is no longer ours."""
        ...


class Depths:
    """Collects which sessions have changed, and writes their depths at most once per period."""

    def __init__(self, store: Store, *, every_s: float) -> None:
        self._store, self._every_s = store, every_s
        self._changed: dict[str, Measured] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="queue depths")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            await end(self._task)

    def changed(self, shard: Measured, session_id: str) -> None:
        """Something came to, or left, this session."""
        self._changed[session_id] = shard

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            changed, self._changed = self._changed, {}
            depths = [depth for session, shard in changed.items() if (depth := shard.depth_of(session)) is not None]
            if not depths:
                continue
            try:
                await self._store.write_depths(depths)
            except PyMongoError as error:
                logs.get().warning("queue depths are written later", error=type(error).__name__)
                self._changed = {**changed, **self._changed}
