"""Plans and subscriptions in MongoDB, and their indexes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from libs.contracts.records import Subscription
from libs.runtime.mongo import Database, from_document, from_documents, to_document
from services.api.accounts.records import Plan
from services.api.accounts.store_customers import MOST_SUBSCRIPTIONS
from services.api.figures.store_counts import how_many

NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
INDEXES: dict[str, list[IndexModel]] = {
    "plans": [
        IndexModel(NEWEST_FIRST),
        IndexModel([("isOffered", ASCENDING), ("isActive", ASCENDING), *NEWEST_FIRST]),
    ],
    "subscriptions": [
        IndexModel([("customerId", ASCENDING), ("startedAt", DESCENDING)]),
        IndexModel([("customerId", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("status", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("noticeAt", ASCENDING)], partialFilterExpression={"noticeAt": {"$type": "date"}}),
        IndexModel([("status", ASCENDING), ("endsAt", ASCENDING)]),
        IndexModel([("planId", ASCENDING), *NEWEST_FIRST]),
        IndexModel(NEWEST_FIRST),
    ],
}

# --- Plans -----------------------------------------------------------------------------------------------------------


async def add_plan(database: Database, plan: Plan) -> None:
    """Store a new plan."""
    await database.plans.insert_one(to_document(plan))


async def plan_by_id(database: Database, plan_id: str) -> Plan | None:
    """The plan with this id."""
    document = await database.plans.find_one({"_id": plan_id})
    return None if document is None else from_document(Plan, document)


async def plans_newest_first(
    database: Database, *, offered: bool = False, limit: int, offset: int
) -> tuple[list[Plan], int]:
    """One page of the plans, and how many there are; with `offered` those that customers may ask for."""
    wanted: dict[str, Any] = {"isOffered": True, "isActive": True} if offered else {}
    cursor = database.plans.find(wanted).sort(NEWEST_FIRST).skip(offset).limit(limit)
    return from_documents(Plan, await cursor.to_list()), await how_many(database.plans, wanted)


async def change_plan(database: Database, plan_id: str, changes: dict[str, Any]) -> Plan | None:
    """Set these fields and return the plan; what was bought before keeps its terms."""
    document = await database.plans.find_one_and_update(
        {"_id": plan_id}, {"$set": changes}, return_document=ReturnDocument.AFTER
    )
    return None if document is None else from_document(Plan, document)


# --- Subscriptions ---------------------------------------------------------------------------------------------------


async def subscription_by_id(database: Database, subscription_id: str) -> Subscription | None:
    """The subscription with this id, whosever it is."""
    document = await database.subscriptions.find_one({"_id": subscription_id})
    return None if document is None else from_document(Subscription, document)


async def subscriptions_by_id(database: Database, ids: Collection[str]) -> dict[str, Subscription]:
    """These subscriptions, by id."""
    found = await database.subscriptions.find({"_id": {"$in": list(ids)}}).to_list() if ids else []
    return {row.id: row for row in from_documents(Subscription, found)}


async def subscriptions_of(database: Database, customer_id: str) -> list[Subscription]:
    """The customer's subscriptions, the newest first."""
    cursor = database.subscriptions.find({"customerId": customer_id}).sort("startedAt", -1).limit(MOST_SUBSCRIPTIONS)
    return from_documents(Subscription, await cursor.to_list())


async def all_subscriptions(
    database: Database, wanted: dict[str, Any], *, soonest_end_first: bool, limit: int, offset: int
) -> tuple[list[Subscription], int]:
    """One page of everybody's subscriptions, and how many the filter lets through."""
    order = [("endsAt", ASCENDING)] if soonest_end_first else NEWEST_FIRST
    cursor = database.subscriptions.find(wanted).sort(order).skip(offset).limit(limit)
    return from_documents(Subscription, await cursor.to_list()), await how_many(database.subscriptions, wanted)


# --- Notices ---------------------------------------------------------------------------------------------------------


async def subscriptions_with_news(database: Database, at: datetime, *, most: int) -> list[Subscription]:
    """Those of which something is to be told by now, the longest due first."""
    cursor = database.subscriptions.find({"noticeAt": {"$lte": at}}).sort("noticeAt", 1).limit(most)
    return from_documents(Subscription, await cursor.to_list())


async def notice_is_told(database: Database, row: Subscription, notice: str | None, notice_at: datetime | None) -> bool:
    """Set what is to be told next, unless something else has come up since `row` was read."""
    done = await database.subscriptions.update_one(
        {"_id": row.id, "customerId": row.customer_id, "notice": row.notice, "noticeAt": row.notice_at},
        {"$set": {"notice": notice, "noticeAt": notice_at}},
    )
    return done.matched_count == 1
