"""Every customer's sessions in MongoDB, with their state and the replica that holds them: only for the platform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel

from libs.contracts.events import SessionStatus
from libs.runtime.mongo import Database
from services.api.sessions.store_sessions import WITH_LEASE, WITH_STATE, Seen, of_statuses, seen_from

NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
COUNT = {"$sum": 1}
INDEXES: dict[str, list[IndexModel]] = {
    "sessions": [
        IndexModel([("live", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("engine", ASCENDING), ("live", ASCENDING), *NEWEST_FIRST]),
    ],
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions are listed; None lets all through."""

    customer_id: str | None = None
    statuses: Sequence[SessionStatus] | None = None
    engine: str | None = None


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A session and the replica that holds its shard; None: nobody does."""

    seen: Seen
    owner: str | None


async def sessions_of_all(database: Database, wanted: Wanted, *, limit: int, offset: int) -> tuple[list[Placed], int]:
    """A page of the live sessions, newest first, and how many the filter lets through."""
    exact = {"customerId": wanted.customer_id, "engine": wanted.engine}
    match: dict[str, Any] = {"live": True} | {name: value for name, value in exact.items() if value is not None}
    order: dict[str, Any] = {"$sort": dict(NEWEST_FIRST)}
    page: list[dict[str, Any]] = [{"$skip": offset}, {"$limit": limit}]
    if wanted.statuses is None:
        cursor = await database.sessions.aggregate([{"$match": match}, order, *page, *WITH_STATE, *WITH_LEASE])
        return [_placed(document) async for document in cursor], await database.sessions.count_documents(match)
    cursor = await database.sessions.aggregate(
        [
            {"$match": match},
            order,
            *of_statuses(wanted.statuses),
            {"$facet": {"page": [*page, *WITH_LEASE], "count": [{"$count": "total"}]}},
        ]
    )
    answer = await anext(aiter(cursor))
    total = answer["count"][0]["total"] if answer["count"] else 0
    return [_placed(document) for document in answer["page"]], total


async def all_sessions_by_status(database: Database) -> dict[SessionStatus, int]:
    """How many live sessions of all customers are in each state."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"live": True}},
        {"$project": {"_id": 1}},  # what the index holds: no session is read
        *WITH_STATE,
        {"$group": {"_id": {"$ifNull": [{"$first": "$state.status"}, SessionStatus.CREATED.value]}, "count": COUNT}},
    ]
    return {SessionStatus(row["_id"]): int(row["count"]) async for row in await database.sessions.aggregate(pipeline)}


def _placed(document: dict[str, Any]) -> Placed:
    leases: list[dict[str, Any]] = document.pop("lease")
    return Placed(seen=seen_from(document), owner=leases[0].get("owner") if leases else None)
