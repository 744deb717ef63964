"""The collection `counters`: added to many rows at a time, each fact once, under the fence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from libs.runtime.mongo import Database, Document
from libs.runtime.shards import Lease
from services.status.counters.counting import Tally
from services.status.store import expire, is_taken_id


class Addition(NamedTuple):
    """A tally, and the lease under which it is added."""

    tally: Tally
    lease: Lease


class Fence(NamedTuple):
    """How far a row of counters has come, and under whom; zero for none."""

    seq: int = 0
    epoch: int = 0


class CounterStore:
    """The counters of all shards."""

    def __init__(self, database: Database) -> None:
        self._counters: AsyncCollection[Document] = database["counters"]

    async def add(self, additions: Sequence[Addition]) -> dict[str, Fence]:
        """Add each of these, whole, to its row; answers the fences of the rows to which it was not added, by `_id`.

        They hold some of these facts, or a later owner has written them. May run twice.
        """
        try:
            await self._counters.bulk_write([_update(each) for each in additions], ordered=False)
        except BulkWriteError as error:
            if not is_taken_id(error):
                raise
            details: dict[str, Any] = dict(error.details or {})
            faults: list[dict[str, Any]] = details["writeErrors"]
            return await self._fences([additions[int(fault["index"])].tally.place.id for fault in faults])
        return {}

    async def _fences(self, ids: Sequence[str]) -> dict[str, Fence]:
        found = self._counters.find({"_id": {"$in": ids}}, {"seq": 1, "epoch": 1})
        return dict.fromkeys(ids, Fence()) | {row["_id"]: Fence(row["seq"], row["epoch"]) async for row in found}


def _update(addition: Addition) -> UpdateOne:
    """Fails with a duplicate key when the row is there and holds the first of these facts already."""
    tally, place, epoch = addition.tally, addition.tally.place, addition.lease.epoch
    return UpdateOne(
        {"_id": place.id, "seq": {"$lt": tally.first_seq}, "epoch": {"$lte": epoch}},
        {
            "$inc": tally.sums(),
            "$set": {"seq": tally.last_seq, "epoch": epoch},
            "$setOnInsert": {
                "customerId": place.customer_id,
                "shard": place.shard,
                "sessionId": place.session_id,
                "type": place.type,
                "span": place.span,
                "at": place.at,
            },
        },
        upsert=True,
    )


async def ensure_indexes(database: Database, *, days: int) -> None:
    """Make the collection's indexes. May run twice, and at the same time."""
    by_time = [("customerId", ASCENDING), ("span", ASCENDING), ("sessionId", ASCENDING), ("at", ASCENDING)]
    await database["counters"].create_indexes([IndexModel(by_time)])
    await expire(database, "counters", "at", days)
