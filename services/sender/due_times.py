"""When each of many things is due: pure, and in memory never longer than twice what it holds."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime

MOST_OUTDATED = 64
"""Entries that no longer hold, beyond as many as there are others, before they are thrown away."""


class DueTimes:
    """One time for each key."""

    def __init__(self) -> None:
        self._times: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def __contains__(self, key: str) -> bool:
        return key in self._times

    def all(self) -> list[str]:
        """Every key that has a time."""
        return list(self._times)

    @property
    def size(self) -> int:
        """Entries in memory, with those that no longer hold."""
        return len(self._heap)

    def set(self, key: str, at: datetime) -> None:
        """From now on the key is due at this time alone."""
        if self._times.get(key) == at:
            return
        self._times[key] = at
        heapq.heappush(self._heap, (at, key))
        self._tidy()

    def drop(self, key: str) -> None:
        """The key is not due at any time."""
        if self._times.pop(key, None) is not None:
            self._tidy()

    def first(self) -> datetime | None:
        """When the next key is due."""
        while self._heap and not self._holds(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: datetime) -> Iterator[str]:
        """Takes out the keys that are due, earliest first."""
        while (at := self.first()) is not None and at <= now:
            _, key = heapq.heappop(self._heap)
            del self._times[key]
            yield key

    def _holds(self, at: datetime, key: str) -> bool:
        return self._times.get(key) == at

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._times) + MOST_OUTDATED:
            self._heap = [(at, key) for key, at in self._times.items()]
            heapq.heapify(self._heap)
