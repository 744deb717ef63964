"""The webhooks: where events are posted to, how the endpoints do, and the form for a new one or a change."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.dashboard.endpoints import Endpoint, endpoint_of, families, patterns_beyond
from services.api.dashboard.lists import Paging, paging_of
from services.api.dashboard.reading import clock_of, devices_to_choose, session_names
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.web.paging import Offset
from services.api.webhooks import definitions, store_webhooks

PAGE = 20
PLACE = "/whatsapp/webhooks"


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them, and how many there may be."""

    endpoints: list[Endpoint]
    most: int
    paging: Paging
    clock: Clock


async def webhooks_of(edge: Edge, request: Request[Any, Any, Any], caller: Caller, offset: int) -> Webhooks:
    """The customer's webhooks from this one on, newest first."""
    language = language_of_path(request.url.path)
    (page, total), clock = await asyncio.gather(
        store_webhooks.webhooks_newest_first(
            edge.database, caller.customer_id, only=caller.session_ids, limit=PAGE, offset=offset
        ),
        clock_of(edge, caller.customer_id, language),
    )
    named = {each for kept in page for each in kept.webhook.session_ids or ()}
    names = await session_names(edge.database, caller.customer_id, named)
    return Webhooks(
        endpoints=[endpoint_of(kept, names, language) for kept in page],
        most=edge.settings.most_webhooks,
        paging=paging_of(total, offset, PAGE),
        clock=clock,
    )


@get(PLACE)
async def show_webhooks(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    offset: Offset = 0,
) -> Response[str]:
    """The page."""
    customer.require("webhooks")
    cursor = cursor_now(edge)
    webhooks = await webhooks_of(edge, request, customer, offset)
    return pages_of(request).page(request, "webhooks.html", visitor=visitor, cursor=cursor, webhooks=webhooks)


@get(f"{PLACE}/new")
async def show_new(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
) -> Response[str]:
    """The form for a new webhook."""
    customer.require("webhooks")
    return await _form(request, edge, visitor, customer, endpoint=None)


@get(f"{PLACE}/{{webhook_id:str}}/change")
async def show_change(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    webhook_id: FromPath[str],
) -> Response[str]:
    """The form, filled with what the webhook is."""
    kept = await definitions.found(edge, customer, webhook_id)
    endpoint = endpoint_of(kept, {}, language_of_path(request.url.path))
    return await _form(request, edge, visitor, customer, endpoint=endpoint)


async def _form(
    request: Request[Any, Any, Any], edge: Edge, visitor: Visitor, caller: Caller, *, endpoint: Endpoint | None
) -> Response[str]:
    cursor = cursor_now(edge)
    return pages_of(request).page(
        request,
        "webhook_form.html",
        visitor=visitor,
        cursor=cursor,
        endpoint=endpoint,
        families=families(),
        beyond=patterns_beyond(endpoint.events if endpoint else []),
        devices=await devices_to_choose(edge.database, caller),
    )


handlers: list[ControllerRouterHandler] = [show_webhooks, show_new, show_change]
