"""How customers look to the platform and to themselves, and what their fields may hold."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from services.api.accounts.records import Account, Customer
from services.api.billing.terms import SubscriptionBrief, brief_view, standing_of
from services.api.errors import invalid
from services.api.languages import Localized, localized
from services.api.sentences import Phrase
from services.api.times import Time, iso, iso_or_none

LONGEST_NAME = 100


class CustomerObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A customer, with what it may do now. `suspendedAt` null: it is not suspended."""

    id: str
    name: str
    email: str
    time_zone: str
    is_default: bool
    sessions_used: int
    subscription: SubscriptionBrief
    suspended_at: Time | None
    suspended_for: str | None
    created_at: Time


class CustomerAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One customer."""

    data: CustomerObject
    message: Localized
    success: bool = True


def customer_object(account: Account, at: datetime) -> CustomerObject:
    """The customer as it is at this time."""
    customer = account.customer
    return CustomerObject(
        id=customer.id,
        name=customer.name,
        email=customer.email,
        time_zone=customer.time_zone,
        is_default=customer.is_default,
        sessions_used=customer.sessions_used,
        subscription=brief_view(standing_of(account, at)),
        suspended_at=iso_or_none(customer.suspended_at),
        suspended_for=customer.suspended_for,
        created_at=iso(customer.created_at),
    )


def customer_answer(account: Account, message: Phrase, at: datetime) -> CustomerAnswer:
    """The customer and a sentence."""
    return CustomerAnswer(data=customer_object(account, at), message=localized(message))


def checked_customer_name(text: str) -> str:
    """The name without the spaces around it. Raises Refusal VALIDATION_FAILED."""
    name = text.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise invalid("name", f"it has 1 to {LONGEST_NAME} printable characters")
    return name


def checked_time_zone(text: str) -> str:
    """The name of a time zone, such as `Asia/Jakarta`. Raises Refusal VALIDATION_FAILED."""
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid("timeZone", "it is the name of a time zone, such as Asia/Jakarta") from error


def changed_fields(customer_name: str | None, email: str | None, time_zone: str | None) -> dict[str, str]:
    """The stored fields to be set, checked; those that are None stay. Raises Refusal."""
    changes: dict[str, str] = {}
    if customer_name is not None:
        changes["name"] = checked_customer_name(customer_name)
    if email is not None:
        changes["email"] = email
    if time_zone is not None:
        changes["timeZone"] = checked_time_zone(time_zone)
    if not changes:
        raise invalid("", "nothing to change was given")
    return changes


def new_customer(customer_id: str, *, name: str, email: str, time_zone: str, at: datetime) -> Customer:
    """A customer that is not stored yet, its fields checked. Raises Refusal VALIDATION_FAILED."""
    return Customer(
        id=customer_id,
        created_at=at,
        name=checked_customer_name(name),
        email=email,
        time_zone=checked_time_zone(time_zone),
    )
