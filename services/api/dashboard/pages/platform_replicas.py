"""The replicas of every service that owns shards: whether they live, and what they hold."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.types import ControllerRouterHandler

from services.api.context import Edge
from services.api.dashboard.rendering import pages_of
from services.api.dashboard.visitors import Visitor
from services.api.platform.replicas import services_now

PLACE = "/platform/replicas"


@get(PLACE)
async def show_replicas(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], operator: NamedDependency[Visitor]
) -> Response[str]:
    """The page; it takes a good second, in which every living replica beats."""
    services = await services_now(edge.database)
    return pages_of(request).page(request, "platform_replicas.html", visitor=operator, services=services)


handlers: list[ControllerRouterHandler] = [show_replicas]
