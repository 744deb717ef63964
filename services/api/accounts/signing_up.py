"""Signing up: whoever comes becomes a customer with an owner, and a trial, where the deployment lets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from pymongo.errors import DuplicateKeyError

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from libs.runtime import logs
from services.api.access.attempts import begin_sign_up
from services.api.accounts import store_customers
from services.api.accounts.audit import note
from services.api.accounts.customers import new_customer
from services.api.accounts.records import Role, User
from services.api.accounts.users import Bounded, NewPassword, PersonName, new_user, taken
from services.api.billing import bookings, store_plans
from services.api.billing.bookings import Booking, Books, Deal
from services.api.billing.subscribing import booked
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.times import now

TRIAL = "trial"
DEFAULT_ZONE = "Asia/Jakarta"

log = logs.get()


class SignUp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who signs up, as owner of a new account; `company` is the account's name, by default the person's."""

    name: PersonName
    email: Bounded
    password: NewPassword
    phone: Bounded | None = None
    company: PersonName | None = None
    time_zone: Annotated[str, Meta(max_length=64)] = DEFAULT_ZONE


def require_open(edge: Edge) -> None:
    """Raises Refusal FORBIDDEN where the deployment takes no new customers by itself."""
    if not edge.settings.open_signup:
        raise Refusal(ApiError.FORBIDDEN, reason="sign-up is closed here; ask the operator for an account")


async def signed_up(edge: Edge, wish: SignUp) -> User:
    """The owner of a new customer, all stored. Raises Refusal: closed, tried too often, a field that is not right."""
    require_open(edge)
    await begin_sign_up(edge)
    owner = await _new_owner(edge, wish)
    await _begin_trial(edge, owner)
    return owner


async def _new_owner(edge: Edge, wish: SignUp) -> User:
    owner = await new_user(
        edge,
        customer_id=new_id("cus"),
        email=wish.email,
        name=wish.name,
        role=Role.OWNER,
        password=wish.password,
        phone=wish.phone,
    )
    customer = new_customer(
        owner.customer_id or "",
        name=wish.company or wish.name,
        email=owner.email,
        time_zone=wish.time_zone,
        at=owner.created_at,
    )
    try:
        await store_customers.add_customer(edge.client, edge.database, customer, owner)
    except DuplicateKeyError as error:
        raise taken(error) from error
    await note(edge, owner, "customer.signed_up", customer.id, {"email": owner.email})
    return owner


async def _begin_trial(edge: Edge, owner: User) -> None:
    """Subscribe the new customer to the plan that the settings name, for some days, for nothing."""
    plan_id = edge.settings.signup_plan
    if not plan_id:
        return
    plan = await store_plans.plan_by_id(edge.database, plan_id)
    if plan is None or not plan.is_active:
        log.error("a new customer got no trial: MERPATI_SIGNUP_PLAN names no plan that is sold", plan=plan_id)
        return
    at = now()
    ends_at = at + timedelta(days=edge.settings.signup_days)
    deal = Deal(cycles=1, by=owner.id, amount=0, payment_method=TRIAL)

    def trial(books: Books) -> Booking:
        booking = bookings.subscribed(books, plan, deal, at)
        first, *others = booking.subscriptions
        return replace(booking, subscriptions=[replace(first, ends_at=ends_at), *others])

    await booked(edge, owner.customer_id or "", trial)
