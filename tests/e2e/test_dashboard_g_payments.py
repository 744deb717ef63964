"""The multi-session customer dashboard on the wire: plan, payments and the first page, in both spellings."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.e2e.tenants import Tenant, make_tenant, pay
from tests.e2e.wire import BASE, refused, told
from tests.stack import RunningStack

SUBSCRIPTION = {
    *("id", "packageName", "status", "maxSessions", "features", "billingCycle", "nextBillingDate", "price", "currency"),
}
SUBSCRIPTION_DATA = {
    *("hasActiveSubscription", "packageName", "maxSessions", "currentSessions", "canCreateMoreSessions", "startDate"),
    *("endDate", "status", "subscriptionId", "packageId", "price"),
}
TRANSACTION = {"id", "type", "description", "amount", "currency", "status", "createdAt"}
TRANSACTION_DATA = {
    *("id", "transactionId", "packageName", "packageDescription", "maxSessions", "amount", "status", "paymentMethod"),
    *("purchaseDate", "startDate", "endDate", "duration", "subscriptionStatus", "isActive"),
}
SPELLINGS = {
    "success": ("SUCCESS", "paid"),
    "pending": ("PENDING", "pending"),
    "failed": ("FAILED", "failed"),
    "cancelled": ("CANCELLED", "failed"),
}


@pytest.fixture(scope="module")
def poor(scripted_stack: RunningStack) -> Tenant:
    """A customer who never subscribed to anything."""
    return asyncio.run(make_tenant(scripted_stack, max_sessions=None))


@pytest.fixture(scope="module")
def payer(scripted_stack: RunningStack) -> Tenant:
    """A customer with one payment in each state, the last one cancelled."""
    return asyncio.run(_payer(scripted_stack))


async def _payer(stack: RunningStack) -> Tenant:
    tenant = await make_tenant(stack)
    for status in SPELLINGS:
        await pay(stack, tenant, status)
    return tenant


@pytest.fixture
async def subscribed(scripted_stack: RunningStack) -> Tenant:
    """A customer with a plan."""
    return await make_tenant(scripted_stack, max_sessions=3)


async def test_without_a_plan_subscription_and_payments_are_empty_and_no_error(poor: Tenant) -> None:
    async with poor.client() as http:
        body = told(await http.get(f"{BASE}/subscription"), "usage", "data")
        assert body["usage"] == {"sessionsUsed": 0, "messagesThisMonth": 0}
        assert set(body["data"]) == SUBSCRIPTION_DATA
        assert (body["data"]["hasActiveSubscription"], body["data"]["packageName"]) == (False, None)
        assert (body["data"]["status"], body["data"]["maxSessions"], body["data"]["price"]) == ("inactive", 0, 0)
        body = told(await http.get(f"{BASE}/transactions"), "transactions", "pagination", "data")
        assert body["transactions"] == body["data"]["transactions"] == []
        assert body["data"]["activeSubscription"] is None
        assert body["data"]["summary"] == {"totalTransactions": 0, "hasActiveSubscription": False}
        assert body["pagination"] == {"total": 0, "limit": 20, "offset": 0, "hasMore": False}


async def test_the_plan_is_told_in_both_dialects(subscribed: Tenant) -> None:
    async with subscribed.client() as http:
        await http.post(f"{BASE}/sessions", json={"name": "One"})
        body = told(await http.get(f"{BASE}/subscription"), "subscription", "usage", "data")
    assert set(body["subscription"]) == SUBSCRIPTION
    assert set(body["data"]) == SUBSCRIPTION_DATA
    assert body["usage"] == {"sessionsUsed": 1, "messagesThisMonth": 0}
    plan, data = body["subscription"], body["data"]
    assert (plan["status"], data["status"]) == ("ACTIVE", "active")
    assert (plan["packageName"], plan["billingCycle"], plan["currency"]) == ("Warung", "monthly", "IDR")
    assert (plan["maxSessions"], data["maxSessions"], data["currentSessions"]) == (3, 3, 1)
    assert (plan["id"], plan["price"]) == (data["subscriptionId"], data["price"])
    assert data["canCreateMoreSessions"] is True


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("SUCCESS", ["success"]),
        ("paid", ["success"]),
        ("PENDING", ["pending"]),
        ("pending", ["pending"]),
        ("FAILED", ["failed"]),
        ("failed", ["cancelled", "failed"]),
        ("CANCELLED", ["cancelled"]),
        (None, ["cancelled", "failed", "pending", "success"]),
    ],
)
async def test_payments_are_found_by_either_spelling_of_their_status(
    payer: Tenant, status: str | None, found: list[str]
) -> None:
    query = {"status": status} if status else {}
    async with payer.client() as http:
        body = told(await http.get(f"{BASE}/transactions", params=query), "transactions", "pagination", "data")
    assert [row["description"] for row in body["transactions"]] == [f"Paid with {each}" for each in found]
    assert body["pagination"]["total"] == body["data"]["pagination"]["total"] == len(found)
    for row, data in zip(body["transactions"], body["data"]["transactions"], strict=True):
        assert set(row) == TRANSACTION | {"packageInfo"}
        assert set(data) == TRANSACTION_DATA
        assert (row["id"], row["createdAt"]) == (data["id"], data["purchaseDate"])
        assert (row["status"], data["status"]) == SPELLINGS[row["description"].rpartition(" ")[2]]


@pytest.mark.parametrize(
    "query",
    [{"status": "perhaps"}, {"startDate": "yesterday"}, {"limit": "-1"}, {"offset": "x"}],
    ids=lambda query: next(iter(query)),
)
async def test_a_question_about_payments_that_makes_no_sense_is_refused(payer: Tenant, query: dict[str, str]) -> None:
    async with payer.client() as http:
        body = refused(await http.get(f"{BASE}/transactions", params=query), 400, "VALIDATION_FAILED")
    assert body["details"]["fields"][0]["path"] == next(iter(query))


async def test_payments_are_found_by_their_day(payer: Tenant) -> None:
    async with payer.client() as http:
        assert await _found(http, {"startDate": "2020-01-01"}) == 4
        assert await _found(http, {"startDate": "2020-01-01", "endDate": "2020-12-31"}) == 0


async def _found(http: httpx.AsyncClient, query: dict[str, str]) -> int:
    body = told(await http.get(f"{BASE}/transactions", params=query), "transactions", "pagination", "data")
    return len(body["transactions"])


async def test_the_first_page_sums_it_all_up(payer: Tenant, poor: Tenant) -> None:
    async with payer.client() as http:
        data = told(await http.get("/api/customer/dashboard"), "data")["data"]
    assert set(data) == {
        *("whatsappSummary", "transactionSummary", "productDeliveryLog", "recentHistory", "lastUpdated"),
    }
    assert data["whatsappSummary"] == {
        "expiration": None,
        "sessionQuota": {"total": 1000, "used": 0, "remaining": 1000},
        "activeSessions": 0,
        "messageStats": {"sent": 0, "failed": 0},
    }
    assert data["transactionSummary"] == {
        "success": {"total": 1, "product": 0, "whatsapp": 1},
        "pending": {"awaitingPayment": 1, "awaitingVerification": 0},
        "failed": 2,
        "totalOverall": 4,
    }
    assert (data["productDeliveryLog"], data["recentHistory"]["products"]) == ([], [])
    assert {frozenset(row) for row in data["recentHistory"]["whatsapp"]} == {
        frozenset(("id", "packageName", "duration", "amount", "currency", "createdAt"))
    }
    async with poor.client() as http:
        data = told(await http.get("/api/customer/dashboard"), "data")["data"]
    assert data["whatsappSummary"]["sessionQuota"] == {"total": 0, "used": 0, "remaining": 0}
    assert data["recentHistory"] == {"products": [], "whatsapp": []}
