"""Subscription, payments and the dashboard's summary, in both dialects and from stored rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.times import now
from tests.integration.api.edges import Site, observe, refused

PURCHASE = {
    "planId": "plan_self_hosted",
    "planName": "Self-hosted",
    "planDescription": "Your own gateway",
    "allowance": {"maxSessions": 1000},
    "price": 100,
    "currency": "IDR",
    "billingCycle": "monthly",
    "cycles": 1,
}


async def test_the_subscription_in_both_dialects(site: Site, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.make_session()
    present = now()
    monkeypatch.setattr("services.api.routes.billing.now", lambda: present)  # the month does not end during the test
    spans = {"day": present.replace(hour=0, minute=0), "quarter": present.replace(minute=present.minute // 15 * 15)}
    counted = {"customerId": site.account.customer_id, "sent": 2, "failed": 1, "queued": 4}
    await rows.counters.insert_many(
        [
            {"_id": span, "span": span, "at": at.replace(second=0, microsecond=0), **counted}
            for span, at in spans.items()
        ]
    )
    body = (await site.call("GET", "/subscription")).json()
    assert set(body["subscription"]) == {
        "id",
        "packageName",
        "status",
        "maxSessions",
        "features",
        "billingCycle",
        "nextBillingDate",
        "price",
        "currency",
    }
    assert (body["subscription"]["status"], body["subscription"]["billingCycle"]) == ("ACTIVE", "monthly")
    assert body["usage"] == {"sessionsUsed": 1, "messagesThisMonth": 2}
    assert set(body["data"]) == {
        "hasActiveSubscription",
        "packageName",
        "maxSessions",
        "currentSessions",
        "canCreateMoreSessions",
        "startDate",
        "endDate",
        "status",
        "subscriptionId",
        "packageId",
        "price",
    }
    assert (body["data"]["packageName"], body["data"]["status"], body["data"]["maxSessions"]) == (
        "Self-hosted",
        "active",
        1000,
    )


@pytest.mark.parametrize("path", ["/subscription", "/transactions", "//api/customer/dashboard"])
async def test_without_a_plan_there_is_no_error(site: Site, rows: Any, path: str) -> None:
    await rows.subscriptions.delete_many({})
    await rows.transactions.delete_many({})
    body = (await site.call("GET", path)).json()
    assert body["success"] is True
    assert body.get("subscription") is None
    assert body.get("transactions", []) == []


async def add_payments(site: Site, rows: Any) -> None:
    """One of each status, a day apart, the newest cancelled."""
    first = datetime(2026, 1, 10, 12, tzinfo=UTC)
    await rows.transactions.delete_many({})
    await rows.transactions.insert_many(
        [
            {
                "_id": f"trx_{status}",
                "createdAt": first + timedelta(days=day),
                "customerId": site.account.customer_id,
                "kind": "topup" if day else "subscription",
                "description": "Payment",
                "amount": 100 + day,
                "currency": "IDR",
                "status": status,
                "paymentMethod": "bank",
                "purchase": None if day else PURCHASE,
                "subscriptionId": None,
            }
            for day, status in enumerate(["success", "pending", "failed", "cancelled"])
        ]
    )


async def test_payments_in_both_dialects_newest_first(site: Site, rows: Any) -> None:
    await add_payments(site, rows)
    body = (await site.call("GET", "/transactions?limit=3")).json()
    assert [row["status"] for row in body["transactions"]] == ["CANCELLED", "FAILED", "PENDING"]
    assert [row["status"] for row in body["data"]["transactions"]] == ["failed", "failed", "pending"]
    assert body["pagination"] == {"total": 4, "limit": 3, "offset": 0, "hasMore": True}
    last = (await site.call("GET", "/transactions?limit=3&offset=3")).json()
    assert last["transactions"][0]["packageInfo"] == {"name": "Self-hosted", "maxSessions": 1000}
    assert last["transactions"][0]["type"] == "SUBSCRIPTION"
    assert set(last["data"]["transactions"][0]) == {
        "id",
        "transactionId",
        "packageName",
        "packageDescription",
        "maxSessions",
        "amount",
        "status",
        "paymentMethod",
        "purchaseDate",
        "startDate",
        "endDate",
        "duration",
        "subscriptionStatus",
        "isActive",
    }
    assert last["data"]["summary"] == {"totalTransactions": 4, "hasActiveSubscription": True}
    assert last["data"]["activeSubscription"]["packageName"] == "Self-hosted"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("status=PENDING", ["pending"]),
        ("status=paid", ["success"]),
        ("status=failed", ["cancelled", "failed"]),
        ("status=FAILED", ["failed"]),
        ("startDate=2026-01-12", ["cancelled", "failed"]),
        ("endDate=2026-01-11", ["pending", "success"]),
        ("startDate=2026-01-11T00:00:00Z&endDate=2026-01-12T23:00:00%2B07:00", ["failed", "pending"]),
        ("status=", ["cancelled", "failed", "pending", "success"]),
    ],
)
async def test_payments_are_filtered(site: Site, rows: Any, query: str, ids: list[str]) -> None:
    await add_payments(site, rows)
    body = (await site.call("GET", f"/transactions?{query}")).json()
    assert [row["id"] for row in body["transactions"]] == [f"trx_{status}" for status in ids]


@pytest.mark.parametrize("query", ["status=nonsense", "startDate=yesterday", "endDate=2026-13-01", "limit=0"])
async def test_a_bad_filter_is_refused(site: Site, query: str) -> None:
    refused(await site.call("GET", f"/transactions?{query}"), 400, "VALIDATION_FAILED")


async def test_the_dashboard_counts_what_is_stored(site: Site, rows: Any) -> None:
    await add_payments(site, rows)
    await site.make_session("one")
    await observe(rows, await site.make_session("two"), "connected")
    data = (await site.call("GET", "//api/customer/dashboard")).json()["data"]
    assert data["whatsappSummary"] == {
        "expiration": None,
        "sessionQuota": {"total": 1000, "used": 2, "remaining": 998},
        "activeSessions": 1,
        "messageStats": {"sent": 0, "failed": 0},
    }
    assert data["transactionSummary"] == {
        "success": {"total": 1, "product": 0, "whatsapp": 1},
        "pending": {"awaitingPayment": 1, "awaitingVerification": 0},
        "failed": 2,
        "totalOverall": 4,
    }
    assert data["productDeliveryLog"] == []
    assert data["recentHistory"]["products"] == []
    assert len(data["recentHistory"]["whatsapp"]) == 4
    assert data["lastUpdated"].endswith("Z")
