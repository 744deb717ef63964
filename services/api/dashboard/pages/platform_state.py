"""How NATS and MongoDB are: shown also while one of the two is away."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.context import Edge
from services.api.dashboard.rendering import pages_of
from services.api.dashboard.visitors import Visitor
from services.api.platform.plant import mongo_state, nats_state

PLACE = "/platform/state"


@get(PLACE)
async def show_state(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], operator: NamedDependency[Visitor]
) -> Response[str]:
    """The page, within 3 s."""
    nats, mongodb = await asyncio.gather(nats_state(edge.bus), mongo_state(edge.client, edge.database))
    return pages_of(request).page(request, "platform_state.html", visitor=operator, nats=nats, mongodb=mongodb)


handlers: list[ControllerRouterHandler] = [show_state]
