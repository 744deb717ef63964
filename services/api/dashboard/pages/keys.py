"""Named API keys, as the devices page's card shows them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.access import store_keys
from services.api.access.callers import Caller
from services.api.accounts.records import ApiKey
from services.api.context import Edge
from services.api.dashboard.lists import Paging, paging_of
from services.api.dashboard.reading import clock_of, session_names
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.times import now
from services.api.web.paging import Offset

PLACE = "/whatsapp/devices/keys"
SHOWN = 6


class KeyCard(msgspec.Struct, frozen=True, kw_only=True):
    """A named key, ready to be shown. Empty `session_ids` and `addresses` let all through."""

    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    session_ids: tuple[str, ...]
    devices: list[str]
    """The names of these sessions; empty for one that is gone altogether."""
    addresses: tuple[str, ...]
    is_active: bool
    is_over: bool
    expires_at: datetime | None
    last_used_at: datetime | None
    former_until: datetime | None
    """Until when the key before the last rotation is good."""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them, newest first."""

    cards: list[KeyCard]
    paging: Paging
    clock: Clock


async def keys_of(edge: Edge, request: Request[Any, Any, Any], caller: Caller, offset: int) -> Keys:
    """The account's named keys from this one on. Raises Refusal FORBIDDEN."""
    caller.require_account()
    customer_id = caller.customer_id
    rows, clock = await asyncio.gather(
        store_keys.named_keys_newest_first(edge.database, customer_id, limit=SHOWN + 1, offset=offset),
        clock_of(edge, customer_id, language_of_path(request.url.path)),
    )
    used = {session_id for row in rows for session_id in row.session_ids or ()}
    names, at = await session_names(edge.database, customer_id, used), now()
    return Keys(
        cards=[_card(row, names, at) for row in rows[:SHOWN]],
        paging=paging_of(offset + len(rows), offset, SHOWN),
        clock=clock,
    )


def _card(row: ApiKey, names: dict[str, str], at: datetime) -> KeyCard:
    return KeyCard(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scopes=row.scopes,
        session_ids=row.session_ids or (),
        devices=[names.get(session_id, "") for session_id in row.session_ids or ()],
        addresses=row.addresses or (),
        is_active=row.is_active,
        is_over=row.expires_at is not None and row.expires_at <= at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        former_until=row.former_until if row.former_until is not None and row.former_until > at else None,
    )


@get(PLACE)
async def show_keys(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    offset: Offset = 0,
) -> Response[str]:
    """The list, for a page that is open."""
    keys = await keys_of(edge, request, customer, offset)
    return pages_of(request).page(request, "keys_list.html", visitor=visitor, keys=keys)


handlers: list[ControllerRouterHandler] = [show_keys]
