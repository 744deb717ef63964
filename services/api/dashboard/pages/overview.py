"""The overview: how the devices are, what was sent, what needs a person."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from libs.contracts.events import SessionStatus
from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.billing import quotas, store_credits
from services.api.billing.terms import Standing, standing_of
from services.api.context import Edge
from services.api.dashboard.attention import Concern, Funds, concerns_of, funds_of
from services.api.dashboard.cards import NEEDS_A_PERSON, Card, card_of
from services.api.dashboard.endpoints import Endpoint, endpoint_of
from services.api.dashboard.reading import sessions_by_status
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import Language, saying
from services.api.figures import days, store_stats
from services.api.figures.statistics import Counts, counts_of
from services.api.figures.store_stats import Counted
from services.api.sessions import store_sessions
from services.api.sessions.store_sessions import Queue
from services.api.sessions.views import CONNECTED
from services.api.times import now
from services.api.webhooks import store_webhooks

MOST_SHOWN = 5
START = "/whatsapp"
PLATFORM = "/platform"


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page shows. `trouble` of the sessions need a person, `cards` are the first of them."""

    total: int
    connected: int
    trouble: int
    cards: list[Card]
    today: Counts
    month: Counts
    standing: Standing
    credits_left: int | None
    """None where messages cost nothing."""
    concerns: list[Concern]
    """What of the account needs a person."""
    clock: Clock


async def overview_of(edge: Edge, request: Request[Any, Any, Any], caller: Caller) -> Overview:
    """Read it all, side by side."""
    database, customer_id, at = edge.database, caller.customer_id, now()
    account = await store_customers.account_of(database, customer_id)
    standing = standing_of(account, at)
    clock = Clock(days.zone_of(account.customer.time_zone if account else "UTC"), language_of_path(request.url.path))
    counted = Counted(customer_id=customer_id, sessions=caller.session_ids)
    by_status, (troubled, _), today, month, (funds, concerns) = await asyncio.gather(
        sessions_by_status(database, customer_id),
        store_sessions.sessions_newest_first(
            database, customer_id, statuses=NEEDS_A_PERSON, only=caller.session_ids, limit=MOST_SHOWN, offset=0
        ),
        store_stats.sums_since(database, counted, days.day_began(at, clock.zone)),
        store_stats.sums_since(database, counted, days.month_began(at, clock.zone)),
        _attention(edge, caller, standing, at, clock),
    )
    return Overview(
        total=sum(by_status.values()),
        connected=_number(by_status, CONNECTED),
        trouble=_number(by_status, NEEDS_A_PERSON),
        cards=[card_of(seen, Queue(), saying(clock.language), clock) for seen in troubled],
        today=counts_of(today),
        month=counts_of(month),
        standing=standing,
        credits_left=funds.credits,
        concerns=concerns,
        clock=clock,
    )


def _number(by_status: dict[SessionStatus, int], wanted: tuple[SessionStatus, ...]) -> int:
    return sum(by_status.get(status, 0) for status in wanted)


async def _attention(
    edge: Edge, caller: Caller, standing: Standing, at: datetime, clock: Clock
) -> tuple[Funds, list[Concern]]:
    """What there is of credits and messages, and what of the account needs a person."""
    say = saying(clock.language)
    last, messages_left, endpoints = await asyncio.gather(
        store_credits.last_entry(edge.database, caller.customer_id),
        _messages_left(edge, caller.customer_id),
        _endpoints(edge, caller, clock.language),
    )
    funds, told_before = funds_of(standing, last, messages_left), timedelta(days=edge.settings.expiry_notice_days)
    return funds, concerns_of(standing, funds, endpoints, at, told_before=told_before, say=say, clock=clock)


async def _messages_left(edge: Edge, customer_id: str) -> int | None:
    month = await quotas.month_of(edge, customer_id)
    return None if month is None else month.limit - await edge.monthly.accepted(month)


async def _endpoints(edge: Edge, caller: Caller, language: Language) -> list[Endpoint]:
    """The webhooks, for those who may mend them."""
    if "webhooks" not in caller.scopes:
        return []
    page, _ = await store_webhooks.webhooks_newest_first(
        edge.database, caller.customer_id, only=caller.session_ids, limit=edge.settings.most_webhooks, offset=0
    )
    return [endpoint_of(kept, {}, language) for kept in page]


@get("/")
async def to_overview(request: Request[Any, Any, Any]) -> Redirect:
    """The dashboard begins with the overview."""
    return Redirect(f"/{language_of_path(request.url.path)}/dashboard{START}", status_code=302)


@get(START)
async def show_overview(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], visitor: NamedDependency[Visitor]
) -> Response[Any]:
    """The page; the platform's own users are led to theirs."""
    if visitor.is_operator:
        return Redirect(f"/{language_of_path(request.url.path)}/dashboard{PLATFORM}", status_code=302)
    cursor, caller = cursor_now(edge), visitor.caller
    overview = await overview_of(edge, request, caller)
    may_manage = "admin" in caller.scopes
    return pages_of(request).page(
        request, "overview.html", visitor=visitor, cursor=cursor, overview=overview, may_manage_keys=may_manage
    )


@get(f"{START}/figures")
async def show_figures(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
) -> Response[str]:
    """What changes, for a page that is open."""
    overview = await overview_of(edge, request, customer)
    return pages_of(request).page(request, "overview_figures.html", visitor=visitor, overview=overview)


handlers: list[ControllerRouterHandler] = [to_overview, show_overview, show_figures]
