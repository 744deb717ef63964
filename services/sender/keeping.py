"""The way of a shard's rows from a change to its facts: stored, booked, told, and then cleared of what was told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from pymongo.errors import PyMongoError

from libs.contracts.commands import GrantCredits
from libs.contracts.records import OutboxRow
from libs.runtime import logs
from libs.runtime.shards import Lease, LeaseLost
from libs.runtime.tasks import end
from services.sender import rows
from services.sender.credits import posting_of, posting_of_grant
from services.sender.ledger import Booking
from services.sender.office import Office
from services.sender.store import Change
from services.sender.telling import RowFact, Telling


class Holder(Protocol):
    """Who holds the open rows."""

    def has_ended(self, row: OutboxRow) -> None:
        """A row's end is stored."""
        ...

    def waits_otherwise(self, row: OutboxRow) -> None:
        """What a row says that it waits for has changed."""
        ...

    def are_told(self, message_id: str, fact_ids: set[str]) -> None:
        """Facts of a row are published."""
        ...


class Keeper:
    """Keeps the rows of one shard, for their holder."""

    def __init__(self, office: Office, lease: Lease, holder: Holder) -> None:
        self._office, self._lease, self._holder = office, lease, holder
        self._told: dict[str, set[str]] = {}
        self._under_way: set[asyncio.Future[Any]] = set()
        self._ending_unsent: dict[str, asyncio.Future[None]] = {}
        self._sweeping: asyncio.Task[None] | None = None
        self._log = logs.get().bind(shard=lease.shard, epoch=lease.epoch)

    def start(self) -> None:
        """Begin to clear rows of what was told."""
        self._sweeping = asyncio.create_task(self._sweep(), name=f"sweep {self._lease.shard}")

    async def stop(self, within_s: float) -> None:
        """Wait, for so long at most, until what is under way is stored and told."""
        if self._sweeping is not None:
            await end(self._sweeping)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._leave_nothing_behind()

    async def settled(self) -> None:
        """Wait until what is under way now is stored, booked or told."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    # --- Stored ------------------------------------------------------------------------------------------------------

    def keep(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        """Store a row's change, then book its end, then tell the facts that follow from it."""
        fields = rows.changes(before, after)
        if self._told.pop(after.id, None):
            fields["untold"] = after.untold
        if (before.waiting_for, before.resume_at) != (after.waiting_for, after.resume_at):
            self._holder.waits_otherwise(after)
        stored = self._office.changes.submit(Change(lease=self._lease, id=after.id, fields=fields))
        self._under_way.add(stored)
        if after.status in rows.RAISED_BY_RECEIPT:
            self._ending_unsent[after.wa_id] = stored
        known = {fact["id"] for fact in before.untold}
        news = [fact for fact in after.untold if fact["id"] not in known]
        stored.add_done_callback(lambda future: self._stored(future, after, news))
        return stored

    def unsent_end_of(self, wa_id: str) -> asyncio.Future[None] | None:
        """An end other than `sent` that is being stored: in no lane any more, and not yet in the outbox."""
        return self._ending_unsent.get(wa_id)

    def _stored(self, stored: asyncio.Future[None], row: OutboxRow, news: list[dict[str, Any]]) -> None:
        if self._ending_unsent.get(row.wa_id) is stored:
            del self._ending_unsent[row.wa_id]
        if not self._succeeded(stored):
            return
        has_ended = row.status not in rows.OPEN
        if has_ended:
            self._holder.has_ended(row)
        if has_ended and row.credits:
            booked = self._submitted(self._booking([row]))
            booked.add_done_callback(lambda future: self._told_once_booked(future, row, news))
        elif news:
            self._publish({row.id: news})

    def _told_once_booked(
        self, booked: asyncio.Future[frozenset[str]], row: OutboxRow, news: list[dict[str, Any]]
    ) -> None:
        """An end is told after it is booked: whoever finds it untold books it, in case that this is what is missing."""
        if self._succeeded(booked) and news:
            self._publish({row.id: news})

    # --- Booked ------------------------------------------------------------------------------------------------------

    async def book(self, found: Sequence[OutboxRow]) -> frozenset[str]:
        """Book what is due for these messages; those that the balance does not cover. What is booked stays as it is."""
        costing = [row for row in found if row.credits]
        if not costing:
            return frozenset()
        refused = await self._submitted(self._booking(costing))
        return frozenset(row.id for row in costing if posting_of(row).id in refused)

    async def book_grants(self, grants: Sequence[GrantCredits]) -> None:
        """Book what was granted. Each grant is booked once."""
        await self._submitted(Booking(lease=self._lease, postings=[posting_of_grant(grant) for grant in grants]))

    def _booking(self, costing: Sequence[OutboxRow]) -> Booking:
        return Booking(lease=self._lease, postings=[posting_of(row) for row in costing])

    def _submitted(self, booking: Booking) -> asyncio.Future[frozenset[str]]:
        booked = self._office.bookings.submit(booking)
        self._under_way.add(booked)
        booked.add_done_callback(self._under_way.discard)
        return booked

    # --- Told --------------------------------------------------------------------------------------------------------

    def tell(self, stored: Sequence[OutboxRow]) -> asyncio.Future[None] | None:
        """Publish the untold facts of rows that are stored; None when there are none."""
        facts = {row.id: row.untold for row in stored if row.untold}
        if not facts:
            return None
        return self._publish(facts)

    def _publish(self, facts: dict[str, list[dict[str, Any]]]) -> asyncio.Future[None]:
        telling = Telling(
            lease=self._lease, facts=[msgspec.convert(fact, RowFact) for of_row in facts.values() for fact in of_row]
        )
        told = self._office.tellings.submit(telling)
        self._under_way.add(told)
        ids = {message_id: {fact["id"] for fact in of_row} for message_id, of_row in facts.items()}
        told.add_done_callback(lambda future: self._told_now(future, ids))
        return told

    def _told_now(self, told: asyncio.Future[None], ids: dict[str, set[str]]) -> None:
        if not self._succeeded(told):
            return
        for message_id, fact_ids in ids.items():
            self._told.setdefault(message_id, set()).update(fact_ids)
            self._holder.are_told(message_id, fact_ids)

    def _succeeded(self, done: asyncio.Future[Any]) -> bool:
        self._under_way.discard(done)
        error = None if done.cancelled() else done.exception()
        if error is not None and not isinstance(error, LeaseLost):
            self._log.error("a change was not stored or told", error=repr(error)[:300])
        return not done.cancelled() and error is None

    # --- Cleared -----------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Now and then, remove the published facts from their rows: those of finished rows, and of rows that wait."""
        while True:
            await asyncio.sleep(self._office.sweep_every_s)
            await self._sweep_once()

    async def _leave_nothing_behind(self) -> None:
        while self._under_way:
            await self.settled()
        await self._sweep_once()

    async def _sweep_once(self) -> None:
        told, self._told = self._told, {}
        if not told or not self._lease.usable:
            self._told = told
            return
        try:
            await self._office.store.forget_told(
                self._lease, list(told), [fact for ids in told.values() for fact in ids]
            )
        except PyMongoError:
            for message_id, fact_ids in told.items():
                self._told.setdefault(message_id, set()).update(fact_ids)
