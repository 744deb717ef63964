"""What version 0.1 has stored is read by today's edge after the bootstrap."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from infra.upgrades import upgrade
from libs.contracts.records import Subscription
from libs.runtime.mongo import database, from_document
from services.api.accounts.records import Plan, Transaction
from tests.servers import client_of

AT = datetime(2026, 1, 10, 12, tzinfo=UTC)
PLAN = {
    "_id": "plan_old",
    "createdAt": AT,
    "name": "Warung",
    "description": "For a small shop",
    "maxSessions": 3,
    "features": ["Messages"],
    "price": 150_000,
    "currency": "IDR",
    "billingCycle": "yearly",
}
SUBSCRIPTION = {
    "_id": "sub_old",
    "createdAt": AT,
    "customerId": "cus_1",
    "planId": "plan_old",
    "startedAt": AT,
    "endsAt": None,
    "status": "inactive",
}
TRANSACTION = {
    "_id": "trx_old",
    "createdAt": AT,
    "customerId": "cus_1",
    "kind": "subscription",
    "description": "Warung",
    "amount": 150_000,
    "currency": "IDR",
    "status": "success",
    "paymentMethod": "qris",
    "planId": "plan_old",
    "subscriptionId": "sub_old",
}


async def test_plans_subscriptions_and_payments_are_carried_over_once(mongodb_url: str, rows: Any) -> None:
    await rows.plans.insert_one(dict(PLAN))
    await rows.subscriptions.insert_one(dict(SUBSCRIPTION))
    await rows.transactions.insert_one(dict(TRANSACTION))
    async with client_of(mongodb_url) as client:
        await asyncio.gather(*(upgrade(database(client)) for _ in range(3)))
        await rows.plans.update_one({"_id": "plan_old"}, {"$set": {"name": "Toko"}})
        await upgrade(database(client))
    plan = from_document(Plan, await rows.plans.find_one({"_id": "plan_old"}))
    assert (plan.allowance.max_sessions, plan.allowance.features) == (3, ["Messages"])
    subscription = from_document(Subscription, await rows.subscriptions.find_one({"_id": "sub_old"}))
    assert (subscription.plan_name, subscription.allowance, subscription.price) == ("Warung", plan.allowance, 150_000)
    assert (subscription.status, subscription.billing_cycle) == ("cancelled", "yearly")
    payment = from_document(Transaction, await rows.transactions.find_one({"_id": "trx_old"}))
    assert payment.purchase is not None
    assert (payment.purchase.plan_name, payment.purchase.cycles, payment.amount) == ("Warung", 1, 150_000)


async def test_what_is_of_today_is_left_as_it_is(mongodb_url: str, rows: Any) -> None:
    names = ("plans", "subscriptions", "transactions")
    before = {name: await rows[name].find().sort("_id", 1).to_list() for name in names}
    async with client_of(mongodb_url) as client:
        await upgrade(database(client))
    assert {name: await rows[name].find().sort("_id", 1).to_list() for name in names} == before
