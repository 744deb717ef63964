"""The platform's subscriptions: who has which plan until when; subscribe, extend and cancel."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from services.api import confirmations
from services.api.accounts.audit import note
from services.api.accounts.records import User
from services.api.billing import bookings, store_plans
from services.api.billing.bookings import Deal
from services.api.billing.subscribing import booked, payment_id_of, plan_for, subscription_for
from services.api.billing.views import BookingAnswer, SubscriptionObject, booking_answer, subscription_object
from services.api.context import Edge
from services.api.errors import invalid
from services.api.routes.platform_plans import Money
from services.api.times import now
from services.api.web.paging import Limit, Offset, Pagination, pagination

MOST_CYCLES = 120

Cycles = Annotated[int, Meta(ge=1, le=MOST_CYCLES)]
Method = Annotated[str, Meta(min_length=1, max_length=40)]
Note = Annotated[str, Meta(max_length=300)]


class NewSubscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A plan for so many cycles (null: without end), paid already; `amount` when another price was agreed."""

    plan_id: Annotated[str, Meta(max_length=100)]
    cycles: Cycles | None = 1
    amount: Money | None = None
    payment_method: Method = "manual"
    note: Note | None = None


class Extension(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """So many cycles more, or until `endsAt`, which costs nothing unless an amount is given."""

    cycles: Cycles | None = None
    ends_at: datetime | None = None
    amount: Money | None = None
    payment_method: Method = "manual"
    note: Note | None = None


class Cancellation(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why."""

    note: Note | None = None


class SubscriptionList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of subscriptions: newest first, or by their end when that is asked for."""

    data: list[SubscriptionObject]
    pagination: Pagination
    success: bool = True


@get("/subscriptions", operation_id="list_subscriptions")
async def list_subscriptions(
    edge: NamedDependency[Edge],
    customer: Annotated[str | None, QueryParameter(max_length=100)] = None,
    plan: Annotated[str | None, QueryParameter(max_length=100)] = None,
    status: FromQuery[Literal["active", "pending", "cancelled", "expired"] | None] = None,
    ends_before: Annotated[
        datetime | None, QueryParameter(name="endsBefore", description="Of those that run, the next to end first.")
    ] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> SubscriptionList:
    """Everybody's subscriptions."""
    at = now()
    wanted = _wanted(customer, plan, status, ends_before, at)
    rows, total = await store_plans.all_subscriptions(
        edge.database, wanted, soonest_end_first=ends_before is not None, limit=limit, offset=offset
    )
    return SubscriptionList(
        data=[subscription_object(row, at) for row in rows], pagination=pagination(total, limit, offset, len(rows))
    )


def _wanted(
    customer: str | None, plan: str | None, status: str | None, ends_before: datetime | None, at: datetime
) -> dict[str, Any]:
    exact = {"customerId": customer, "planId": plan}
    wanted: dict[str, Any] = {name: value for name, value in exact.items() if value is not None}
    match status:
        case "expired":
            wanted |= {"status": "active", "endsAt": {"$lte": at}}
        case "active":
            wanted |= {"status": "active", "$or": [{"endsAt": None}, {"endsAt": {"$gt": at}}]}
        case str():
            wanted["status"] = status
        case None:
            pass
    if ends_before is not None:
        wanted |= {"status": "active", "endsAt": {"$gt": at, "$lte": _aware(ends_before)}}
    return wanted


@post("/customers/{customer_id:str}/subscriptions", operation_id="subscribe_customer", status_code=200)
async def subscribe_customer(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    customer_id: FromPath[str],
    data: JSONBody[NewSubscription],
) -> BookingAnswer:
    """Subscribe a customer to a plan that is paid for.

    The same plan follows what the customer has of it; another one begins now and takes the place of what there is.
    `Idempotency-Key` makes a repeat safe.
    """
    plan, at = await plan_for(edge, data.plan_id), now()
    deal = Deal(
        cycles=data.cycles,
        by=operator.id,
        amount=data.amount,
        payment_method=data.payment_method,
        note=data.note,
        payment_id=payment_id_of(customer_id, request.headers.get("idempotency-key")),
    )
    done = await booked(edge, customer_id, lambda books: bookings.subscribed(books, plan, deal, at))
    if not done.replayed:
        details = {"plan": plan.name, "cycles": data.cycles}
        await note(edge, operator, "subscription.created", _id_of(done.subscription), details, customer_id=customer_id)
    return booking_answer(done, confirmations.SUBSCRIBED, now())


@post("/subscriptions/{subscription_id:str}/extend", operation_id="extend_subscription", status_code=200)
async def extend_subscription(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    subscription_id: FromPath[str],
    data: JSONBody[Extension],
) -> BookingAnswer:
    """Let a subscription end later, by the terms on which it was bought; one that is over goes on from now."""
    if (data.cycles is None) == (data.ends_at is None):
        raise invalid("", "either cycles or endsAt says how long")
    row, at = await subscription_for(edge, subscription_id), now()
    ends_at = None if data.ends_at is None else _aware(data.ends_at)
    deal = Deal(
        cycles=data.cycles,
        by=operator.id,
        amount=data.amount if data.amount is not None or data.cycles is not None else 0,
        payment_method=data.payment_method,
        note=data.note,
        payment_id=payment_id_of(row.customer_id, request.headers.get("idempotency-key")),
    )
    done = await booked(
        edge, row.customer_id, lambda books: bookings.extended(books, row.id, deal, at, ends_at=ends_at)
    )
    if not done.replayed:
        await note(edge, operator, "subscription.extended", row.id, customer_id=row.customer_id)
    return booking_answer(done, confirmations.SUBSCRIPTION_EXTENDED, now())


@post("/subscriptions/{subscription_id:str}/cancel", operation_id="cancel_subscription", status_code=200)
async def cancel_subscription(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    subscription_id: FromPath[str],
    data: JSONBody[Cancellation | None] = None,
) -> BookingAnswer:
    """End a subscription now. Sessions stay linked, messages wait."""
    row, at = await subscription_for(edge, subscription_id), now()
    text = data.note if data is not None else None
    done = await booked(
        edge, row.customer_id, lambda books: bookings.cancelled(books, row.id, at, by=operator.id, note=text)
    )
    await note(edge, operator, "subscription.cancelled", row.id, customer_id=row.customer_id)
    return booking_answer(done, confirmations.SUBSCRIPTION_CANCELLED, now())


def _id_of(row: Any) -> str | None:
    return None if row is None else str(row.id)


def _aware(moment: datetime) -> datetime:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)


router = Router(
    path="/api/platform",
    route_handlers=[list_subscriptions, subscribe_customer, extend_subscription, cancel_subscription],
    tags=["Platform: subscriptions"],
)
