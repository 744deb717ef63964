"""Credits of a customer on a whole stack: topped up by an administrator, spent by messages, refused when used up."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from libs.contracts.records import Allowance
from tests.e2e.ears import heard, listening
from tests.e2e.handsets import Network, linked
from tests.e2e.tenants import Tenant, client, make_tenant
from tests.e2e.wire import BASE, refused, told
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

PRICES = {"text": 2, "image": 5, "reaction": 0}
METERED = Allowance(max_sessions=5, is_metered=True, prices=PRICES)


@pytest.fixture
async def tenant(simulated_stack: RunningStack) -> Tenant:
    """A customer whose messages cost credits."""
    return await make_tenant(simulated_stack, allowance=METERED)


@pytest.fixture
async def admin(simulated_stack: RunningStack) -> str:
    """The token of the platform's administrator."""
    ready = simulated_stack.ready
    async with client(simulated_stack.url) as http:
        body = {"identifier": ready.admin_email, "password": ready.admin_password}
        answer = await http.post("/api/auth/signin", json=body)
        return str(answer.json()["data"]["token"])


async def grant(tenant: Tenant, admin: str, amount: int, key: str, **more: Any) -> dict[str, Any]:
    """Credits for the tenant, by hand; the answer once they are booked, which it does not wait for longer than 5 s."""
    headers = {"Authorization": f"Bearer {admin}", "Idempotency-Key": key}
    async with client(tenant.url, headers) as http:

        async def booked() -> dict[str, Any] | None:
            path = f"/api/platform/customers/{tenant.customer_id}/credits"
            answer = await http.post(path, json={"amount": amount, **more})
            found = told(answer, "data", "message", status=202 if answer.status_code == 202 else 200)
            return found["data"] if answer.status_code == 200 else None

        found = await eventually(booked)
    assert found is not None
    return found


async def credits(http: httpx.AsyncClient) -> dict[str, Any]:
    """The customer's credits."""
    found: dict[str, Any] = told(await http.get(f"{BASE}/credits"), "data")["data"]
    return found


async def ledger(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """The customer's ledger, oldest first."""
    page = told(await http.get(f"{BASE}/credits/ledger", params=query), "data", "pagination")
    return list(reversed(page["data"]))


async def send(http: httpx.AsyncClient, session: str, to: str, **more: Any) -> httpx.Response:
    body = {"type": "text", "to": to, "text": "Halo", **more}
    return await http.post(f"{BASE}/sessions/{session}/messages", json=body, headers={"Prefer": "wait=60"})


async def test_credits_are_spent_by_messages_and_end_in_402(tenant: Tenant, admin: str, network: Network) -> None:
    async with tenant.client() as http, listening(tenant.url, tenant.token, events="credits.*") as stream:
        session, _ = await linked(http, network, "Till")
        person = await network.person()
        assert (await credits(http))["balance"] == 0
        body = refused(await send(http, session, person), 402, "CREDITS_EXHAUSTED")
        assert body["details"] == {"balance": 0, "price": 2}

        first = await grant(tenant, admin, 5, key="invoice-1", note="Invoice 1")
        assert first == await grant(tenant, admin, 5, key="invoice-1", note="Invoice 1"), "once for each key"
        assert first["balance"] == 5
        await heard(stream, "credits.changed", balance=5, change=5, reason="topup", grantId=first["grantId"])

        sent = told(await send(http, session, person), "messageId", "status", "timestamp", "message", "data")
        await eventually(lambda: is_settled(http))
        rows = await ledger(http, message=sent["messageId"])
        assert [(row["kind"], row["amount"]) for row in rows] == [("reserve", -2), ("charge", 0)]
        told(await send(http, session, person), "messageId", "status", "timestamp", "message", "data")
        refused(await send(http, session, person), 402, "CREDITS_EXHAUSTED")
        assert (await credits(http))["balance"] == 1
        assert sum(row["amount"] for row in await ledger(http)) == 1
        await network.arrived(person, 2)


async def is_settled(http: httpx.AsyncClient) -> bool:
    return (await credits(http))["held"] == 0


async def test_a_customer_chooses_when_to_be_warned_and_is(tenant: Tenant, admin: str, network: Network) -> None:
    async with tenant.client() as http, listening(tenant.url, tenant.token, events="credits.low") as stream:
        session, _ = await linked(http, network, "Till")
        person = await network.person()
        told(await http.put(f"{BASE}/credits/low-balance", json={"threshold": 9}), "data")
        await grant(tenant, admin, 10, key="gift-1", reason="gift")
        told(await send(http, session, person), "messageId", "status", "timestamp", "message", "data")
        frame = await heard(stream, "credits.low", balance=8, threshold=9)
        assert frame["sessionId"] is None


async def test_a_paid_top_up_is_among_the_payments(tenant: Tenant, admin: str) -> None:
    payment = {"amount": 250_000, "currency": "IDR", "method": "bank transfer"}
    await grant(tenant, admin, 5_000, key="invoice-2", payment=payment)
    await grant(tenant, admin, 5_000, key="invoice-2", payment=payment)
    async with tenant.client() as http:
        body = (await http.get(f"{BASE}/transactions")).json()
    paid = [(row["type"], row["amount"], row["status"]) for row in body["transactions"]]
    assert paid.count(("TOPUP", 250_000, "SUCCESS")) == 1
