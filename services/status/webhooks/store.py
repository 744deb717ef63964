"""What status keeps of webhooks in MongoDB: deliveries, how endpoints do, and how far each shard knows of changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from libs.contracts.ids import shard_token
from libs.contracts.webhooks import PENDING, VERSIONS_ID, Webhook, WebhookDelivery, WebhookHealth
from libs.runtime.mongo import Database, Document, from_document, from_documents, to_document
from services.status.store import DUPLICATE_KEY, expire

IS_PENDING: Document = {"status": PENDING}
WORKED_ON = ("status", "failures", "attempts", "nextAt", "settledAt", "log")
"""What an attempt changes of a delivery."""


class WebhookStore:
    """The collections `deliveries`, `webhook_health` and `webhook_shards`; reads `webhooks` too."""

    def __init__(self, database: Database) -> None:
        self._webhooks: AsyncCollection[Document] = database["webhooks"]
        self._versions: AsyncCollection[Document] = database["webhook_versions"]
        self._deliveries: AsyncCollection[Document] = database["deliveries"]
        self._health: AsyncCollection[Document] = database["webhook_health"]
        self._shards: AsyncCollection[Document] = database["webhook_shards"]

    # --- Definitions -------------------------------------------------------------------------------------------------

    async def version(self) -> int:
        """The version of the latest change of any definition; 0 before the first."""
        found = await self._versions.find_one({"_id": VERSIONS_ID})
        return 0 if found is None else int(found["version"])

    async def changed_after(self, version: int) -> list[Webhook]:
        """The definitions above this version; with 0 those that are not deleted."""
        query: Document = {"version": {"$gt": version}} if version else {"deletedAt": None}
        return from_documents(Webhook, await self._webhooks.find(query).to_list())

    async def disabled_after(self, at: datetime | None) -> list[WebhookHealth]:
        """The healths that say disabled, since this time."""
        query: Document = {"disabledAt": {"$type": "date"} if at is None else {"$gte": at}}
        return from_documents(WebhookHealth, await self._health.find(query).to_list())

    # --- How far a shard knows of changes ----------------------------------------------------------------------------

    async def known_to(self, shard: int) -> int:
        """The version up to which every start has been made up for in this shard."""
        found = await self._shards.find_one({"_id": shard_token(shard)})
        return 0 if found is None else int(found["version"])

    async def note_known(self, shard: int, version: int, epoch: int) -> bool:
        """Remember that; False when a later owner has written."""
        row = {"_id": shard_token(shard), "epoch": {"$lte": epoch}}
        update = {"$max": {"version": version}, "$set": {"epoch": epoch}}
        try:
            await self._shards.update_one(row, update, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    # --- Deliveries --------------------------------------------------------------------------------------------------

    async def add(self, rows: Sequence[WebhookDelivery]) -> list[WebhookDelivery]:
        """Store these; returns those that were not there already."""
        taken = await self._write([InsertOne(to_document(row)) for row in rows])
        return [row for number, row in enumerate(rows) if number not in taken]

    async def add_again(self, rows: Sequence[WebhookDelivery]) -> None:
        """Store these, and have those sent again that are there from an earlier start of their webhook."""
        await self._write([_again(row) for row in rows])

    async def _write(self, writes: Sequence[InsertOne[Document] | UpdateOne]) -> set[int]:
        """The places of those writes that met a row of the same `_id`."""
        if not writes:
            return set()
        try:
            await self._deliveries.bulk_write(list(writes), ordered=False)
        except BulkWriteError as error:
            details: dict[str, Any] = dict(error.details or {})
            faults: list[dict[str, Any]] = details.get("writeErrors", [])
            if not faults or any(fault.get("code") != DUPLICATE_KEY for fault in faults):
                raise
            return {int(fault["index"]) for fault in faults}
        return set()

    async def lines(self, shard: int) -> list[tuple[str, str]]:
        """The (webhook, session) pairs of this shard with something pending."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"shard": shard, **IS_PENDING}},
            {"$group": {"_id": {"webhook": "$webhookId", "session": "$sessionId"}}},
        ]
        found = await self._deliveries.aggregate(pipeline, hint="line")
        return [(row["_id"]["webhook"], row["_id"]["session"]) async for row in found]

    async def lines_of(self, shard: int, webhook_id: str) -> list[str]:
        """The sessions of this shard with something pending for this webhook."""
        query = {"shard": shard, "webhookId": webhook_id, **IS_PENDING}
        found: list[str] = await self._deliveries.distinct("sessionId", query)
        return found

    async def pending_in_order(self, shard: int, webhook_id: str, session_id: str, limit: int) -> list[WebhookDelivery]:
        """The head of one line: what is pending of this session for this webhook, the oldest frame first."""
        query = {"shard": shard, "webhookId": webhook_id, "sessionId": session_id, **IS_PENDING}
        found = await self._deliveries.find(query).sort("seq", ASCENDING).limit(limit).to_list()
        return from_documents(WebhookDelivery, found)

    async def pending_soonest(
        self, shard: int, webhook_id: str, limit: int, *, but: Collection[str]
    ) -> list[WebhookDelivery]:
        """What is pending for this webhook, the soonest due first, but for these."""
        query = {"shard": shard, "webhookId": webhook_id, **IS_PENDING, "_id": {"$nin": list(but)}}
        found = await self._deliveries.find(query).sort("nextAt", ASCENDING).limit(limit).to_list()
        return from_documents(WebhookDelivery, found)

    async def settle(self, settled: Sequence[tuple[WebhookDelivery, int]]) -> list[bool]:
        """Store what attempts have changed, each under its epoch; False where the row is gone, or a later owner's."""
        result = await self._deliveries.bulk_write([_settle(row, epoch) for row, epoch in settled], ordered=False)
        if result.matched_count == len(settled):
            return [True] * len(settled)
        found = self._deliveries.find({"_id": {"$in": [row.id for row, _ in settled]}}, {"epoch": 1})
        epochs = {row["_id"]: int(row["epoch"]) async for row in found}
        return [epochs.get(row.id, epoch + 1) <= epoch for row, epoch in settled]

    async def hasten(self, webhook_id: str, shard: int, epoch: int, at: datetime) -> None:
        """Let what waits of this shard for this webhook's next attempt be tried at once."""
        waiting = {"shard": shard, "webhookId": webhook_id, **IS_PENDING, "nextAt": {"$gt": at}}
        update = {"$set": {"nextAt": at, "epoch": epoch}}
        await self._deliveries.update_many({**waiting, "epoch": {"$lte": epoch}}, update)

    async def redeliver(self, delivery: str, customer_id: str, epoch: int, at: datetime) -> WebhookDelivery | None:
        """Have it sent again, or at once; None when there is no such delivery."""
        found = await self._deliveries.find_one_and_update(
            {"_id": delivery, "customerId": customer_id, "epoch": {"$lte": epoch}},
            {"$set": {"status": PENDING, "failures": 0, "nextAt": at, "settledAt": None, "epoch": epoch}},
            return_document=True,
        )
        return None if found is None else from_document(WebhookDelivery, found)

    async def forget(self, webhook_id: str, shard: int) -> None:
        """Delete what is kept in this shard of a webhook that is gone."""
        await self._health.delete_one({"_id": webhook_id})
        await self._deliveries.delete_many({"webhookId": webhook_id, "shard": shard})


