"""The audit log in MongoDB, and its indexes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel

from libs.runtime.mongo import Database, from_documents, to_document
from services.api.accounts.records import AuditEntry
from services.api.web.cursors import behind, cursor_behind

NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
INDEXES: dict[str, list[IndexModel]] = {
    "audit": [
        IndexModel([("customerId", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("customerId", ASCENDING), ("action", ASCENDING), *NEWEST_FIRST]),
        IndexModel(NEWEST_FIRST),
        IndexModel([("action", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("userId", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("target", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0),
    ],
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are listed; None lets all through. `action` is a whole one, or its thing alone: `key`."""

    customer_id: str | None = None
    action: str | None = None
    user_id: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, newest first, and where the next page begins; None at the end."""

    rows: list[AuditEntry]
    next: str | None


async def keep_entry(database: Database, entry: AuditEntry) -> None:
    """Store who did what."""
    await database.audit.insert_one(to_document(entry))


async def entries_newest_first(database: Database, wanted: Wanted, *, after: str | None, limit: int) -> Page:
    """A page of the entries that are wanted. Raises ValueError when `after` is not a cursor of ours."""
    conditions = [condition_of(wanted)]
    if after is not None:
        conditions += behind(after, "createdAt")
    documents = await database.audit.find({"$and": conditions}).sort(NEWEST_FIRST).limit(limit + 1).to_list()
    rows = from_documents(AuditEntry, documents)
    return Page(
        rows=rows[:limit],
        next=cursor_behind(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None,
    )


def condition_of(wanted: Wanted) -> dict[str, Any]:
    """The query for these entries."""
    exact = {"customerId": wanted.customer_id, "userId": wanted.user_id, "target": wanted.target}
    condition: dict[str, Any] = {field: value for field, value in exact.items() if value is not None}
    if wanted.action is not None:
        condition["action"] = wanted.action if "." in wanted.action else _of_thing(wanted.action)
    bounds = {"$gte": wanted.since, "$lt": wanted.until}
    if wanted.since is not None or wanted.until is not None:
        condition["createdAt"] = {operator: at for operator, at in bounds.items() if at is not None}
    return condition


def _of_thing(thing: str) -> dict[str, str]:
    """All actions on it: `key.created`, `key.deleted` ... lie between these two."""
    return {"$gte": f"{thing}.", "$lt": f"{thing}/"}
