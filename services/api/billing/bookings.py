"""What happens to a customer's subscriptions and payments when one is bought, extended, cancelled or paid. Pure rules.

Each takes the customer's books as they are and returns what is to be written; Refusal says what cannot be done.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec
from msgspec.structs import replace

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from libs.contracts.records import Subscription
from services.api.accounts.records import Customer, Plan, Purchase, Transaction, TransactionStep
from services.api.billing.cycles import CHANGED, end_after, place_for
from services.api.errors import Refusal, invalid

MOST_PENDING = 5
"""Purchases of one customer that may wait for their payment."""


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with all its subscriptions, and its payments that are pending."""

    customer: Customer
    subscriptions: list[Subscription]
    pending: list[Transaction]


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """What is agreed: how many cycles (None: without end), for how much, how it is paid, and who has booked it."""

    cycles: int | None
    by: str
    amount: int | None = None
    """None: the price of the cycles."""
    payment_method: str = "manual"
    note: str | None = None
    payment_id: str | None = None
    """Of a request that may come twice: the payment is booked once under it."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a payment that was pending."""

    transaction_id: str
    step: TransactionStep


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written: subscriptions as they are from now on, and a new payment or the end of a pending one."""

    subscriptions: list[Subscription] = []
    payment: Transaction | None = None
    settlement: Settlement | None = None
    customer: Customer | None = None


# --- Buying ----------------------------------------------------------------------------------------------------------


def subscribed(books: Books, plan: Plan, deal: Deal, at: datetime) -> Booking:
    """The customer has the plan, paid for: after what it has of the same plan already, else at once."""
    if not plan.is_active:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="this plan is no longer sold")
    _require_unsuspended(books)
    new = _subscription(books, plan, at)
    written = _placed(books, new, deal.cycles, at)
    payment = _payment(books, plan, deal, at, status="success", subscription_id=new.id)
    return Booking(subscriptions=written, payment=payment)


def requested(books: Books, plan: Plan, deal: Deal, at: datetime) -> Booking:
    """The customer asks for the plan: nothing changes until the payment is confirmed."""
    if not (plan.is_active and plan.is_offered):
        raise Refusal(ApiError.NOT_FOUND, what="plan")
    same = next((row for row in books.pending if _is_for(row, plan, deal)), None)
    if same is not None:
        return Booking(payment=same)
    if len(books.pending) >= MOST_PENDING:
        raise Refusal(ApiError.NOT_POSSIBLE, reason=f"{MOST_PENDING} purchases wait for their payment already")
    new = replace(_subscription(books, plan, at), status="pending")
    payment = _payment(books, plan, deal, at, status="pending", subscription_id=new.id)
    return Booking(subscriptions=[new], payment=payment)


def _is_for(row: Transaction, plan: Plan, deal: Deal) -> bool:
    bought = row.purchase
    return bought is not None and (bought.plan_id, bought.cycles) == (plan.id, deal.cycles)


def _subscription(books: Books, plan: Plan, at: datetime) -> Subscription:
    return Subscription(
        id=new_id("sub"),
        customer_id=books.customer.id,
        plan_id=plan.id,
        plan_name=plan.name,
        allowance=plan.allowance,
        price=plan.price,
        currency=plan.currency,
        billing_cycle=plan.billing_cycle,
        created_at=at,
        started_at=at,
    )


def _require_unsuspended(books: Books) -> None:
    """What begins, and when, depends on what runs: of a suspended customer nothing does."""
    if books.customer.suspended_at is not None:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="the customer is suspended")


def _placed(books: Books, new: Subscription, cycles: int | None, at: datetime) -> list[Subscription]:
    """The new subscription at its place, and those that make room for it."""
    place = place_for(new.plan_id, books.subscriptions, at)
    placed = replace(
        new,
        status="active",
        started_at=place.starts_at,
        ends_at=None if cycles is None else _end_after(place.starts_at, new.billing_cycle, cycles),
        notice=CHANGED,
        notice_at=at,
    )
    ended = [replace(row, ends_at=at, notice=None, notice_at=None) for row in _named(books, place.ended)]
    dropped = [replace(row, status="cancelled", notice=None, notice_at=None) for row in _named(books, place.dropped)]
    return [placed, *ended, *dropped]


def _named(books: Books, ids: Collection[str]) -> list[Subscription]:
    return [row for row in books.subscriptions if row.id in ids]


def _end_after(start: datetime, billing_cycle: str, cycles: int) -> datetime:
    try:
        return end_after(start, billing_cycle, cycles)
    except OverflowError as error:
        raise invalid("cycles", "it would end after the year 9999") from error


def _payment(
    books: Books, plan: Plan | Subscription, deal: Deal, at: datetime, *, status: str, subscription_id: str
) -> Transaction:
    bought = purchase_of(plan, deal.cycles or 1)
    return Transaction(
        id=deal.payment_id or new_id("trx"),
        created_at=at,
        customer_id=books.customer.id,
        kind="subscription",
        description=bought.plan_name,
        amount=bought.price * bought.cycles if deal.amount is None else deal.amount,
        currency=bought.currency,
        status=status,
        payment_method=deal.payment_method,
        purchase=bought,
        subscription_id=subscription_id,
        history=[TransactionStep(status=status, at=at, by=deal.by, note=deal.note)],
    )


def purchase_of(bought: Plan | Subscription, cycles: int) -> Purchase:
    """The terms of a plan as they are now, or of a subscription as they were agreed."""
    is_plan = isinstance(bought, Plan)
    return Purchase(
        plan_id=bought.id if is_plan else bought.plan_id,
        plan_name=bought.name if is_plan else bought.plan_name,
        plan_description=bought.description if is_plan else "",
        allowance=bought.allowance,
        price=bought.price,
        currency=bought.currency,
        billing_cycle=bought.billing_cycle,
        cycles=cycles,
    )


# --- Payments --------------------------------------------------------------------------------------------------------


def settled(books: Books, transaction_id: str, status: str, at: datetime, *, by: str, note: str | None) -> Booking:
    """A pending payment has succeeded, failed or was cancelled: what it was for begins, or never will."""
    row = next((each for each in books.pending if each.id == transaction_id), None)
    if row is None:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="the payment is not pending any more")
    step = TransactionStep(status=status, at=at, by=by, note=note)
    settlement = Settlement(transaction_id=row.id, step=step)
    new = next((each for each in books.subscriptions if each.id == row.subscription_id), None)
    if new is None or new.status != "pending":
        return Booking(settlement=settlement)
    if status != "success":
        return Booking(subscriptions=[replace(new, status="cancelled")], settlement=settlement)
    cycles = row.purchase.cycles if row.purchase is not None else 1
    _require_unsuspended(books)
    return Booking(subscriptions=_placed(books, new, cycles, at), settlement=settlement)


# --- What runs already -----------------------------------------------------------------------------------------------


def extended(books: Books, subscription_id: str, deal: Deal, at: datetime, *, ends_at: datetime | None) -> Booking:
    """The subscription ends so many cycles later, or at `ends_at`; one that is over goes on from now."""
    row = _the(books, subscription_id)
    if row.status != "active" or row.ends_at is None:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="it has no end" if row.ends_at is None else f"it is {row.status}")
    if any(each.status == "active" and each.started_at >= row.ends_at for each in books.subscriptions):
        raise Refusal(ApiError.NOT_POSSIBLE, reason="another subscription follows it; extend that one")
    if ends_at is None:
        ends_at = _end_after(max(row.ends_at, at), row.billing_cycle, deal.cycles or 1)
    if ends_at <= row.ends_at or ends_at <= at:
        raise invalid("endsAt", "it is not later than the present end")
    payment = _payment(books, row, deal, at, status="success", subscription_id=row.id)
    return Booking(subscriptions=[replace(row, ends_at=ends_at, notice=CHANGED, notice_at=at)], payment=payment)


def cancelled(books: Books, subscription_id: str, at: datetime, *, by: str, note: str | None) -> Booking:
    """The subscription allows nothing from now on; one that waits for its payment waits no more."""
    row = _the(books, subscription_id)
    if row.status == "cancelled":
        raise Refusal(ApiError.NOT_POSSIBLE, reason="it is cancelled already")
    if row.ends_at is not None and row.ends_at <= at:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="it is over already")
    step = TransactionStep(status="cancelled", at=at, by=by, note=note)
    unpaid = next((each for each in books.pending if each.subscription_id == row.id), None)
    ended = replace(row, status="cancelled", ends_at=max(at, row.started_at), notice=CHANGED, notice_at=at)
    return Booking(
        subscriptions=[ended],
        settlement=None if unpaid is None else Settlement(transaction_id=unpaid.id, step=step),
    )


def _the(books: Books, subscription_id: str) -> Subscription:
    row = next((each for each in books.subscriptions if each.id == subscription_id), None)
    if row is None:
        raise Refusal(ApiError.NOT_FOUND, what="subscription")
    return row


# --- Suspension ------------------------------------------------------------------------------------------------------


def suspended(books: Books, at: datetime, *, reason: str | None) -> Booking:
    """Nobody acts for the customer any more, and its subscriptions allow nothing. May be said twice."""
    since = books.customer.suspended_at or at
    customer = replace(books.customer, suspended_at=since, suspended_for=reason)
    return Booking(customer=customer, subscriptions=_held(books, held=True))


def resumed(books: Books) -> Booking:
    """As it was before, as far as it is not over by now. May be said twice."""
    customer = replace(books.customer, suspended_at=None, suspended_for=None)
    return Booking(customer=customer, subscriptions=_held(books, held=False))


def _held(books: Books, *, held: bool) -> list[Subscription]:
    return [replace(row, held=held) for row in books.subscriptions if row.held != held and row.status != "cancelled"]
