"""The team: who may sign in for the account. Only owners see it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.access.callers import Caller
from services.api.accounts import store_users
from services.api.accounts.records import User
from services.api.context import Edge
from services.api.dashboard.lists import Paging, paging_of
from services.api.dashboard.reading import clock_of
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.web.paging import Offset

PLACE = "/team"
SHOWN = 20


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A page of it, newest first."""

    people: list[User]
    paging: Paging
    clock: Clock


@get(PLACE)
async def show_team(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    offset: Offset = 0,
) -> Response[str]:
    """The page; `offset` is where the list begins."""
    customer.require_owner()
    cursor = cursor_now(edge)
    wanted = store_users.Wanted(customer_id=customer.customer_id)
    (people, total), clock = await asyncio.gather(
        store_users.users_newest_first(edge.database, wanted, limit=SHOWN, offset=offset),
        clock_of(edge, customer.customer_id, language_of_path(request.url.path)),
    )
    team = Team(people=people, paging=paging_of(total, offset, SHOWN), clock=clock)
    return pages_of(request).page(request, "team.html", visitor=visitor, cursor=cursor, team=team)


handlers: list[ControllerRouterHandler] = [show_team]
