"""The collection `chats`: read by the addresses of a chat, written many rows at a time, under the fence."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from libs.contracts.records import ChatRow
from libs.runtime.mongo import Database, Document, from_document, to_document
from services.status.chats.rules import ChatChange
from services.status.store import RowsMoved, expire, is_taken_id

NEWEST_FIRST = [("movedAt", DESCENDING), ("_id", DESCENDING)]
UNREAD = {"unread": {"$gt": 0}}


class ChatStore:
    """The chats of all shards."""

    def __init__(self, database: Database) -> None:
        self._chats: AsyncCollection[Document] = database["chats"]

    async def chats(self, keys: Collection[str]) -> list[ChatRow]:
        """The rows that have one of these keys."""
        found = self._chats.find({"keys": {"$in": list(keys)}}, batch_size=len(keys) + 1)
        return [from_document(ChatRow, row) async for row in found]

    async def write(self, changes: Sequence[ChatChange]) -> None:
        """Store these changes, each on the condition that the row is as it was read, and of no later owner.

        Raises RowsMoved when one is not. Then, and after any other error, some may be stored and some not.
        """
        try:
            result = await self._chats.bulk_write([_write(change) for change in changes], ordered=False)
        except BulkWriteError as error:
            if is_taken_id(error):
                raise RowsMoved from error
            raise
        if result.matched_count != sum(change.before is not None for change in changes):
            raise RowsMoved


def _write(change: ChatChange) -> ReplaceOne[Document]:
    """A new row goes in as an update whose condition holds for none: the key is taken when the row is there."""
    before, row = change.before, {**to_document(change.after), "epoch": change.epoch}
    if before is None:
        return ReplaceOne({"_id": row["_id"], "epoch": {"$lt": 0}}, row, upsert=True)
    return ReplaceOne({"_id": row["_id"], "epoch": {"$lte": change.epoch}, "factSeq": before.fact_seq}, row)


async def ensure_indexes(database: Database, *, days: int) -> None:
    """Make the collection's indexes. May run twice, and at the same time."""
    await database["chats"].create_indexes(
        [
            IndexModel([("keys", ASCENDING)]),
            IndexModel([("customerId", ASCENDING), *NEWEST_FIRST]),
            IndexModel([("sessionId", ASCENDING), *NEWEST_FIRST, ("unread", ASCENDING)]),
            IndexModel(
                [("customerId", ASCENDING), *NEWEST_FIRST, ("sessionId", ASCENDING)],
                name="unread",
                partialFilterExpression=UNREAD,
            ),
        ]
    )
    await expire(database, "chats", "movedAt", days)
