"""The devices: what is linked, what it does now, and everything a person can do with it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.accounts.records import SCOPES
from services.api.billing.terms import Standing, standing_of
from services.api.context import Edge
from services.api.dashboard.cards import Card, card_of
from services.api.dashboard.lists import Paging, paging_of
from services.api.dashboard.pages.keys import keys_of
from services.api.dashboard.reading import clock_of, devices_to_choose
from services.api.dashboard.rendering import Clock, cursor_now, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import saying
from services.api.sessions import store_sessions
from services.api.sessions.store_sessions import Queue
from services.api.times import now
from services.api.web.paging import Offset

PAGE = 24
LIST = "/whatsapp/devices"
PASSKEY_PAGE = "https://web.whatsapp.com"
"""The one place where a passkey of WhatsApp answers."""


class Devices(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    cards: list[Card]
    standing: Standing
    paging: Paging
    clock: Clock
    scannable: tuple[str, ...]
    """The networks on which we have phones of our own."""
    may_manage_keys: bool


async def devices_of(edge: Edge, request: Request[Any, Any, Any], caller: Caller, offset: int) -> Devices:
    """The customer's devices from this one on, newest first."""
    language = language_of_path(request.url.path)
    (seen, total), account, clock = await asyncio.gather(
        store_sessions.sessions_newest_first(
            edge.database, caller.customer_id, statuses=None, only=caller.session_ids, limit=PAGE, offset=offset
        ),
        store_customers.account_of(edge.database, caller.customer_id),
        clock_of(edge, caller.customer_id, language),
    )
    standing = standing_of(account, now())
    queues = await store_sessions.queues_of(edge.database, caller.customer_id, [each.record.id for each in seen])
    say = saying(language)
    return Devices(
        cards=[card_of(each, queues.get(each.record.id, Queue()), say, clock) for each in seen],
        standing=standing,
        paging=paging_of(standing.used if total is None else total, offset, PAGE),
        clock=clock,
        scannable=tuple(edge.settings.phones()),
        may_manage_keys="admin" in caller.scopes,
    )


@get(LIST)
async def show_devices(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    offset: Offset = 0,
    keys_offset: Annotated[int, QueryParameter(name="keys", ge=0, le=100_000)] = 0,
) -> Response[str]:
    """The page; `keys` is where the named keys begin."""
    cursor = cursor_now(edge)
    devices = await devices_of(edge, request, customer, offset)
    keys = await keys_of(edge, request, customer, keys_offset) if devices.may_manage_keys else None
    settings = edge.settings
    return pages_of(request).page(
        request,
        "devices.html",
        visitor=visitor,
        cursor=cursor,
        devices=devices,
        keys=keys,
        choosable=[] if keys is None else await devices_to_choose(edge.database, customer),
        scopes=SCOPES,
        passkey_page=PASSKEY_PAGE,
        networks=settings.networks(),
        default_network=settings.default_engine,
    )


@get(f"{LIST}/list")
async def show_list(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    offset: Offset = 0,
) -> Response[str]:
    """What changes, for a page that is open."""
    devices = await devices_of(edge, request, customer, offset)
    return pages_of(request).page(request, "devices_list.html", visitor=visitor, devices=devices, keys=None)


handlers: list[ControllerRouterHandler] = [show_devices, show_list]
