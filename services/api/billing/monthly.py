"""How many messages a customer may have accepted in a month: counted once for all edges, before each is accepted."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from libs.runtime.mongo import Database

KEPT = timedelta(days=400)
TRIES = 5
INDEXES: dict[str, list[IndexModel]] = {
    "months": [IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0)],
}


class Month(msgspec.Struct, frozen=True):
    """A month of a customer, and what may be accepted in it."""

    customer_id: str
    began_at: datetime
    """The first day's midnight, where the customer lives."""
    limit: int

    @property
    def id(self) -> str:
        """`_id` of its row, such as `cus_1/2026-03`."""
        return f"{self.customer_id}/{self.began_at:%Y-%m}"

    @property
    def next_began(self) -> datetime:
        """When the next month begins."""
        return (self.began_at + timedelta(days=32)).replace(day=1)


class MonthlyMessages:
    """One edge's part of the count in collection `months`.

    Requests that come while one is on its way to MongoDB go together with the next: one write for all of them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[Month, list[asyncio.Future[bool]]] = {}
        self._tasks: dict[Month, asyncio.Task[None]] = {}

    async def take(self, month: Month) -> bool:
        """Count one message; False, and nothing is counted, when all are used up. Raises PyMongoError."""
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(month, []).append(taken)
        if month not in self._tasks:
            self._tasks[month] = asyncio.create_task(self._work_off(month))
        return await taken

    async def give_back(self, month: Month) -> None:
        """One that was counted was not accepted after all."""
        await self._database.months.update_one({"_id": month.id, "accepted": {"$gt": 0}}, {"$inc": {"accepted": -1}})

    async def accepted(self, month: Month) -> int:
        """How many were counted so far."""
        found = await self._database.months.find_one({"_id": month.id, "customerId": month.customer_id})
        return 0 if found is None else int(found["accepted"])

    async def _work_off(self, month: Month) -> None:
        try:
            while waiting := self._waiting.pop(month, None):
                await self._count(month, [each for each in waiting if not each.done()])
        finally:
            del self._tasks[month]  # in one step with the last look: who comes now finds nobody at work, and starts

    async def _count(self, month: Month, waiting: list[asyncio.Future[bool]]) -> None:
        try:
            granted = await self._granted(month, len(waiting))
        except Exception as error:
            for each in waiting:
                if not each.done():
                    each.set_exception(error)
            return
        for number, each in enumerate(waiting):
            if not each.done():
                each.set_result(number < granted)

    async def _granted(self, month: Month, wanted: int) -> int:
        """Count as many of `wanted` as are left; returns how many those are."""
        before: dict[str, Any] = {"$ifNull": ["$accepted", 0]}
        left = {"$max": [0, {"$subtract": [month.limit, before]}]}
        kept = {"customerId": month.customer_id, "expiresAt": month.began_at + KEPT}
        update = [{"$set": {**kept, "accepted": {"$add": [before, {"$min": [wanted, left]}]}}}]
        for attempt in range(TRIES):
            try:
                row = await self._database.months.find_one_and_update(
                    {"_id": month.id}, update, upsert=True, return_document=ReturnDocument.BEFORE
                )
            except DuplicateKeyError:  # another edge has made the row in the same moment
                if attempt == TRIES - 1:
                    raise
            else:
                used = 0 if row is None else int(row.get("accepted", 0))
                return min(wanted, max(0, month.limit - used))
        raise AssertionError("the loop above returns or raises")
