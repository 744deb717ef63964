"""Starts sender: decides whether, when and how often a message leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import uvloop

from libs.runtime.service import Runtime, run
from libs.runtime.settings import read
from libs.runtime.shards import Lease
from services.sender import ledger
from services.sender.customers import Customers
from services.sender.depths import Depths
from services.sender.gate import Manners
from services.sender.groups import GroupCommit
from services.sender.handlers import Owner
from services.sender.ledger import Booking, Ledger
from services.sender.notices import Notices
from services.sender.office import Office
from services.sender.pacing import Pace
from services.sender.retries import Retries
from services.sender.settings import Settings
from services.sender.shard import Shard
from services.sender.store import Change, Insertion, Store, Ways, ensure_indexes
from services.sender.telling import Telling, publisher

LARGEST_GROUP = 400
SWEEP_EVERY_S = 1.0


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of this deployment, from its settings."""

    retries: Retries
    pace: Pace
    paced_networks: frozenset[str]
    probe_every_s: float
    refusal_held_s: float
    unknown_limit_s: float

    def manners_of(self, ways: Ways, network: str, now: datetime) -> Manners:
        """How a session may send: by its own pacing, else by its network's. A restriction without an end is looked at
        again after the usual pause."""
        end = ways.restricted_until or now + timedelta(seconds=self.retries.restricted_s)
        restricted_until = end if ways.restricted else None
        own = ways.pacing
        if own is None:
            is_paced = network in self.paced_networks
            pace, limits_new_contacts = (self.pace if is_paced else None), is_paced
        else:
            pace = Pace(per_minute=own.per_minute, burst=own.burst, jitter=own.jitter) if own.per_minute else None
            limits_new_contacts = own.new_contacts
        return Manners(
            pace=pace,
            limits_new_contacts=limits_new_contacts,
            linked_at=ways.linked_at,
            restricted_until=restricted_until,
        )


def terms_of(settings: Settings) -> Terms:
    """The terms that the settings mean."""
    pace = Pace(per_minute=settings.pace_per_minute, burst=settings.pace_burst, jitter=settings.pace_jitter)
    return Terms(
        retries=Retries(
            first_s=settings.retry_first_s,
            longest_s=settings.retry_longest_s,
            handover_s=settings.handover_retry_s,
            restricted_s=settings.restricted_pause_s,
            patience_attempts=settings.patience_attempts,
            recipient_longest_s=settings.recipient_longest_s,
            recipient_limit_s=settings.recipient_limit_s,
            limited_limit_s=settings.limited_limit_s,
        ),
        pace=pace,
        paced_networks=frozenset(name.strip() for name in settings.paced_networks.split(",")),
        probe_every_s=settings.probe_every_s,
        refusal_held_s=settings.refusal_held_s,
        unknown_limit_s=settings.unknown_limit_s,
    )


def office_of(runtime: Runtime, settings: Settings) -> Office:
    """What the shards of this process share."""
    store = Store(runtime.database)
    customers = Customers(runtime.database, runtime.bus, threshold=settings.credits_threshold)
    books = Ledger(runtime.database, threshold=customers.threshold, crash=runtime.crash)
    return Office(
        bus=runtime.bus,
        store=store,
        inserts=GroupCommit[Insertion, frozenset[str]]("inserts", store.insert, largest=LARGEST_GROUP),
        changes=GroupCommit[Change, None]("changes", store.change, largest=LARGEST_GROUP),
        tellings=GroupCommit[Telling, None]("tellings", publisher(runtime.bus, settings.shards), largest=LARGEST_GROUP),
        bookings=GroupCommit[Booking, frozenset[str]]("bookings", books.book, largest=LARGEST_GROUP),
        customers=customers,
        notices=Notices(books, runtime.bus, settings.shards),
        depths=Depths(store, every_s=settings.depth_every_s),
        terms=terms_of(settings),
        crash=runtime.crash,
        answer_timeout_s=settings.answer_timeout_s,
        deliver_deadline_s=settings.deliver_deadline_s,
        stop_patience_s=settings.stop_patience_s,
        sweep_every_s=SWEEP_EVERY_S,
    )


async def build(runtime: Runtime, settings: Settings) -> Callable[[Lease], Owner]:
    """Construct everything."""
    await ensure_indexes(runtime.database)
    await ledger.ensure_indexes(runtime.database)
    office = office_of(runtime, settings)
    for part in office.parts:
        part.start()
        runtime.closing.append(part.stop)
    return lambda lease: Owner(Shard(office, lease), lease.shard)


def main() -> None:
    """Entry point."""
    settings = read(Settings, os.environ)
    uvloop.run(run("sender", settings, lambda runtime: build(runtime, settings)))


if __name__ == "__main__":
    main()
