"""The windows of rate limits in MongoDB, which all edges share, and their indexes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from pymongo import ASCENDING, IndexModel, ReturnDocument, WriteConcern
from pymongo.errors import DuplicateKeyError

from libs.runtime.mongo import Database
from services.api.access.rates import WINDOW_S

INDEXES: dict[str, list[IndexModel]] = {
    "rate_windows": [IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0)],
}
SHARE = 10
"""An edge takes a tenth of what is left at a time."""
QUICK = WriteConcern(w=1, j=False)
"""What a failure of MongoDB loses here is a few requests too many in one minute."""


async def take_share(database: Database, subject: str, *, window: int, limit: int) -> tuple[int, int]:
    """Take a tenth of what is left of the subject's window, one at least: how many were got, and are gone in all.

    A tenth of what is *left*: so the shares get smaller towards the end, where what an edge has taken and does not use
    would be missed by the others.
    """
    ends_at = datetime.fromtimestamp((window + 1) * WINDOW_S, UTC)
    left = {"$max": [0, {"$subtract": [limit, "$before"]}]}
    update = [
        {"$set": {"before": {"$ifNull": ["$taken", 0]}, "expiresAt": ends_at + timedelta(seconds=WINDOW_S)}},
        {"$set": {"taken": {"$add": ["$before", {"$toInt": {"$ceil": {"$divide": [left, SHARE]}}}]}}},
    ]
    windows = database.get_collection("rate_windows", write_concern=QUICK)
    while True:
        try:
            row = await windows.find_one_and_update(
                {"_id": f"{subject}/{window}"}, update, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            continue  # two edges made the row at the same moment: now it is there
        seen = msgspec.convert(row, _Window)
        return seen.taken - seen.before, seen.taken


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a window was taken, before and after this share."""

    before: int
    taken: int
