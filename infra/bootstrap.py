"""Makes the first rows: indexes, the plan, the administrator, and the default customer with its owner and API key.

May run twice, and at the same time; what is there already stays. Prints one line of JSON for the programs around it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from infra.upgrades import upgrade
from libs.contracts.ids import new_id
from libs.contracts.records import Allowance, Record, Subscription
from libs.runtime.crypto import KeyRing, KeyRingError
from libs.runtime.mongo import Database, connect, database, from_document, to_document
from libs.runtime.settings import SettingsError, read
from services.api.access import store_keys
from services.api.access.keys import key_hash, new_api_key, shown_prefix
from services.api.access.passwords import Passwords
from services.api.accounts.records import (
    ApiKey,
    Customer,
    Plan,
    Purchase,
    Role,
    Stored,
    Transaction,
    TransactionStep,
    User,
)
from services.api.indexes import make_indexes
from services.api.times import now

PLAN_ID = "plan_self_hosted"
MAX_SESSIONS = 1_000
TRIES = 5


class BootstrapSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the first rows are made from."""

    mongodb_url: str
    """MongoDB with the database's name as its path."""
    secret_keys: str
    """Key ring; seals the primary API key."""
    admin_password: str
    """Password of the platform's administrator."""
    customer_password: str
    """Password of the default customer's owner."""
    admin_email: str = "admin@merpati.local"
    """Address with which the administrator signs in."""
    customer_email: str = "owner@merpati.local"
    """Address with which the owner signs in."""


class Bootstrapped(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is there now."""

    customer_id: str
    email: str
    api_key: str
    admin_email: str


async def bootstrap(rows: Database, settings: BootstrapSettings, ring: KeyRing, passwords: Passwords) -> Bootstrapped:
    """Make what is missing."""
    await make_indexes(rows)
    await upgrade(rows)
    at = now()
    plan = _plan(at)
    await _insert_unless_there(rows, "plans", plan)
    customer = await _default_customer(rows, settings.customer_email, at)
    await _insert_unless_there(rows, "subscriptions", _subscription(plan, customer.id, at))
    await _insert_unless_there(rows, "transactions", _transaction(plan, customer.id, at))
    await _user(rows, passwords, Role.ADMIN, settings.admin_email, settings.admin_password, None, at)
    await _user(rows, passwords, Role.OWNER, settings.customer_email, settings.customer_password, customer.id, at)
    return Bootstrapped(
        customer_id=customer.id,
        email=settings.customer_email,
        api_key=await _primary_key(rows, ring, customer.id, at),
        admin_email=settings.admin_email,
    )


# --- The rows --------------------------------------------------------------------------------------------------------


def _plan(at: datetime) -> Plan:
    return Plan(
        id=PLAN_ID,
        created_at=at,
        name="Self-hosted",
        description="Your own gateway: 1,000 sessions, unlimited messages",
        allowance=Allowance(
            max_sessions=MAX_SESSIONS,
            features=["Unlimited messages", "Unlimited credits", "Live status stream"],
        ),
        price=0,
        currency="IDR",
        billing_cycle="monthly",
    )


def _subscription(plan: Plan, customer_id: str, at: datetime) -> Subscription:
    return Subscription(
        id=f"sub_{customer_id}",
        created_at=at,
        customer_id=customer_id,
        plan_id=plan.id,
        plan_name=plan.name,
        allowance=plan.allowance,
        price=plan.price,
        currency=plan.currency,
        billing_cycle=plan.billing_cycle,
        started_at=at,
    )


def _transaction(plan: Plan, customer_id: str, at: datetime) -> Transaction:
    return Transaction(
        id=f"trx_{customer_id}",
        created_at=at,
        customer_id=customer_id,
        kind="subscription",
        description=plan.name,
        amount=0,
        currency=plan.currency,
        status="success",
        payment_method="none",
        purchase=Purchase(
            plan_id=plan.id,
            plan_name=plan.name,
            plan_description=plan.description,
            allowance=plan.allowance,
            price=plan.price,
            currency=plan.currency,
            billing_cycle=plan.billing_cycle,
        ),
        subscription_id=f"sub_{customer_id}",
        history=[TransactionStep(status="success", at=at)],
    )


async def _insert_unless_there(rows: Database, collection: str, row: Stored | Record) -> None:
    document = to_document(row)
    await _upserted(rows, collection, {"_id": document.pop("_id")}, document)


async def _default_customer(rows: Database, email: str, at: datetime) -> Customer:
    made = to_document(Customer(id=new_id("cus"), created_at=at, name="Default customer", email=email))
    made.pop("isDefault")
    return from_document(Customer, await _upserted(rows, "customers", {"isDefault": True}, made))


async def _user(
    rows: Database, passwords: Passwords, role: Role, email: str, password: str, customer_id: str | None, at: datetime
) -> None:
    """The user with this address; given another password than the last time, it is changed, else one's own stays."""
    address = email.strip().lower()
    found = await rows.users.find_one({"email": address})
    if found is not None and await passwords.matches(found.get("bootstrapHash"), password):
        return
    hashed = await passwords.hashed(password)
    user = User(
        id=new_id("usr"),
        created_at=at,
        customer_id=customer_id,
        email=address,
        name="Administrator" if role is Role.ADMIN else "Owner",
        role=role,
        password_hash=hashed,
        username="admin" if role is Role.ADMIN else None,
        bootstrap_hash=hashed,
    )
    made = to_document(user)
    for field in ("email", "passwordHash", "bootstrapHash"):
        made.pop(field)
    await _upserted(rows, "users", {"email": address}, made, {"passwordHash": hashed, "bootstrapHash": hashed})


async def _primary_key(rows: Database, ring: KeyRing, customer_id: str, at: datetime) -> str:
    api_key, key_id = new_api_key(), store_keys.primary_key_id(customer_id)
    made = ApiKey(
        id=key_id,
        created_at=at,
        customer_id=customer_id,
        name="Primary key",
        hash=key_hash(api_key),
        prefix=shown_prefix(api_key),
        sealed=ring.seal(api_key.encode(), about=key_id),
    )
    key = await store_keys.make_primary_key(rows, made)
    return ring.open(key.sealed or "", about=key.id).decode()


async def _upserted(
    rows: Database, collection: str, wanted: dict[str, Any], made: dict[str, Any], always: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The row, made when there is none. Two upserts at the same time: one meets the unique index and tries again."""
    update: dict[str, Any] = {"$setOnInsert": made} | ({"$set": always} if always else {})
    for attempt in range(TRIES):
        try:
            row = await rows[collection].find_one_and_update(
                wanted, update, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:
            if attempt == TRIES - 1:
                raise
        else:
            if row is not None:
                return row
    raise LookupError(f"{collection}: the row was removed while it was made")


# --- The command -----------------------------------------------------------------------------------------------------


async def run(settings: BootstrapSettings) -> Bootstrapped:
    """Connect, make the rows, and disconnect."""
    ring = KeyRing.parse(settings.secret_keys)
    async with connect(settings.mongodb_url, app="bootstrap", timeout_ms=30_000) as client:
        return await bootstrap(database(client), settings, ring, Passwords(at_once=2, queue=8))


def main() -> int:
    """Print what is there; 2 when the settings are wrong."""
    try:
        done = asyncio.run(run(read(BootstrapSettings, os.environ)))
    except (SettingsError, KeyRingError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(msgspec.json.encode(done).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
