"""What an edge believes for up to 5 s without asking MongoDB: keys, logins and sessions, dropped when they change."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Generator
from typing import Any, TypeVar, cast

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.contracts.ids import CACHE_DROPPED
from libs.runtime.bus import Bus

T = TypeVar("T")

RETRY_S = 0.2


class Memory:
    """One edge's beliefs, by name (`key/<hash>`, `login/<id>`, `session/<customer>/<id or name>`).

    Each has a `subject`: the thing it is about, which a change names in its broadcast. Without NATS a broadcast could
    be missed, so nothing is believed then, and all is forgotten after a reconnect.
    """

    def __init__(self, bus: Bus, *, life_s: float, entries: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus, self._life_s, self._most, self._clock = bus, life_s, entries, clock
        self._beliefs: dict[str, tuple[float, str, Any]] = {}
        self._readings: dict[tuple[str, int], asyncio.Future[Any]] = {}
        self._watches: dict[str, list[Callable[[], None]]] = {}
        self._changes = 0
        self._contact = -1
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        """Listen for changes that other edges make, as soon as NATS lets us; until then nothing is believed."""
        while self._subscription is None:
            try:
                subscription = await self._bus.nats.subscribe(CACHE_DROPPED, cb=self._heard)
                await self._bus.nats.flush()
            except (nats.errors.Error, TimeoutError):
                await asyncio.sleep(RETRY_S)
            else:
                self._subscription = subscription

    async def stop(self) -> None:
        """Listen no more."""
        if self._subscription is not None and self._bus.connected:
            await self._subscription.unsubscribe()
        self._subscription = None

    async def believe(
        self, name: str, subject_of: Callable[[T], str], read: Callable[[], Awaitable[T | None]]
    ) -> T | None:
        """What is believed under `name`, else what `read` finds, which is then believed. None is never believed."""
        usable = self._is_usable()
        if usable:
            belief = self._beliefs.get(name)
            if belief is not None and belief[0] > self._clock():
                return cast("T", belief[2])
        changes = self._changes
        found = await (self._read_once(name, read) if usable else read())
        if found is not None and usable and changes == self._changes:
            self._keep(name, subject_of(found), found)
        return found

    async def _read_once(self, name: str, read: Callable[[], Awaitable[T | None]]) -> T | None:
        """One read for all who ask at the same time; not for those who ask after a change, which it may have missed."""
        asked = (name, self._changes)
        reading = self._readings.get(asked)
        if reading is None:
            reading = self._readings[asked] = asyncio.ensure_future(read())
            reading.add_done_callback(lambda _: self._readings.pop(asked, None))
        return await asyncio.shield(reading)  # one client that goes away must not end the read for the others

    @contextlib.contextmanager
    def watching(self, subjects: Collection[str], call: Callable[[], None]) -> Generator[None]:
        """Call this whenever one of these subjects changes, here or in another edge, while the block runs.

        What changes while NATS is away is not told.
        """
        for subject in subjects:
            self._watches.setdefault(subject, []).append(call)
        try:
            yield
        finally:
            for subject in subjects:
                self._watches[subject].remove(call)
                if not self._watches[subject]:
                    del self._watches[subject]

    async def drop(self, subject: str) -> None:
        """This has changed: forget it here at once, and in the other edges."""
        self._forget(subject)
        await self._bus.broadcast(CACHE_DROPPED, subject.encode())

    async def _heard(self, message: Msg) -> None:
        self._forget(message.data.decode(errors="replace"))

    def _forget(self, subject: str) -> None:
        self._changes += 1
        for name in [name for name, belief in self._beliefs.items() if belief[1] == subject]:
            del self._beliefs[name]
        for call in tuple(self._watches.get(subject, ())):
            call()

    def _keep(self, name: str, subject: str, found: Any) -> None:
        if len(self._beliefs) >= self._most:
            self._beliefs.clear()  # simpler than an order of use, and rarer than the 5 s that an entry lives anyway
        self._beliefs[name] = (self._clock() + self._life_s, subject, found)

    def _is_usable(self) -> bool:
        if self._subscription is None or not self._bus.connected:
            self._contact = -1
            return False
        contact = int(self._bus.nats.stats["reconnects"])
        if contact != self._contact:
            self._contact = contact
            self._changes += 1
            self._beliefs.clear()
        return True
