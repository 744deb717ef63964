"""Books what happens to a customer's subscriptions and payments, and lets everybody know who goes by them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

import msgspec
from pymongo.errors import DuplicateKeyError, PyMongoError

from libs.contracts.errors import ApiError
from libs.contracts.records import Subscription
from libs.runtime.bus import BusDown, PublishUnclear, StreamFull
from services.api.accounts import store_customers
from services.api.accounts.records import Customer, Plan, Transaction
from services.api.billing import store_bookings, store_plans, store_transactions
from services.api.billing.bookings import Booking, Books
from services.api.billing.notices import tell
from services.api.billing.standings import customer_changed
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.messages import idempotency
from services.api.times import now


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the books now: the subscription that was meant, and the payment for it."""

    customer: Customer
    subscription: Subscription | None
    payment: Transaction | None
    replayed: bool = False


async def booked(edge: Edge, customer_id: str, rule: Callable[[Books], Booking]) -> Booked:
    """Book what the rule makes of the customer's books. Raises Refusal NOT_FOUND, and what the rule raises.

    A payment that was booked before, under the id of a repeated request, is not booked again.
    """
    edge.require_bus()
    try:
        done = await store_bookings.book(edge.client, edge.database, customer_id, rule)
    except DuplicateKeyError as error:
        return await _booked_before(edge, customer_id, error)
    if done is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    booking, books = done
    await _let_know(edge, customer_id, booking)
    return Booked(
        customer=booking.customer or books.customer,
        subscription=booking.subscriptions[0] if booking.subscriptions else None,
        payment=booking.payment,
    )


async def _let_know(edge: Edge, customer_id: str, booking: Booking) -> None:
    """At once, as far as that is possible; what is not told now is told when NATS is back."""
    await customer_changed(edge, customer_id)
    with contextlib.suppress(PyMongoError, BusDown, PublishUnclear, StreamFull):
        for row in booking.subscriptions:
            if row.notice_at is not None and row.notice_at <= now():
                await tell(edge, row)


async def _booked_before(edge: Edge, customer_id: str, error: DuplicateKeyError) -> Booked:
    key = (error.details or {}).get("keyValue", {}).get("_id")
    payment = await store_transactions.transaction_by_id(edge.database, str(key))
    if payment is None or payment.customer_id != customer_id:
        raise error
    customer = await store_customers.customer_by_id(edge.database, customer_id)
    if customer is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    return Booked(
        customer=customer,
        subscription=await store_plans.subscription_by_id(edge.database, payment.subscription_id or ""),
        payment=payment,
        replayed=True,
    )


def payment_id_of(customer_id: str, key: str | None) -> str | None:
    """The id of the payment that a request with this Idempotency-Key books; None without one."""
    if key is None:
        return None
    if not idempotency.is_key(key):
        raise invalid("Idempotency-Key", "it holds 1 to 255 printable ASCII characters without spaces")
    return "trx_" + hashlib.sha256(f"{customer_id}/{key}".encode()).hexdigest()[:20]


# --- Looking up ------------------------------------------------------------------------------------------------------


async def plan_for(edge: Edge, plan_id: str) -> Plan:
    """The plan. Raises Refusal NOT_FOUND."""
    plan = await store_plans.plan_by_id(edge.database, plan_id)
    if plan is None:
        raise Refusal(ApiError.NOT_FOUND, what="plan")
    return plan


async def subscription_for(edge: Edge, subscription_id: str) -> Subscription:
    """The subscription, whosever it is. Raises Refusal NOT_FOUND."""
    row = await store_plans.subscription_by_id(edge.database, subscription_id)
    if row is None:
        raise Refusal(ApiError.NOT_FOUND, what="subscription")
    return row


async def transaction_for(edge: Edge, transaction_id: str, *, customer_id: str | None = None) -> Transaction:
    """The payment; of this customer, when one is given. Raises Refusal NOT_FOUND."""
    row = await store_transactions.transaction_by_id(edge.database, transaction_id)
    if row is None or customer_id not in (None, row.customer_id):
        raise Refusal(ApiError.NOT_FOUND, what="transaction")
    return row
