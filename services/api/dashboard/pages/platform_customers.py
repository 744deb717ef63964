"""The platform's customers: found, and made."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.accounts import store_customers
from services.api.accounts.records import Customer
from services.api.billing.terms import Standing, standing_of
from services.api.context import Edge
from services.api.dashboard.lists import Filters, Paging, filters_of, paging_of
from services.api.dashboard.reading import operators_clock
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.times import now
from services.api.web.paging import Offset

PLACE = "/platform/customers"
SHOWN = 25
ONLY_SUSPENDED = "suspended"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A customer, and what it may do now."""

    customer: Customer
    standing: Standing


class CustomerPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list."""

    entries: list[Entry]
    filters: Filters
    paging: Paging
    clock: Clock


@get(PLACE)
async def show_customers(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    offset: Offset = 0,
) -> Response[str]:
    """The list by the filters of the address, newest first."""
    filters = filters_of(request, "q", "show")
    accounts, total = await store_customers.customers_newest_first(
        edge.database,
        text=filters["q"] or None,
        suspended=True if filters["show"] == ONLY_SUSPENDED else None,
        limit=SHOWN,
        offset=offset,
    )
    at = now()
    shown = CustomerPage(
        entries=[Entry(customer=each.customer, standing=standing_of(each, at)) for each in accounts],
        filters=filters,
        paging=paging_of(total, offset, SHOWN),
        clock=await operators_clock(edge, language_of_path(request.url.path)),
    )
    return pages_of(request).page(request, "platform_customers.html", visitor=operator, list=shown)


handlers: list[ControllerRouterHandler] = [show_customers]
