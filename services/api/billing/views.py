"""How plans, subscriptions and payments look to those who manage them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.records import Allowance, Subscription
from libs.contracts.subscriptions import status_of
from services.api.accounts.records import Plan, Purchase, Transaction
from services.api.billing.subscribing import Booked
from services.api.billing.terms import shown_status
from services.api.languages import Localized, localized
from services.api.sentences import Phrase
from services.api.times import Time, iso, iso_or_none


class AllowanceView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is allowed; `monthlyMessages` null: any number. `prices` are credits by type of message."""

    max_sessions: int
    monthly_messages: int | None
    is_metered: bool
    prices: dict[str, int]
    features: list[str]


class PlanObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A plan. `isOffered`: customers see it and may ask for it; `isActive`: it is still sold."""

    id: str
    name: str
    description: str
    allowance: AllowanceView
    price: int
    currency: str
    billing_cycle: str
    is_offered: bool
    is_active: bool
    created_at: Time


class SubscriptionObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A subscription, by the terms on which it was bought."""

    id: str
    customer_id: str
    plan_id: str
    package_name: str
    status: str
    """`ACTIVE INACTIVE PENDING EXPIRED`; one that has not begun is PENDING."""
    is_cancelled: bool
    is_held: bool
    """The customer is suspended."""
    allowance: AllowanceView
    price: int
    currency: str
    billing_cycle: str
    start_date: Time
    end_date: Time | None
    created_at: Time


class PaymentStep(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A status that the payment took, and who saw to it (a user's id)."""

    status: str
    at: Time
    by: str | None
    note: str | None


class PaymentObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A payment with its history. Its amount never changes."""

    id: str
    customer_id: str
    type: str
    description: str
    amount: int
    currency: str
    status: str
    """`SUCCESS PENDING FAILED CANCELLED`."""
    payment_method: str
    package_name: str | None
    cycles: int | None
    subscription_id: str | None
    history: list[PaymentStep]
    created_at: Time


class Booking(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What stands in the books now."""

    subscription: SubscriptionObject | None
    transaction: PaymentObject | None


class BookingAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The subscription that was meant and the payment for it, as far as there is one."""

    data: Booking
    message: Localized
    success: bool = True


class PaymentAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One payment."""

    data: PaymentObject
    success: bool = True


def allowance_view(allowance: Allowance) -> AllowanceView:
    """What is allowed."""
    return AllowanceView(
        max_sessions=allowance.max_sessions,
        monthly_messages=allowance.monthly_messages,
        is_metered=allowance.is_metered,
        prices=allowance.prices,
        features=allowance.features,
    )


def plan_object(plan: Plan) -> PlanObject:
    """A plan."""
    return PlanObject(
        id=plan.id,
        name=plan.name,
        description=plan.description,
        allowance=allowance_view(plan.allowance),
        price=plan.price,
        currency=plan.currency,
        billing_cycle=plan.billing_cycle,
        is_offered=plan.is_offered,
        is_active=plan.is_active,
        created_at=iso(plan.created_at),
    )


def subscription_object(row: Subscription, at: datetime) -> SubscriptionObject:
    """A subscription as it is at this time."""
    return SubscriptionObject(
        id=row.id,
        customer_id=row.customer_id,
        plan_id=row.plan_id,
        package_name=row.plan_name,
        status=status_of(row, at),
        is_cancelled=row.status == "cancelled",
        is_held=row.held,
        allowance=allowance_view(row.allowance),
        price=row.price,
        currency=row.currency,
        billing_cycle=row.billing_cycle,
        start_date=iso(row.started_at),
        end_date=iso_or_none(row.ends_at),
        created_at=iso(row.created_at),
    )


def payment_object(row: Transaction) -> PaymentObject:
    """A payment with its history."""
    bought: Purchase | None = row.purchase
    return PaymentObject(
        id=row.id,
        customer_id=row.customer_id,
        type=row.kind.upper(),
        description=row.description,
        amount=row.amount,
        currency=row.currency,
        status=shown_status(row),
        payment_method=row.payment_method,
        package_name=bought.plan_name if bought else None,
        cycles=bought.cycles if bought else None,
        subscription_id=row.subscription_id,
        history=[
            PaymentStep(status=step.status.upper(), at=iso(step.at), by=step.by, note=step.note) for step in row.history
        ],
        created_at=iso(row.created_at),
    )


def booking_answer(done: Booked, message: Phrase, at: datetime) -> BookingAnswer:
    """What was booked."""
    return BookingAnswer(
        data=Booking(
            subscription=subscription_object(done.subscription, at) if done.subscription else None,
            transaction=payment_object(done.payment) if done.payment else None,
        ),
        message=localized(message),
    )
