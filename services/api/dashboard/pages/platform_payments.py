"""Everybody's payments, and the confirmation or refusal of those that wait."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.accounts import store_customers, store_users
from services.api.accounts.records import Transaction, User
from services.api.billing import store_transactions
from services.api.context import Edge
from services.api.dashboard.lists import Filters, Paging, filters_of, paging_of
from services.api.dashboard.reading import operators_clock
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.web.paging import Offset

PLACE = "/platform/payments"
SHOWN = 25
STATUSES = ("pending", "success", "failed", "cancelled")


class PaymentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list; `names` are the customers', `people` those who have set a status."""

    rows: list[Transaction]
    names: dict[str, str]
    people: dict[str, User]
    filters: Filters
    paging: Paging
    clock: Clock


@get(PLACE)
async def show_payments(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    offset: Offset = 0,
) -> Response[str]:
    """The list by the filters of the address, newest first."""
    filters = filters_of(request, "status", "customer")
    exact = {"status": filters["status"] if filters["status"] in STATUSES else "", "customerId": filters["customer"]}
    rows, total = await store_transactions.all_transactions(
        edge.database, {name: value for name, value in exact.items() if value}, limit=SHOWN, offset=offset
    )
    wanted = {*(row.customer_id for row in rows), filters["customer"]} - {""}
    shown = PaymentPage(
        rows=rows,
        names=await store_customers.names_of(edge.database, wanted),
        people=await store_users.users_by_id(
            edge.database, {step.by for row in rows for step in row.history if step.by}
        ),
        filters=filters,
        paging=paging_of(total, offset, SHOWN),
        clock=await operators_clock(edge, language_of_path(request.url.path)),
    )
    return pages_of(request).page(request, "platform_payments.html", visitor=operator, list=shown, statuses=STATUSES)


handlers: list[ControllerRouterHandler] = [show_payments]
