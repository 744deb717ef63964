"""How many requests run at once: few for each webhook, fewer for one that fails, and a bound for all.

So an endpoint that is slow or dead takes nothing from the others: it fills its own few places and waits there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

OF_EACH = 8
OF_ONE_THAT_FAILS = 2
IN_ALL = 512
OF_ALL_THAT_FAIL = 128
"""Of those; so many dead endpoints leave the rest to the living."""


class _Places:
    """One webhook's places."""

    def __init__(self) -> None:
        self.well, self.failing = asyncio.Semaphore(OF_EACH), asyncio.Semaphore(OF_ONE_THAT_FAILS)
        self.users = 0


class Slots:
    """The places of one process."""

    def __init__(self) -> None:
        self._of: dict[str, _Places] = {}
        self._all, self._failing = asyncio.Semaphore(IN_ALL), asyncio.Semaphore(OF_ALL_THAT_FAIL)

    @contextlib.asynccontextmanager
    async def taken(self, webhook_id: str, *, failing: bool) -> AsyncGenerator[None]:
        """A place while the block runs; waits for one, first of the webhook's own, then of all."""
        places = self._of.setdefault(webhook_id, _Places())
        places.users += 1
        try:
            async with places.failing if failing else places.well, self._shared(failing):
                yield
        finally:
            places.users -= 1
            if not places.users:
                del self._of[webhook_id]

    @contextlib.asynccontextmanager
    async def _shared(self, failing: bool) -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as held:
            if failing:
                await held.enter_async_context(self._failing)
            await held.enter_async_context(self._all)
            yield
