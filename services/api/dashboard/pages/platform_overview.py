"""The platform at a glance: how many of everything, and what waits for one of its own people."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from libs.contracts.events import SessionStatus
from libs.contracts.records import Subscription
from services.api.accounts import store_customers
from services.api.billing import store_plans, store_transactions
from services.api.context import Edge
from services.api.dashboard.cards import NEEDS_A_PERSON
from services.api.dashboard.reading import operators_clock
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.platform import letters, store_fleet
from services.api.platform.replicas import shards_held_by_nobody
from services.api.sessions.views import CONNECTED
from services.api.times import now

PLACE = "/platform"
ENDS_WITHIN = timedelta(days=7)
MOST_ENDING = 5


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that ends soon, and whose it is."""

    subscription: Subscription
    customer: str


class PlatformOverview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page shows; `pending` payments wait for somebody, `ending` are the first of their total."""

    customers: int
    suspended: int
    sessions: dict[SessionStatus, int]
    pending: int
    letters: int
    free_shards: int
    ending: list[Ending]
    ending_total: int
    clock: Clock

    @property
    def total(self) -> int:
        """How many devices all customers have."""
        return sum(self.sessions.values())

    @property
    def connected(self) -> int:
        """How many of them are connected."""
        return sum(self.sessions.get(status, 0) for status in CONNECTED)

    @property
    def trouble(self) -> int:
        """How many of them need a person."""
        return sum(self.sessions.get(status, 0) for status in NEEDS_A_PERSON)


@get(PLACE)
async def show_platform(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], operator: NamedDependency[Visitor]
) -> Response[str]:
    """The page."""
    clock = await operators_clock(edge, language_of_path(request.url.path))
    overview = await _overview(edge, clock)
    return pages_of(request).page(request, "platform_overview.html", visitor=operator, overview=overview)


async def _overview(edge: Edge, clock: Clock) -> PlatformOverview:
    database = edge.database
    (customers, suspended), sessions, (_, pending), waiting, free, (ending, ending_total) = await asyncio.gather(
        _customers(edge),
        sessions_by_status(edge),
        store_transactions.all_transactions(database, {"status": "pending"}, limit=1, offset=0),
        letters.waiting_letters(edge.bus),
        shards_held_by_nobody(database),
        _ending(edge),
    )
    return PlatformOverview(
        customers=customers,
        suspended=suspended,
        sessions=sessions,
        pending=pending,
        letters=waiting,
        free_shards=free,
        ending=ending,
        ending_total=ending_total,
        clock=clock,
    )


async def sessions_by_status(edge: Edge) -> dict[SessionStatus, int]:
    """How many devices of all customers are in each state, as they were some seconds ago at most.

    Every open page asks every few seconds, and each count looks at the state of every device: one serves all of them.
    """
    counted = await edge.memory.believe(
        "fleet", lambda _: "fleet", lambda: store_fleet.all_sessions_by_status(edge.database)
    )
    return counted or {}


async def _customers(edge: Edge) -> tuple[int, int]:
    """How many there are, and how many of them are suspended."""
    (_, total), (_, suspended) = await asyncio.gather(
        store_customers.customers_newest_first(edge.database, text=None, suspended=None, limit=1, offset=0),
        store_customers.customers_newest_first(edge.database, text=None, suspended=True, limit=1, offset=0),
    )
    return total, suspended


async def _ending(edge: Edge) -> tuple[list[Ending], int]:
    """The subscriptions that end soon, the next first, and how many there are."""
    at = now()
    wanted = {"status": "active", "endsAt": {"$gt": at, "$lte": at + ENDS_WITHIN}}
    rows, total = await store_plans.all_subscriptions(
        edge.database, wanted, soonest_end_first=True, limit=MOST_ENDING, offset=0
    )
    names = await store_customers.names_of(edge.database, {row.customer_id for row in rows})
    return [Ending(subscription=row, customer=names.get(row.customer_id, row.customer_id)) for row in rows], total


handlers: list[ControllerRouterHandler] = [show_platform]
