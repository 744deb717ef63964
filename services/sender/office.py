"""What all shards of one sender process share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from services.sender.customers import Customers
from services.sender.depths import Depths
from services.sender.gate import Manners
from services.sender.groups import GroupCommit
from services.sender.lane_context import Terms
from services.sender.ledger import Booking
from services.sender.notices import Notices
from services.sender.store import Change, Insertion, Store, Ways
from services.sender.telling import Telling


class ShardTerms(Terms, Protocol):
    """The limits a shard works under."""

    def manners_of(self, ways: Ways, network: str, now: datetime) -> Manners:
        """How a session may send."""
        ...


class Part(Protocol):
    """Something that runs."""

    def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """End."""
        ...


class Office(msgspec.Struct, frozen=True, kw_only=True):
    """What all shards of this process share."""

    bus: Bus
    store: Store
    inserts: GroupCommit[Insertion, frozenset[str]]
    changes: GroupCommit[Change, None]
    tellings: GroupCommit[Telling, None]
    bookings: GroupCommit[Booking, frozenset[str]]
    customers: Customers
    notices: Notices
    depths: Depths
    terms: ShardTerms
    crash: CrashPoints
    answer_timeout_s: float
    deliver_deadline_s: float
    stop_patience_s: float
    sweep_every_s: float

    @property
    def parts(self) -> Sequence[Part]:
        """What runs beside the shards: started before them, stopped after them."""
        return (
            self.inserts,
            self.changes,
            self.tellings,
            self.bookings,
            self.customers,
            self.notices,
            self.depths,
        )
