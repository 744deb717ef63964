"""The plan and the credits: what is subscribed to, what is used of it, what may be bought, and every booking."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from libs.contracts.credits import DEFAULT_PRICE, PRICE_WITHOUT_A_NAME, LedgerEntry
from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.accounts.records import Plan, Transaction
from services.api.billing import quotas, store_credits, store_plans, store_transactions
from services.api.billing.credits import CreditsObject, credits_of
from services.api.billing.terms import Standing, month_began, standing_of
from services.api.context import Edge
from services.api.dashboard.lists import Paging, paging_of
from services.api.dashboard.reading import clock_of
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.figures import days, store_stats
from services.api.times import now
from services.api.web.paging import HIGHEST, Offset

PLACE = "/whatsapp/plan"
RECENT = 5
"""Bookings that stand on the page itself; there are pages of all."""
SHOWN = 25
MOST_PLANS = 50
STATUSES = ("pending", "success", "failed", "cancelled")

After = Annotated[int | None, QueryParameter(ge=1, le=HIGHEST, name="cursor")]


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of what there is; `most` None: any number."""

    used: int
    most: int | None


class Payments(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the payments. `query` is the filter for links."""

    rows: list[Transaction]
    status: str
    query: str
    paging: Paging


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The credits with a page of their ledger; `next` is where the page after it begins."""

    credits: CreditsObject
    prices: list[tuple[str, int]]
    """By type of message; `default`, the others, last."""
    is_low: bool
    """`credits.low` was told, and nothing was added since."""
    rows: list[LedgerEntry]
    next: int | None
    is_first: bool


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page shows. `ledger` is None to those who may not see the account's."""

    standing: Standing
    sessions: Quota
    messages: Quota
    plans: list[Plan]
    payments: Payments
    ledger: Ledger | None
    clock: Clock


@get(PLACE)
async def show_plan(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
) -> Response[str]:
    """The page."""
    cursor = cursor_now(edge)
    view = await _view_of(edge, request, customer)
    may_buy = visitor.may("admin")
    return pages_of(request).page(request, "plan.html", visitor=visitor, cursor=cursor, plan=view, may_buy=may_buy)


async def _view_of(edge: Edge, request: Request[Any, Any, Any], caller: Caller) -> PlanView:
    database, customer_id, at = edge.database, caller.customer_id, now()
    account = await store_customers.account_of(database, customer_id)
    standing = standing_of(account, at)
    zone = account.customer.time_zone if account else "UTC"
    messages, (plans, _), payments, ledger = await asyncio.gather(
        _messages_of(edge, customer_id, zone),
        store_plans.plans_newest_first(database, offered=True, limit=MOST_PLANS, offset=0),
        _payments_of(edge, customer_id, "", offset=0, limit=RECENT),
        _ledger_of(edge, caller, after=None, limit=RECENT),
    )
    return PlanView(
        standing=standing,
        sessions=Quota(used=standing.used, most=standing.max_sessions if standing.active else None),
        messages=messages,
        plans=sorted(plans, key=lambda plan: plan.price),
        payments=payments,
        ledger=ledger,
        clock=Clock(days.zone_of(zone), language_of_path(request.url.path)),
    )


async def _messages_of(edge: Edge, customer_id: str, zone: str) -> Quota:
    """Of this month: those that were accepted, where the plan counts them, else those that were sent."""
    month = await quotas.month_of(edge, customer_id)
    if month is not None:
        return Quota(used=await edge.monthly.accepted(month), most=month.limit)
    since = month_began(now(), zone)
    sent, _ = await store_stats.messages_sent_and_failed(edge.database, customer_id, since)
    return Quota(used=sent, most=None)


async def _payments_of(edge: Edge, customer_id: str, status: str, *, offset: int, limit: int) -> Payments:
    wanted: dict[str, Any] = {"status": status} if status else {}
    rows, total = await store_transactions.transactions_of(
        edge.database, customer_id, wanted, limit=limit, offset=offset
    )
    return Payments(
        rows=rows,
        status=status,
        query=urlencode(wanted),
        paging=paging_of(total, offset, limit),
    )


async def _ledger_of(edge: Edge, caller: Caller, *, after: int | None, limit: int) -> Ledger | None:
    """None to those who may not see it, and where messages cost nothing and nothing was ever booked."""
    if "admin" not in caller.scopes:
        return None
    answer, last, found = await asyncio.gather(
        credits_of(edge, caller.customer_id),
        store_credits.last_entry(edge.database, caller.customer_id),
        store_credits.entries_newest_first(
            edge.database, caller.customer_id, message_id=None, before=after, limit=limit + 1
        ),
    )
    if last is None and not answer.data.is_metered:
        return None
    rows = found[:limit]
    return Ledger(
        credits=answer.data,
        prices=prices_of(answer.data),
        is_low=last is not None and last.warned_low,
        rows=rows,
        next=rows[-1].number if len(found) > limit else None,
        is_first=after is None,
    )


def prices_of(credits: CreditsObject) -> list[tuple[str, int]]:
    """What messages cost, by type; what the others cost comes last. Empty where they cost nothing."""
    if not credits.is_metered:
        return []
    named = sorted((name, price) for name, price in credits.prices.items() if name != DEFAULT_PRICE)
    return [*named, (DEFAULT_PRICE, credits.prices.get(DEFAULT_PRICE, PRICE_WITHOUT_A_NAME))]


@get(f"{PLACE}/payments")
async def show_payments(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    offset: Offset = 0,
) -> Response[str]:
    """All payments, newest first, by the filter of the address."""
    cursor, asked = cursor_now(edge), request.query_params.get("status", "")
    payments, clock = await asyncio.gather(
        _payments_of(edge, customer.customer_id, asked if asked in STATUSES else "", offset=offset, limit=SHOWN),
        clock_of(edge, customer.customer_id, language_of_path(request.url.path)),
    )
    return pages_of(request).page(
        request,
        "plan_payments.html",
        visitor=visitor,
        cursor=cursor,
        payments=payments,
        statuses=STATUSES,
        clock=clock,
        may_buy=visitor.may("admin"),
    )


@get(f"{PLACE}/credits")
async def show_ledger(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    after: After = None,
) -> Response[str]:
    """All of the ledger, newest first."""
    customer.require_account()
    cursor = cursor_now(edge)
    ledger, clock = await asyncio.gather(
        _ledger_of(edge, customer, after=after, limit=SHOWN),
        clock_of(edge, customer.customer_id, language_of_path(request.url.path)),
    )
    return pages_of(request).page(
        request, "plan_ledger.html", visitor=visitor, cursor=cursor, ledger=ledger, clock=clock
    )


handlers: list[ControllerRouterHandler] = [show_plan, show_payments, show_ledger]
