"""Sessions and accounts for the tables of rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from libs.contracts.events import SessionStatus
from libs.contracts.records import Allowance, SessionRecord, SessionState, Subscription
from services.api.accounts.records import Account, Customer, Plan, Purchase
from services.api.sessions.store_sessions import Seen

AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(**fields: Any) -> SessionRecord:
    """A session that nobody has started yet."""
    given: dict[str, Any] = {
        "id": "a1b2c3d4e5f60718",
        "customer_id": "cus_1",
        "name": "Sales",
        "engine": "scripted",
        "shard": 3,
        "live": True,
        "created_at": AT,
        "updated_at": AT,
    }
    return SessionRecord(**(given | fields))


def seen(status: SessionStatus | None, *, wanted: dict[str, Any] | None = None, **state: Any) -> Seen:
    """A session in this observed state; None: its owner has not written one yet."""
    kept = record(**(wanted or {}))
    if status is None:
        return Seen(record=kept)
    given: dict[str, Any] = {"network": "scripted", "shard": 3, "updated_at": AT}
    return Seen(
        record=kept, state=SessionState(id=kept.id, customer_id=kept.customer_id, status=status, **(given | state))
    )


def plan(**fields: Any) -> Plan:
    """A plan of 3 sessions, yearly."""
    given: dict[str, Any] = {
        "id": "plan_1",
        "created_at": AT,
        "name": "Small",
        "description": "Three sessions",
        "allowance": Allowance(max_sessions=3, features=["Messages"]),
        "price": 50_000,
        "currency": "IDR",
        "billing_cycle": "yearly",
    }
    return Plan(**(given | fields))


def purchase(**fields: Any) -> Purchase:
    """The purchase of `plan`, once."""
    of = plan()
    given: dict[str, Any] = {
        "plan_id": of.id,
        "plan_name": of.name,
        "plan_description": of.description,
        "allowance": of.allowance,
        "price": of.price,
        "currency": of.currency,
        "billing_cycle": of.billing_cycle,
    }
    return Purchase(**(given | fields))


def subscription(**fields: Any) -> Subscription:
    """A subscription to `plan` that began an hour ago and has no end."""
    of = plan()
    given: dict[str, Any] = {
        "id": "sub_1",
        "customer_id": "cus_1",
        "plan_id": of.id,
        "plan_name": of.name,
        "allowance": of.allowance,
        "price": of.price,
        "currency": of.currency,
        "billing_cycle": of.billing_cycle,
        "created_at": AT - HOUR,
        "started_at": AT - HOUR,
    }
    return Subscription(**(given | fields))


def account(*subscriptions: Subscription, used: int = 0) -> Account:
    """A customer with these subscriptions, and so many sessions in use."""
    customer = Customer(id="cus_1", created_at=AT, name="Shop", email="shop@example.com", sessions_used=used)
    return Account(customer=customer, subscriptions=list(subscriptions))
