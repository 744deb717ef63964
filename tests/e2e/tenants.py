"""Customers beside the default one, with a plan of their own or none, so that tests on one stack do not meet."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import httpx
import msgspec

from libs.contracts.ids import new_id
from libs.contracts.records import Allowance, Record, Subscription
from libs.runtime.mongo import database, to_document
from services.api.access.passwords import Passwords
from services.api.accounts.records import Customer, Plan, Purchase, Role, Stored, Transaction, User
from tests.e2e.wire import BASE
from tests.servers import client_of
from tests.stack import RunningStack

PASSWORD = "kata sandi rahasia"
TIMEOUT_S = 90.0
"""Above what any request here waits for."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of a running stack, its owner signed in."""

    url: str
    customer_id: str
    email: str
    token: str
    key: str

    def client(self) -> httpx.AsyncClient:
        """A client with the owner's token, as the dashboard has it."""
        return client(self.url, {"Authorization": f"Bearer {self.token}"})


def client(url: str, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client of the stack with these headers on every request."""
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False)


def zone_at_noon() -> str:
    """A time zone in which it is between noon and one o'clock now."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


async def make_tenant(
    stack: RunningStack,
    *,
    max_sessions: int | None = 1_000,
    allowance: Allowance | None = None,
    time_zone: str = "Asia/Jakarta",
) -> Tenant:
    """A new customer with an owner; `max_sessions` of its plan, None: it has never subscribed to anything.

    `allowance` is all of what the plan allows, instead of so many sessions and any number of messages.
    """
    at, customer_id = datetime.now(UTC), new_id("cus")
    email = f"{customer_id}@example.com"
    hashed = await Passwords(at_once=1, queue=1).hashed(PASSWORD)
    owner = User(
        id=new_id("usr"),
        created_at=at,
        customer_id=customer_id,
        email=email,
        name="Owner",
        role=Role.OWNER,
        password_hash=hashed,
    )
    customer = Customer(id=customer_id, created_at=at, name="Tenant", email=email, time_zone=time_zone)
    await store(stack, customer, owner)
    if allowance is None and max_sessions is not None:
        allowance = Allowance(max_sessions=max_sessions, features=["Unlimited messages"])
    if allowance is not None:
        await _subscribe(stack, customer_id, allowance, at)
    async with client(stack.url) as http:
        answer = await http.post("/api/auth/signin", json={"email": email, "password": PASSWORD})
        token: str = answer.json()["data"]["token"]
        answer = await http.get(f"{BASE}/apikey", headers={"Authorization": f"Bearer {token}"})
        key: str = answer.json()["apiKey"]
    return Tenant(url=stack.url, customer_id=customer_id, email=email, token=token, key=key)


async def _subscribe(stack: RunningStack, customer_id: str, allowance: Allowance, at: datetime) -> None:
    plan = Plan(
        id=f"plan_{secrets.token_hex(6)}",
        created_at=at,
        name="Warung",
        description="For a small shop",
        allowance=allowance,
        price=150_000,
        currency="IDR",
        billing_cycle="monthly",
    )
    subscription = Subscription(
        id=f"sub_{customer_id}",
        created_at=at,
        customer_id=customer_id,
        plan_id=plan.id,
        plan_name=plan.name,
        allowance=allowance,
        price=plan.price,
        currency=plan.currency,
        billing_cycle=plan.billing_cycle,
        started_at=at,
    )
    await store(stack, plan, subscription)


async def pay(stack: RunningStack, tenant: Tenant, status: str, *, kind: str = "subscription") -> str:
    """A payment of the tenant in this state; its id."""
    bought = Purchase(
        plan_id="plan_of_another_day",
        plan_name="Toko",
        plan_description="For a larger shop",
        allowance=Allowance(max_sessions=10),
        price=150_000,
        currency="IDR",
        billing_cycle="monthly",
    )
    row = Transaction(
        id=new_id("trx"),
        created_at=datetime.now(UTC),
        customer_id=tenant.customer_id,
        kind=kind,
        description=f"Paid with {status}",
        amount=150_000,
        currency="IDR",
        status=status,
        payment_method="qris",
        purchase=bought if kind == "subscription" else None,
    )
    await store(stack, row)
    return row.id


async def store(stack: RunningStack, *rows: Stored | Record) -> None:
    """Put these rows where api keeps them."""
    async with client_of(stack.ready.mongodb_url) as mongodb:
        for row in rows:
            await database(mongodb)[f"{type(row).__name__.lower()}s"].insert_one(to_document(row))
