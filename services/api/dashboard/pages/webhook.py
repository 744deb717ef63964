"""One webhook: how its endpoint does, the log of its deliveries, and each with its request and every answer."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from libs.contracts.errors import ApiError
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.dashboard.endpoints import (
    Endpoint,
    Shipment,
    body_in_lines,
    endpoint_of,
    place_before,
    shipment_of,
)
from services.api.dashboard.lists import Filters
from services.api.dashboard.pages.webhooks import PLACE
from services.api.dashboard.reading import clock_of, session_names
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.errors import Refusal, invalid
from services.api.webhooks import definitions, store_webhooks
from services.api.webhooks.store_webhooks import DeliveryPage, Kept
from services.api.webhooks.views import stored_id

SHOWN = 25
STATUSES = ("pending", "delivered", "failed")
MOST_CURSOR = 400
SPANS_H = (1, 6, 24, 72, 168)
"""How far back a replay may begin, hours; the log of frames holds seven days."""


class DeliveryLog(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a webhook's log; `status` is the filter, empty for all."""

    rows: list[Shipment]
    status: str
    filters: Filters
    itself: str
    """The address of this page."""
    next: str | None
    is_first: bool


@get(f"{PLACE}/{{webhook_id:str}}")
async def show_webhook(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    webhook_id: FromPath[str],
) -> Response[str]:
    """The webhook with its log by the filter of the address, newest first."""
    cursor = cursor_now(edge)
    kept = await definitions.found(edge, customer, webhook_id)
    endpoint, log, clock = await _webhook_with_log(edge, request, customer, kept)
    return pages_of(request).page(
        request,
        "webhook.html",
        visitor=visitor,
        cursor=cursor,
        endpoint=endpoint,
        log=log,
        clock=clock,
        statuses=STATUSES,
        spans=SPANS_H,
    )


async def _webhook_with_log(
    edge: Edge, request: Request[Any, Any, Any], caller: Caller, kept: Kept
) -> tuple[Endpoint, DeliveryLog, Clock]:
    language = language_of_path(request.url.path)
    asked, after = request.query_params.get("status", ""), request.query_params.get("cursor", "")[:MOST_CURSOR]
    status = asked if asked in STATUSES else ""
    page, clock = await asyncio.gather(
        _deliveries(edge, kept, status, after), clock_of(edge, caller.customer_id, language)
    )
    ids = {row.session_id for row in page.rows} | set(kept.webhook.session_ids or ())
    names = await session_names(edge.database, caller.customer_id, ids)
    filters = Filters(fields={"status": status})
    log = DeliveryLog(
        rows=[shipment_of(row, names) for row in page.rows],
        status=status,
        filters=filters,
        itself=filters.address(cursor=after) if after else filters.address(),
        next=page.next,
        is_first=not after,
    )
    return endpoint_of(kept, names, language), log, clock


async def _deliveries(edge: Edge, kept: Kept, status: str, after: str) -> DeliveryPage:
    try:
        return await store_webhooks.deliveries_newest_first(
            edge.database, kept.webhook, status=status or None, after=after or None, limit=SHOWN
        )
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error


@get(f"{PLACE}/deliveries/{{delivery_id:str}}")
async def show_delivery(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    delivery_id: FromPath[str],
) -> Response[str]:
    """One delivery: what was posted, and what came of each attempt."""
    customer.require("webhooks")
    cursor, language = cursor_now(edge), language_of_path(request.url.path)
    row = await store_webhooks.delivery_by_id(edge.database, customer.customer_id, stored_id(delivery_id))
    if row is None:
        raise Refusal(ApiError.NOT_FOUND, what="delivery")
    kept, names, clock = await asyncio.gather(
        definitions.found(edge, customer, row.webhook_id),
        session_names(edge.database, customer.customer_id, {row.session_id}),
        clock_of(edge, customer.customer_id, language),
    )
    return pages_of(request).page(
        request,
        "webhook_delivery.html",
        visitor=visitor,
        cursor=cursor,
        endpoint=endpoint_of(kept, {}, language),
        delivery=shipment_of(row, names),
        frame_id=row.frame_id,
        body=body_in_lines(row),
        attempts=list(reversed(row.log)),
        place=place_before(row),
        clock=clock,
    )


handlers: list[ControllerRouterHandler] = [show_webhook, show_delivery]
