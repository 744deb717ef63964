"""What stands in a customer's books: booked by an operator, or put there as the services would have left it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from libs.contracts.credits import LedgerEntry
from libs.contracts.ids import new_id
from libs.contracts.records import Allowance, Subscription
from libs.runtime.mongo import database, to_document
from services.api.accounts.records import Plan
from tests.browser.people import Person
from tests.e2e.tenants import client, store
from tests.servers import client_of
from tests.stack import RunningStack

METERED = Allowance(max_sessions=3, monthly_messages=1_000, is_metered=True, prices={"text": 2, "default": 5})


async def operator(stack: RunningStack) -> httpx.AsyncClient:
    """The platform's administrator at the API."""
    ready = stack.ready
    async with client(stack.url) as http:
        body = {"identifier": ready.admin_email, "password": ready.admin_password}
        answer = await http.post("/api/auth/signin", json=body)
        return client(stack.url, {"Authorization": f"Bearer {answer.json()['data']['token']}"})


async def granted(stack: RunningStack, person: Person, amount: int, **more: Any) -> None:
    """Credits for the customer."""
    async with await operator(stack) as http:
        path = f"/api/platform/customers/{person.tenant.customer_id}/credits"
        assert (await http.post(path, json={"amount": amount, **more})).is_success


async def offered(stack: RunningStack, name: str, *, price: int = 250_000) -> Plan:
    """A plan that customers see and may ask for."""
    plan = Plan(
        id=new_id("plan"),
        created_at=datetime.now(UTC),
        name=name,
        description="For a shop with a counter",
        allowance=Allowance(max_sessions=10, monthly_messages=20_000, features=["Support by chat"]),
        price=price,
        currency="IDR",
        billing_cycle="monthly",
        is_offered=True,
    )
    await store(stack, plan)
    return plan


async def subscribed(stack: RunningStack, person: Person, *, ends_in: timedelta) -> None:
    """The customer has a subscription that ends then."""
    at = datetime.now(UTC)
    row = Subscription(
        id=new_id("sub"),
        customer_id=person.tenant.customer_id,
        plan_id="plan_of_another_day",
        plan_name="Toko",
        allowance=Allowance(max_sessions=3),
        price=150_000,
        currency="IDR",
        billing_cycle="monthly",
        created_at=at - timedelta(days=30),
        started_at=at - timedelta(days=30),
        ends_at=at + ends_in,
    )
    await store(stack, row)


async def many_entries(stack: RunningStack, person: Person, count: int) -> None:
    """So many rows of the ledger, of one credit each."""
    at, customer = datetime.now(UTC), person.tenant.customer_id
    rows = [
        LedgerEntry(
            id=f"{customer}/grt_{number}/grant",
            customer_id=customer,
            number=number,
            kind="gift",
            amount=1,
            balance=number,
            held=0,
            at=at,
            note=f"Gift {number}",
        )
        for number in range(1, count + 1)
    ]
    async with client_of(stack.ready.mongodb_url) as mongodb:
        await database(mongodb).ledger.insert_many([to_document(row) for row in rows])
