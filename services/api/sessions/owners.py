"""Whether the owner of a session still lives: told from its lease's beats, by this edge's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

GONE_AFTER_S = 6.0
"""An owner beats every 0.5 s, and another one may claim its shard after 3 s."""


class OwnerLease(msgspec.Struct, frozen=True, kw_only=True):
    """The lease of a sessions shard, as `libs/runtime/shards.py` keeps it in `leases`."""

    id: str = msgspec.field(name="_id")
    owner: str | None = None
    epoch: int = 0
    beat: int = 0


class Owners:
    """Remembers when each lease was last seen to move. A lease seen for the first time counts as alive."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved: dict[str, tuple[int, int, float]] = {}

    def is_away(self, lease: OwnerLease | None) -> bool:
        """Whether nobody owns the shard, or its owner has not beaten for `GONE_AFTER_S`."""
        if lease is None or lease.owner is None:
            return True
        known, at = self._moved.get(lease.id), self._clock()
        if known is None or known[:2] != (lease.epoch, lease.beat):
            self._moved[lease.id] = (lease.epoch, lease.beat, at)
            return False
        return at - known[2] > GONE_AFTER_S
