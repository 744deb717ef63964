"""The records of customers and of who may act for them. All are written by api alone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from libs.contracts.records import Allowance, Subscription

SCOPES = ("read", "send", "sessions", "webhooks", "admin")


class Role(StrEnum):
    """What a user may do; admin and support are the platform's and belong to no customer."""

    OWNER = "owner"
    MEMBER = "member"
    ADMIN = "admin"
    SUPPORT = "support"


PLATFORM = (Role.ADMIN, Role.SUPPORT)


class Stored(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base: `id` is `_id`."""

    id: str = msgspec.field(name="_id")
    created_at: datetime


class Customer(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `customers`. `is_default` is true for one: whom the single-session endpoints are about."""

    name: str
    email: str
    sessions_used: int = 0
    """Live sessions; changes in one transaction with them."""
    time_zone: str = "Asia/Jakarta"
    is_default: bool = False
    suspended_at: datetime | None = None
    """Since when nobody may act for it, and nothing of it is sent; its sessions stay linked."""
    suspended_for: str | None = None
    """Why, in an operator's words."""
    credits_threshold: int | None = None
    """The balance below which `credits.low` is told; None: the deployment's."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with its subscriptions, the newest first."""

    customer: Customer
    subscriptions: list[Subscription] = []


class User(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `users`: who signs in. `email` is lower case and unique."""

    customer_id: str | None
    email: str
    name: str
    role: Role
    password_hash: str
    username: str | None = None
    phone: str | None = None
    is_active: bool = True
    bootstrap_hash: str | None = None
    """The password that bootstrap gave last: it sets another one only when it is itself given another one."""


class Login(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `logins`: one sign-in token; `id` is its `jti`. Gone when it is revoked or over (TTL)."""

    user_id: str
    expires_at: datetime
    address: str | None = None
    """From where it was made."""
    user_agent: str | None = None


class ApiKey(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `keys`. The primary key of a customer has the id `primary/<customer>`, is sealed and can be read."""

    customer_id: str
    name: str
    hash: str
    """SHA-256, hex."""
    sealed: str | None = None
    """The key itself, sealed about the row's id; only of a primary key."""
    scopes: tuple[str, ...] = SCOPES
    session_ids: tuple[str, ...] | None = None
    """The sessions that it may use; null for all."""
    expires_at: datetime | None = None
    is_active: bool = True
    prefix: str = ""
    """How the key begins: enough to tell it from others."""
    addresses: tuple[str, ...] | None = None
    """The addresses and networks (CIDR) from which it may be used; null for all."""
    requests_per_minute: int | None = None
    """Null: the deployment's default; 0: no limit."""
    messages_per_minute: int | None = None
    """As above."""
    last_used_at: datetime | None = None
    """To the minute."""
    former_hash: str | None = None
    """After a rotation: the key before, which is good until `former_until`."""
    former_until: datetime | None = None


class Plan(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `plans`: what can be subscribed to. A subscription keeps a copy of the terms."""

    name: str
    description: str
    allowance: Allowance
    price: int
    """In whole units of `currency`, for each cycle."""
    currency: str
    billing_cycle: str
    """`monthly` or `yearly`."""
    is_offered: bool = False
    """Whether customers see it and may ask for it themselves."""
    is_active: bool = True
    """Whether anybody may still be subscribed to it."""


class Purchase(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a payment is for, by the terms on which it was agreed: a plan that changes later changes nothing here."""

    plan_id: str
    plan_name: str
    plan_description: str
    allowance: Allowance
    price: int
    """In whole units of `currency`, for each cycle."""
    currency: str
    billing_cycle: str
    cycles: int = 1


class TransactionStep(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A status that a payment has taken, when, and by whose hand (a user's id)."""

    status: str
    at: datetime
    by: str | None = None
    note: str | None = None


class Transaction(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `transactions`: one payment for a plan or a top-up. None is ever removed, and no amount ever changes.

    `status` moves from `pending` to one of the others once, and each status it takes is appended to `history`.
    """

    customer_id: str
    kind: str
    """`subscription` or `topup`."""
    description: str
    amount: int
    currency: str
    status: str
    """`success`, `pending`, `failed` or `cancelled`."""
    payment_method: str
    purchase: Purchase | None = None
    subscription_id: str | None = None
    history: list[TransactionStep] = []


class Ticket(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `tickets`: opens one stream, once. `id` is the SHA-256 of the ticket."""

    customer_id: str
    user_id: str | None
    key_id: str | None
    role: Role | None
    scopes: tuple[str, ...]
    session_ids: tuple[str, ...] | None
    expires_at: datetime
    login_id: str | None = None
    """The sign-in that it stands for."""
    key_hash: str | None = None
    """The SHA-256 of the API key that it stands for."""


class AuditEntry(Stored, frozen=True, kw_only=True, rename="camel"):
    """Collection `audit`: who did what to what. Gone when it is over (TTL)."""

    action: str
    """A thing and what became of it: `key.created`, `sign_in.failed`."""
    customer_id: str | None = None
    """Whose account it concerns; null when it is the platform's alone."""
    user_id: str | None = None
    key_id: str | None = None
    role: Role | None = None
    target: str | None = None
    """Id of the thing."""
    details: dict[str, Any] = {}
    address: str | None = None
    """From where the request came."""
    request_id: str
    expires_at: datetime
