"""Counts the use of keys against their rates: in this process, from shares of windows that all edges draw on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from libs.runtime.mongo import Database
from services.api.access.rates import Rate, Tally, resets_in_s, window_at
from services.api.access.store_rates import take_share

MOST_SHARES = 20_000


class _Share:
    """What this edge has of one window."""

    def __init__(self, *, window: int, limit: int) -> None:
        self.window, self.limit = window, limit
        self.left = 0
        self.taken = 0
        """By all edges together, as far as this one has seen."""
        self.filling: asyncio.Task[None] | None = None


class Limiter:
    """One edge's shares. MongoDB is asked once for a tenth of what is left, not once for each request."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock
        self._shares: dict[str, _Share] = {}

    async def take(self, subject: str, rate: Rate) -> Tally:
        """Count one more against this rate of `subject` (a key's id). Raises PyMongoError while MongoDB is away."""
        at = self._clock()
        name = f"{rate.of}/{subject}"
        share = self._share_of(name, window_at(at), rate.per_minute)
        while share.left == 0:
            if share.taken >= share.limit:
                return Tally(rate=rate, remaining=0, resets_in_s=resets_in_s(at), is_over=True)
            await self._fill(name, share)
        share.left -= 1
        remaining = max(0, share.limit - share.taken) + share.left
        return Tally(rate=rate, remaining=remaining, resets_in_s=resets_in_s(at))

    def _share_of(self, name: str, window: int, limit: int) -> _Share:
        share = self._shares.get(name)
        if share is None or share.window != window or share.limit != limit:
            if len(self._shares) >= MOST_SHARES:
                self._shares = {name: kept for name, kept in self._shares.items() if kept.window == window}
            share = self._shares[name] = _Share(window=window, limit=limit)
        return share

    async def _fill(self, name: str, share: _Share) -> None:
        """One look for all who wait for it."""
        if share.filling is None or share.filling.done():
            share.filling = asyncio.create_task(self._take(name, share))
            share.filling.add_done_callback(_heard)
        await asyncio.shield(share.filling)  # one client that goes away must not end it for the others

    async def _take(self, name: str, share: _Share) -> None:
        got, share.taken = await take_share(self._database, name, window=share.window, limit=share.limit)
        share.left += got


def _heard(filling: asyncio.Task[None]) -> None:
    """The failure of a look that nobody waits for any more needs no report."""
    if not filling.cancelled():
        filling.exception()
