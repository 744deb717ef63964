"""Every customer's devices, how they are, and the replicas that hold them."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from libs.contracts.events import SessionStatus
from services.api.accounts import store_customers
from services.api.context import Edge
from services.api.dashboard.lists import Filters, Paging, filters_of, paging_of
from services.api.dashboard.reading import operators_clock
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.platform import store_fleet
from services.api.platform.store_fleet import Placed
from services.api.web.paging import Offset

PLACE = "/platform/sessions"
SHOWN = 25
STATUSES = tuple(status.value for status in SessionStatus)


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list; `names` are the customers'."""

    rows: list[Placed]
    names: dict[str, str]
    filters: Filters
    paging: Paging
    clock: Clock


@get(PLACE)
async def show_sessions(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    offset: Offset = 0,
) -> Response[str]:
    """The list by the filters of the address, newest first."""
    filters = filters_of(request, "status", "network", "customer")
    wanted = store_fleet.Wanted(
        customer_id=filters["customer"] or None,
        statuses=[SessionStatus(filters["status"])] if filters["status"] in STATUSES else None,
        engine=filters["network"] or None,
    )
    rows, total = await store_fleet.sessions_of_all(edge.database, wanted, limit=SHOWN, offset=offset)
    customers = {*(each.seen.record.customer_id for each in rows), filters["customer"]} - {""}
    shown = SessionPage(
        rows=rows,
        names=await store_customers.names_of(edge.database, customers),
        filters=filters,
        paging=paging_of(total, offset, SHOWN),
        clock=await operators_clock(edge, language_of_path(request.url.path)),
    )
    return pages_of(request).page(
        request,
        "platform_sessions.html",
        visitor=operator,
        list=shown,
        statuses=STATUSES,
        networks=edge.settings.networks(),
    )


handlers: list[ControllerRouterHandler] = [show_sessions]
