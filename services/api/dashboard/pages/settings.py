"""The settings: oneself, the password, the account, how pages look, and where one is signed in."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.accounts import store_customers, store_users
from services.api.accounts.records import Customer, Login
from services.api.context import Edge
from services.api.dashboard.agents import agent_named, is_handheld
from services.api.dashboard.lists import Paging, paging_of
from services.api.dashboard.reading import clock_for
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import Say, saying
from services.api.dashboard.zones import zones_by_region
from services.api.times import now
from services.api.web.paging import Offset

PLACE = "/settings"
SHOWN = 8


class LoginCard(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in, ready to be shown."""

    id: str
    agent: str
    is_handheld: bool
    is_current: bool
    address: str
    created_at: datetime
    expires_at: datetime


class Logins(msgspec.Struct, frozen=True, kw_only=True):
    """A page of one's sign-ins."""

    cards: list[LoginCard]
    paging: Paging

    @property
    def has_others(self) -> bool:
        """Whether there is more than the one that looks."""
        return self.paging.total > 1


@get(PLACE)
async def show_settings(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    offset: Offset = 0,
) -> Response[str]:
    """The page; `offset` is where the sign-ins begin."""
    cursor, language = cursor_now(edge), language_of_path(request.url.path)
    logins, customer, clock = await asyncio.gather(
        _logins(edge, visitor, saying(language), offset),
        _customer(edge, visitor),
        clock_for(edge, visitor, language),
    )
    return pages_of(request).page(
        request,
        "settings.html",
        visitor=visitor,
        cursor=cursor,
        logins=logins,
        customer=customer,
        clock=clock,
        zones=_zones(clock, customer),
    )


async def _customer(edge: Edge, visitor: Visitor) -> Customer | None:
    customer_id = visitor.user.customer_id
    return None if customer_id is None else await store_customers.customer_by_id(edge.database, customer_id)


def _zones(clock: Clock, customer: Customer | None) -> dict[str, tuple[str, ...]]:
    """What can be chosen, with what is chosen now: it may have an older name."""
    if customer is None:
        return {}
    zones, present = zones_by_region(), clock.zone.key
    return zones if any(present in names for names in zones.values()) else {"": (present,), **zones}


async def _logins(edge: Edge, visitor: Visitor, say: Say, offset: int) -> Logins:
    rows = await store_users.logins_of(edge.database, visitor.user.id, now(), limit=SHOWN + 1, offset=offset)
    return Logins(
        cards=[_card(row, visitor, say) for row in rows[:SHOWN]],
        paging=paging_of(offset + len(rows), offset, SHOWN),
    )


def _card(row: Login, visitor: Visitor, say: Say) -> LoginCard:
    return LoginCard(
        id=row.id,
        agent=agent_named(row.user_agent, say),
        is_handheld=is_handheld(row.user_agent),
        is_current=row.id == visitor.login_id,
        address=row.address or "",
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


handlers: list[ControllerRouterHandler] = [show_settings]
