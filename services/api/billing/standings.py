"""What a customer may do now, as the edge believes it, and the refusal of what it may not."""

from __future__ import annotations

from libs.contracts.errors import ApiError
from libs.contracts.subscriptions import EXPIRED
from services.api.accounts import store_customers
from services.api.accounts.records import Account
from services.api.billing.terms import Standing, standing_of
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.sentences import Phrase
from services.api.times import now

THE_OPERATOR = Phrase("the operator of this service", "pengelola layanan ini")
"""Whom a customer asks where the deployment names nobody."""


async def account_for(edge: Edge, customer_id: str) -> Account | None:
    """The customer with its subscriptions, up to 5 s old; its counter of sessions may be behind."""
    return await edge.memory.believe(
        f"account/{customer_id}", _subject_of, lambda: store_customers.account_of(edge.database, customer_id)
    )


def _subject_of(account: Account) -> str:
    return customer_subject(account.customer.id)


def customer_subject(customer_id: str) -> str:
    """What `cache.dropped` names when a customer, or one of its subscriptions, has changed."""
    return f"customer/{customer_id}"


async def customer_changed(edge: Edge, customer_id: str) -> None:
    """Every edge shall look anew, and so shall sender, where messages may wait for a subscription."""
    await edge.memory.drop(customer_subject(customer_id))


async def standing_now(edge: Edge, customer_id: str) -> Standing:
    """What the customer may do, as it is believed."""
    return standing_of(await account_for(edge, customer_id), now())


async def require_unsuspended(edge: Edge, customer_id: str) -> None:
    """Raises Refusal CUSTOMER_SUSPENDED while an operator has suspended the customer."""
    account = await account_for(edge, customer_id)
    if account is not None and account.customer.suspended_at is not None:
        raise Refusal(ApiError.CUSTOMER_SUSPENDED, contact=edge.settings.operator_contact.strip() or THE_OPERATOR)


async def require_subscription(edge: Edge, customer_id: str) -> None:
    """Raises Refusal NO_SUBSCRIPTION or SUBSCRIPTION_EXPIRED unless one is active."""
    refusal = refusal_without(await standing_now(edge, customer_id))
    if refusal is not None:
        raise refusal


def refusal_without(standing: Standing, *, error: ApiError | None = None) -> Refusal | None:
    """Why nothing may be made or started; None with an active subscription. `error` is the code in its place."""
    if standing.active:
        return None
    details = {"packageName": None, "maxSessions": 0, "currentSessions": standing.used, "status": standing.status}
    if standing.status == EXPIRED and standing.ends_at is not None:
        return Refusal(ApiError.SUBSCRIPTION_EXPIRED, details=details, ended=f"{standing.ends_at:%Y-%m-%d}")
    return Refusal(ApiError.NO_SUBSCRIPTION, error=error, details=details)