def _settle(row: WebhookDelivery, epoch: int) -> UpdateOne:
    document = to_document(row)
    changed: Document = {name: document[name] for name in WORKED_ON} | {"epoch": epoch}
    return UpdateOne({"_id": row.id, "epoch": {"$lte": epoch}}, {"$set": changed})


def _again(row: WebhookDelivery) -> UpdateOne:
    """Makes the row, or takes one of an earlier start up again; meets a duplicate `_id` when it is of this start."""
    document = to_document(row)
    names = ("status", "failures", "nextAt", "settledAt", "start", "epoch")
    anew = {name: document.pop(name) for name in names}
    del document["_id"]
    return UpdateOne(
        {"_id": row.id, "start": {"$lt": row.start}, "epoch": {"$lte": row.epoch}},
        {"$set": anew, "$setOnInsert": document},
        upsert=True,
    )


async def ensure_webhook_indexes(database: Database, *, log_days: int) -> None:
    """Make the indexes of what status writes of webhooks. May run twice, and at the same time."""
    newest_first = [("createdAt", DESCENDING), ("_id", DESCENDING)]
    line = [("shard", ASCENDING), ("webhookId", ASCENDING), ("sessionId", ASCENDING), ("seq", ASCENDING)]
    soonest = [("shard", ASCENDING), ("webhookId", ASCENDING), ("nextAt", ASCENDING)]
    await database["deliveries"].create_indexes(
        [
            IndexModel(line, name="line", partialFilterExpression=IS_PENDING),
            IndexModel(soonest, name="soonest", partialFilterExpression=IS_PENDING),
            IndexModel([("customerId", ASCENDING), ("webhookId", ASCENDING), *newest_first]),
            IndexModel([("customerId", ASCENDING), ("webhookId", ASCENDING), ("status", ASCENDING), *newest_first]),
            IndexModel([("webhookId", ASCENDING), ("shard", ASCENDING)]),
        ]
    )
    await database["webhook_health"].create_indexes(
        [
            IndexModel([("disabledAt", ASCENDING)], partialFilterExpression={"disabledAt": {"$type": "date"}}),
            IndexModel([("untold.id", ASCENDING)], partialFilterExpression={"untold.id": {"$type": "string"}}),
        ]
    )
    await expire(database, "deliveries", "createdAt", log_days)
