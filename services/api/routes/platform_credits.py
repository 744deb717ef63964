"""The platform's hand in customers' credits: top-ups, gifts and corrections, and the ledger they stand in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from libs.contracts.credits import LedgerEntry
from services.api import confirmations
from services.api.accounts.audit import note
from services.api.accounts.records import User
from services.api.billing.credits import CreditsAnswer, LedgerAnswer, credits_of, ledger_of
from services.api.billing.granting import Grant, Payment, grant_id_of, granted
from services.api.context import Edge
from services.api.errors import invalid
from services.api.languages import Localized, localized
from services.api.messages import idempotency
from services.api.routes.credits import MOST_CREDITS, OfMessage, PageSize, Place
from services.api.routes.platform_customers import account_for
from services.api.times import now

BOOKED, ACCEPTED = 200, 202


class GrantPayment(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What the customer paid; it becomes a transaction of type TOPUP."""

    amount: Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
    """In whole units of `currency`."""
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]
    method: Annotated[str, Meta(min_length=1, max_length=50)] = "manual"


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Credits to add; a correction may take them away, even below zero."""

    amount: Annotated[int, Meta(ge=-MOST_CREDITS, le=MOST_CREDITS)]
    reason: Literal["topup", "gift", "correction"] = "topup"
    note: Annotated[str, Meta(max_length=300)] | None = None
    payment: GrantPayment | None = None


class GrantObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A grant. `balance` is that right after it, null while it is not booked yet."""

    grant_id: str
    customer_id: str
    reason: str
    amount: int
    balance: int | None


class GrantAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """POST /customers/{id}/credits."""

    data: GrantObject
    message: Localized
    success: bool = True


@post("/customers/{customer_id:str}/credits", operation_id="grant_credits", status_code=BOOKED)
async def grant_credits(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    customer_id: FromPath[str],
    data: JSONBody[NewGrant],
) -> Response[GrantAnswer]:
    """Top up, give or correct credits. `Idempotency-Key` makes a repeat safe, for good. 202: it will be booked soon."""
    await account_for(edge, customer_id)
    grant = _grant_of(data, customer_id, operator, request.headers.get("Idempotency-Key"))
    booked = await granted(edge, grant)
    details = {"amount": grant.amount, "reason": grant.reason, "note": grant.note, "grantId": grant.id}
    await note(edge, operator, "credits.granted", customer_id, details, customer_id=customer_id)
    return Response(_answer(grant, booked), status_code=BOOKED if booked is not None else ACCEPTED)


def _grant_of(data: NewGrant, customer_id: str, operator: User, key: str | None) -> Grant:
    if key is not None and not idempotency.is_key(key):
        raise invalid("Idempotency-Key", "it holds 1 to 255 printable ASCII characters without spaces")
    if data.amount == 0 or (data.amount < 0 and data.reason != "correction"):
        raise invalid("amount", "it is above zero, or, of a correction, below")
    payment = data.payment
    if payment is not None and data.reason != "topup":
        raise invalid("payment", "only a top-up is paid for")
    return Grant(
        id=grant_id_of(customer_id, key),
        customer_id=customer_id,
        reason=data.reason,
        amount=data.amount,
        note=data.note,
        by=operator.id,
        at=now(),
        payment=payment and Payment(amount=payment.amount, currency=payment.currency, method=payment.method),
    )


def _answer(grant: Grant, booked: LedgerEntry | None) -> GrantAnswer:
    return GrantAnswer(
        data=GrantObject(
            grant_id=grant.id,
            customer_id=grant.customer_id,
            reason=grant.reason,
            amount=grant.amount,
            balance=None if booked is None else booked.balance,
        ),
        message=localized(confirmations.CREDITS_BOOKED if booked is not None else confirmations.CREDITS_TO_BE_BOOKED),
    )


@get("/customers/{customer_id:str}/credits", operation_id="get_customer_credits")
async def get_customer_credits(edge: NamedDependency[Edge], customer_id: FromPath[str]) -> CreditsAnswer:
    """A customer's credits."""
    await account_for(edge, customer_id)
    return await credits_of(edge, customer_id)


@get("/customers/{customer_id:str}/credits/ledger", operation_id="list_customer_credits_ledger")
async def list_customer_credits_ledger(
    edge: NamedDependency[Edge],
    customer_id: FromPath[str],
    message: OfMessage = None,
    cursor: Place = None,
    limit: PageSize = 50,
) -> LedgerAnswer:
    """A customer's ledger, newest first."""
    await account_for(edge, customer_id)
    return await ledger_of(edge, customer_id, message_id=message, cursor=cursor, limit=limit)


router = Router(
    path="/api/platform",
    route_handlers=[grant_credits, get_customer_credits, list_customer_credits_ledger],
    tags=["Platform: credits"],
)
