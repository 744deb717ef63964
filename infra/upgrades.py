"""Brings what earlier versions have stored into today's form. May run twice, and at the same time."""

from __future__ import annotations

from typing import Any

from libs.runtime.mongo import Database

_OF_PLAN: dict[str, Any] = {
    "$lookup": {"from": "plans", "localField": "planId", "foreignField": "_id", "as": "plan"},
}
_PURCHASE: dict[str, Any] = {
    "planId": "$plan._id",
    "planName": "$plan.name",
    "planDescription": "$plan.description",
    "allowance": "$plan.allowance",
    "price": "$plan.price",
    "currency": "$plan.currency",
    "billingCycle": "$plan.billingCycle",
    "cycles": {"$literal": 1},
}


async def upgrade(rows: Database) -> None:
    """Every upgrade there is, in order."""
    await _let_plans_have_an_allowance(rows)
    await _let_subscriptions_carry_their_terms(rows)
    await _let_payments_carry_their_purchase(rows)


async def _let_plans_have_an_allowance(rows: Database) -> None:
    """Version 0.1 kept the number of sessions and the features beside the price, and still finds them there."""
    allowance: dict[str, Any] = {"maxSessions": "$maxSessions", "features": {"$ifNull": ["$features", []]}}
    wanted = {"allowance": None, "maxSessions": {"$type": "number"}}
    await rows.plans.update_many(wanted, [{"$set": {"allowance": allowance}}])


async def _let_subscriptions_carry_their_terms(rows: Database) -> None:
    """Version 0.1 looked the plan up whenever it was needed; `inactive` meant cancelled."""
    terms = {
        "planName": "$plan.name",
        "allowance": "$plan.allowance",
        "price": "$plan.price",
        "currency": "$plan.currency",
        "billingCycle": "$plan.billingCycle",
    }
    await _copy_from_plan(rows, "subscriptions", {"allowance": None}, terms)
    await rows.subscriptions.update_many({"status": "inactive"}, {"$set": {"status": "cancelled"}})


async def _let_payments_carry_their_purchase(rows: Database) -> None:
    """Version 0.1 named the plan, whatever had become of it since."""
    await _copy_from_plan(
        rows, "transactions", {"purchase": None, "planId": {"$type": "string"}}, {"purchase": _PURCHASE}
    )


async def _copy_from_plan(rows: Database, collection: str, wanted: dict[str, Any], fields: dict[str, Any]) -> None:
    """Set these fields of the rows that lack them from the plan that they name."""
    pipeline: list[dict[str, Any]] = [
        {"$match": wanted},
        _OF_PLAN,
        {"$unwind": "$plan"},
        {"$project": fields},
        {"$merge": {"into": collection, "on": "_id", "whenMatched": "merge", "whenNotMatched": "discard"}},
    ]
    async for _ in await rows[collection].aggregate(pipeline):
        pass
