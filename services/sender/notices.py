"""Tells customers what is to be told of their credits: soon after it is stored, and for whoever died before telling."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from libs.contracts.credits import LedgerEntry
from libs.contracts.events import CustomerNotified
from libs.runtime import logs
from libs.runtime.bus import Bus
from libs.runtime.facts import tell
from libs.runtime.feeds import is_infrastructure
from libs.runtime.tasks import end

LOOK_EVERY_S = 3.0
LEFT_BEHIND_S = 3.0
"""What is older is told by whoever finds it: the process that stored it would have told it."""


class Stored(Protocol):
    """Where the facts are stored; `news` is set when there are new ones."""

    @property
    def news(self) -> asyncio.Event: ...

    async def untold(self, before: datetime) -> list[LedgerEntry]: ...
    async def forget_told(self, entries: Sequence[LedgerEntry]) -> None: ...


class Notices:
    """One process's telling. Several may tell the same fact: status knows it by its id."""

    def __init__(self, stored: Stored, bus: Bus, shards: int) -> None:
        self._stored, self._bus, self._shards = stored, bus, shards
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._run(), name="notices")

    async def stop(self) -> None:
        """End; what is untold is found by another process."""
        if self._task is not None:
            await end(self._task)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._stored.news.wait()
            is_news = self._stored.news.is_set()
            self._stored.news.clear()
            now = datetime.now(UTC)
            try:
                await self._tell(now if is_news else now - timedelta(seconds=LEFT_BEHIND_S))
            except Exception as error:
                if not is_infrastructure(error):
                    logs.get().exception("notices are told later")
                await asyncio.sleep(LOOK_EVERY_S)

    async def _tell(self, before: datetime) -> None:
        entries = await self._stored.untold(before)
        facts = [msgspec.convert(fact, CustomerNotified) for entry in entries for fact in entry.untold]
        if facts:
            await tell(self._bus, facts, self._shards)
            await self._stored.forget_told(entries)
