"""A customer's credits at the edge: whether a message is covered as far as is believed, and how they are shown."""

from __future__ import annotations

import msgspec

from libs.contracts.credits import LedgerEntry, price_of
from libs.contracts.errors import ApiError
from libs.contracts.records import Allowance
from libs.contracts.subscriptions import standing
from services.api.billing import store_credits
from services.api.billing.standings import account_for, customer_subject
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.times import Time, iso, now


async def terms_of(edge: Edge, customer_id: str) -> Allowance | None:
    """The terms that count for the customer, or did last, as they are believed; None without any."""
    account = await account_for(edge, customer_id)
    term = None if account is None else standing(account.subscriptions, now())
    return None if term is None or term.subscription is None else term.subscription.allowance


async def require_credits(edge: Edge, customer_id: str, message_type: str) -> None:
    """Raises Refusal CREDITS_EXHAUSTED when the balance, as it is believed, does not cover the message.

    A belief is up to 5 s old: what sender finds uncovered after all fails there. Asks MongoDB for nobody whose messages
    cost nothing.
    """
    allowance = await terms_of(edge, customer_id)
    price = 0 if allowance is None else price_of(allowance, message_type)
    if price == 0:
        return
    funds = await edge.memory.believe(
        f"credits/{customer_id}", lambda _: customer_subject(customer_id), lambda: _funds_of(edge, customer_id)
    )
    left = 0 if funds is None else funds.balance
    if left < price:
        raise Refusal(ApiError.CREDITS_EXHAUSTED, details={"balance": left, "price": price})


class Funds(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer has: to spend, and reserved."""

    balance: int = 0
    held: int = 0


async def _funds_of(edge: Edge, customer_id: str) -> Funds:
    """Of a customer of whom nothing is booked yet: nothing, which can be believed as well."""
    last = await store_credits.last_entry(edge.database, customer_id)
    return Funds() if last is None else Funds(balance=last.balance, held=last.held)


# --- How they are shown ----------------------------------------------------------------------------------------------


class CreditsObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A customer's credits. `prices` are by type of message, `default` stands for the others."""

    is_metered: bool
    """Whether messages cost credits at all."""
    balance: int
    """What may still be spent."""
    held: int
    """Reserved for messages that have not ended: charged when they are sent, else given back."""
    threshold: int | None
    """`credits.low` is told when the balance falls below this; null: at the deployment's threshold."""
    prices: dict[str, int]


class CreditsAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A customer's credits."""

    data: CreditsObject
    success: bool = True


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One row of the ledger: why, and by how much, the balance and what is held changed."""

    number: int
    """Its place in the ledger, from 1 without a gap."""
    kind: str
    """`reserve charge refund rebook refused` of a message; `topup gift correction` by hand."""
    amount: int
    """Change of the balance."""
    hold: int
    """Change of what is held."""
    balance: int
    """Right after it."""
    held: int
    """Right after it."""
    at: Time
    message_id: str | None
    session_id: str | None
    note: str | None


class LedgerPaging(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the list goes on: the `cursor` of the next request, null at the end."""

    limit: int
    next: int | None
    has_more: bool


class LedgerAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of the ledger, newest first."""

    data: list[LedgerRow]
    pagination: LedgerPaging
    success: bool = True


async def credits_of(edge: Edge, customer_id: str) -> CreditsAnswer:
    """The customer's credits as they are stored now."""
    allowance = await terms_of(edge, customer_id)
    funds = await _funds_of(edge, customer_id)
    return CreditsAnswer(
        data=CreditsObject(
            is_metered=allowance is not None and allowance.is_metered,
            balance=funds.balance,
            held=funds.held,
            threshold=await store_credits.threshold_of(edge.database, customer_id),
            prices={} if allowance is None else allowance.prices,
        )
    )


async def ledger_of(
    edge: Edge, customer_id: str, *, message_id: str | None, cursor: int | None, limit: int
) -> LedgerAnswer:
    """A page of the customer's ledger."""
    found = await store_credits.entries_newest_first(
        edge.database, customer_id, message_id=message_id, before=cursor, limit=limit + 1
    )
    page, has_more = found[:limit], len(found) > limit
    paging = LedgerPaging(limit=limit, next=page[-1].number if has_more else None, has_more=has_more)
    return LedgerAnswer(data=[_row_of(entry) for entry in page], pagination=paging)


def _row_of(entry: LedgerEntry) -> LedgerRow:
    return LedgerRow(
        number=entry.number,
        kind=entry.kind,
        amount=entry.amount,
        hold=entry.hold,
        balance=entry.balance,
        held=entry.held,
        at=iso(entry.at),
        message_id=entry.message_id,
        session_id=entry.session_id,
        note=entry.note,
    )
