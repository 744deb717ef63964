"""How often something was tried lately, in MongoDB: sign-ins and sign-ups, the same for all edges; and the indexes."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from pymongo import ASCENDING, IndexModel, ReturnDocument
from pymongo.errors import DuplicateKeyError

from libs.runtime.mongo import Database

INDEXES: dict[str, list[IndexModel]] = {
    "attempts": [IndexModel([("endsAt", ASCENDING)], expireAfterSeconds=0)],
}


class Tries(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often it was tried since the window began, and when that ends."""

    count: int
    ends_at: datetime


async def count_try(database: Database, subject: str, at: datetime, *, window_s: int) -> Tries:
    """Count one more; the first of a window begins it."""
    is_new = {"$lte": [{"$ifNull": ["$endsAt", at]}, at]}
    update = [
        {
            "$set": {
                "count": {"$cond": [is_new, 1, {"$add": ["$count", 1]}]},
                "endsAt": {"$cond": [is_new, at + timedelta(seconds=window_s), "$endsAt"]},
            }
        }
    ]
    while True:
        try:
            row = await database.attempts.find_one_and_update(
                {"_id": subject}, update, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            continue  # two edges made the row at the same moment: now it is there
        return msgspec.convert(row, Tries)


async def take_back_try(database: Database, subject: str) -> None:
    """It did not fail after all."""
    await database.attempts.update_one({"_id": subject, "count": {"$gt": 0}}, {"$inc": {"count": -1}})


async def forget_tries(database: Database, subject: str) -> None:
    """Begin anew."""
    await database.attempts.delete_one({"_id": subject})
