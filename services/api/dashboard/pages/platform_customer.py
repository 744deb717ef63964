"""One customer of the platform: subscription, credits, payments and users, and what can be done for it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from libs.contracts.credits import LedgerEntry
from libs.contracts.records import Subscription
from libs.contracts.subscriptions import status_of
from services.api.accounts import store_users
from services.api.accounts.records import Customer, Plan, Transaction, User
from services.api.billing import store_credits, store_plans, store_transactions
from services.api.billing.terms import Standing, standing_of
from services.api.context import Edge
from services.api.dashboard.reading import operators_clock
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.routes.credits import MOST_CREDITS
from services.api.routes.platform_customers import account_for
from services.api.times import now
from services.api.web.paging import HIGHEST

PLACE = "/platform/customers"
MOST_USERS = 50
MOST_PAYMENTS = 5
MOST_PLANS = 200
LEDGER = 10
CURRENCY = "IDR"
"""What is proposed for the payment of a top-up."""

Before = Annotated[int | None, QueryParameter(name="ledger", ge=1, le=HIGHEST)]


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the ledger, and what is there now. `next`: the number below which the next page begins."""

    rows: list[LedgerEntry]
    balance: int
    held: int
    before: int | None
    next: int | None


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """All of a customer."""

    customer: Customer
    standing: Standing
    subscriptions: list[Subscription]
    """Those that run, wait or were there last, the newest first."""
    ledger: Ledger
    users: list[User]
    users_total: int
    payments: list[Transaction]
    payments_total: int
    plans: list[Plan]
    """Those that it can still be subscribed to."""
    clock: Clock
    at: datetime

    def status_of(self, row: Subscription) -> str:
        """`ACTIVE INACTIVE PENDING EXPIRED` of a subscription."""
        return status_of(row, self.at)

    def can_end(self, row: Subscription) -> bool:
        """Whether there is still something to be ended."""
        return row.status != "cancelled" and (row.ends_at is None or row.ends_at > self.at)

    def can_extend(self, row: Subscription) -> bool:
        """Whether it may end later: one that has an end, is paid for, and is followed by none."""
        return row.status == "active" and row.ends_at is not None and not self._is_followed(row)

    def _is_followed(self, row: Subscription) -> bool:
        others = (each for each in self.subscriptions if each.id != row.id and each.status == "active")
        return row.ends_at is not None and any(each.started_at >= row.ends_at for each in others)


@get(f"{PLACE}/{{customer_id:str}}")
async def show_customer(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    customer_id: FromPath[str],
    before: Before = None,
) -> Response[str]:
    """The page."""
    clock = await operators_clock(edge, language_of_path(request.url.path))
    dossier = await _dossier(edge, customer_id, before, clock)
    return pages_of(request).page(
        request,
        "platform_customer.html",
        visitor=operator,
        dossier=dossier,
        most_credits=MOST_CREDITS,
        currency=CURRENCY,
    )


async def _dossier(edge: Edge, customer_id: str, before: int | None, clock: Clock) -> Dossier:
    account, at = await account_for(edge, customer_id), now()
    database = edge.database
    ledger, (users, users_total), (payments, payments_total), (plans, _) = await asyncio.gather(
        _ledger(edge, customer_id, before),
        store_users.users_newest_first(
            database, store_users.Wanted(customer_id=customer_id), limit=MOST_USERS, offset=0
        ),
        store_transactions.transactions_of(database, customer_id, {}, limit=MOST_PAYMENTS, offset=0),
        store_plans.plans_newest_first(database, limit=MOST_PLANS, offset=0),
    )
    return Dossier(
        customer=account.customer,
        standing=standing_of(account, at),
        subscriptions=account.subscriptions,
        ledger=ledger,
        users=users,
        users_total=users_total,
        payments=payments,
        payments_total=payments_total,
        plans=[plan for plan in plans if plan.is_active],
        clock=clock,
        at=at,
    )


async def _ledger(edge: Edge, customer_id: str, before: int | None) -> Ledger:
    found, last = await asyncio.gather(
        store_credits.entries_newest_first(
            edge.database, customer_id, message_id=None, before=before, limit=LEDGER + 1
        ),
        store_credits.last_entry(edge.database, customer_id),
    )
    rows = found[:LEDGER]
    return Ledger(
        rows=rows,
        balance=last.balance if last else 0,
        held=last.held if last else 0,
        before=before,
        next=rows[-1].number if len(found) > LEDGER else None,
    )


handlers: list[ControllerRouterHandler] = [show_customer]
