"""The ledger in MongoDB: each row continues the customer's last one, so a balance and its reasons cannot come apart.

A posting is booked once, however often and by whomever it is asked for: its row's `_id` says so. Several processes book
for one customer at the same time: of those that continue the same row one succeeds, by the unique (customerId, number),
and the others look again. There is no transaction that a killed process could leave open: MongoDB would hold what that
had touched for a minute.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError

from libs.contracts.credits import REFUSED, LedgerEntry
from libs.runtime.crash import CrashPoints
from libs.runtime.mongo import Database, from_document, from_documents, to_document
from libs.runtime.shards import Lease
from services.sender import credits
from services.sender.credits import Posting
from services.sender.store import duplicates

POSTINGS_AT_ONCE = 200
CUSTOMERS_AT_ONCE = 8
PAUSE_FIRST_S, PAUSE_LONGEST_S = 0.002, 0.1
MOST_TOLD = 500

INDEXES = {
    "ledger": [
        IndexModel([("customerId", ASCENDING), ("number", DESCENDING)], unique=True, name="of_customer"),
        IndexModel(
            [("untold.0.at", ASCENDING)], name="untold", partialFilterExpression={"untold.0": {"$exists": True}}
        ),
    ],
}


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """Postings that a shard asks for, in their order."""

    lease: Lease
    postings: Sequence[Posting]

    @property
    def weight(self) -> int:
        """Postings."""
        return len(self.postings)


async def ensure_indexes(database: Database) -> None:
    """Make the indexes; may run twice, and at the same time."""
    for collection, models in INDEXES.items():
        await database[collection].create_indexes(models)


class Ledger:
    """The ledgers of all customers. Raises PyMongoError while MongoDB is away; then some may be booked and some not."""

    def __init__(self, database: Database, *, threshold: Callable[[str], Awaitable[int]], crash: CrashPoints) -> None:
        """`threshold` gives a customer's threshold for the warning."""
        self._ledger = database["ledger"]
        self._threshold, self._crash = threshold, crash
        self.news = asyncio.Event()
        """Set when something was stored that is to be told."""

    async def book(self, bookings: Sequence[Booking]) -> list[frozenset[str]]:
        """Book these; for each booking, the ids of its postings that the balance did not cover. Safe to repeat."""
        by_customer: dict[str, dict[str, Posting]] = {}
        for posting in (posting for booking in bookings for posting in booking.postings):
            by_customer.setdefault(posting.customer_id, {}).setdefault(posting.id, posting)
        few = asyncio.Semaphore(CUSTOMERS_AT_ONCE)

        async def one(customer_id: str, postings: Sequence[Posting]) -> frozenset[str]:
            async with few:
                return await self._book_for(customer_id, postings)

        refused = await asyncio.gather(*(one(each, list(wanted.values())) for each, wanted in by_customer.items()))
        uncovered = frozenset[str]().union(*refused)
        return [frozenset(each.id for each in booking.postings if each.id in uncovered) for booking in bookings]

    async def _book_for(self, customer_id: str, postings: Sequence[Posting]) -> frozenset[str]:
        threshold = await self._threshold(customer_id)
        refused: set[str] = set()
        for start in range(0, len(postings), POSTINGS_AT_ONCE):
            refused |= await self._book_at_once(customer_id, postings[start : start + POSTINGS_AT_ONCE], threshold)
        return frozenset(refused)

    async def _book_at_once(self, customer_id: str, postings: Sequence[Posting], threshold: int) -> set[str]:
        """Until all are booked, by us or by others; the ids that are not covered."""
        pause_s = PAUSE_FIRST_S
        while True:
            kinds = await self._booked(postings)
            fresh = [each for each in postings if each.id not in kinds]
            if not fresh:
                return {each for each, kind in kinds.items() if kind == REFUSED}
            entries = credits.posted(await self._last(customer_id), fresh, threshold=threshold, now=datetime.now(UTC))
            if await self._continued(entries):
                kinds |= {entry.id: entry.kind for entry in entries}
                return {each for each, kind in kinds.items() if kind == REFUSED}
            await asyncio.sleep(random.uniform(0, pause_s))  # noqa: S311 - to part those who have met
            pause_s = min(2 * pause_s, PAUSE_LONGEST_S)

    async def _booked(self, postings: Sequence[Posting]) -> dict[str, str]:
        """Those that are booked already, with the kinds of their rows."""
        found = self._ledger.find({"_id": {"$in": [each.id for each in postings]}}, {"kind": 1})
        return {row["_id"]: row["kind"] async for row in found}

    async def _last(self, customer_id: str) -> LedgerEntry | None:
        found = await self._ledger.find_one({"customerId": customer_id}, sort=[("number", DESCENDING)])
        return None if found is None else from_document(LedgerEntry, found)

    async def _continued(self, entries: Sequence[LedgerEntry]) -> bool:
        """Whether these rows are the customer's next ones; else somebody was faster, and the first few may be there.

        One command, and in order: whoever dies meanwhile leaves a ledger that ends earlier, and is whole.
        """
        self._crash.at("sender.before_booking")
        try:
            await self._ledger.insert_many([to_document(entry) for entry in entries])
        except BulkWriteError as error:
            duplicates(error)  # raises what else went wrong than that another has taken a number or an id
            return False
        self._crash.at("sender.after_booking")
        if any(entry.untold for entry in entries):
            self.news.set()
        return True

    # --- What is to be told ------------------------------------------------------------------------------------------

    async def untold(self, before: datetime) -> list[LedgerEntry]:
        """Rows with facts that were stored before this time and are not published yet, each customer's in order."""
        found = self._ledger.find({"untold.0.at": {"$lte": before}, "untold.0": {"$exists": True}})
        rows = found.sort([("untold.0.at", ASCENDING), ("number", ASCENDING)]).limit(MOST_TOLD)
        return from_documents(LedgerEntry, [row async for row in rows])

    async def forget_told(self, entries: Sequence[LedgerEntry]) -> None:
        """The facts of these are published. Safe at any time: it takes away nothing else."""
        await self._ledger.update_many({"_id": {"$in": [entry.id for entry in entries]}}, {"$set": {"untold": []}})
