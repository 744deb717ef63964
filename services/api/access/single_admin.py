"""Who calls what the single-session dashboard has beyond the link: everything there is about the default customer."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.api.access.auth import bearer_of, caller_of_credential, caller_of_request, operator_of_request
from services.api.access.callers import Caller
from services.api.access.single import default_customer
from services.api.accounts.records import SCOPES, Role, User
from services.api.context import Edge, edge_of

Connection = ASGIConnection[Any, Any, Any, Any]


async def operators_guard(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard of what is the platform's users' alone: they act for the default customer, support by reading."""
    edge = edge_of(connection)
    connection.state["caller"] = await _for_default_customer(edge, await operator_of_request(edge, connection))


async def anybodys_guard(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard of what customers may use as well, each for themselves."""
    edge = edge_of(connection)
    edge.require_bus()
    bearer = bearer_of(connection)
    found = await caller_of_credential(edge, bearer) if bearer else None
    if isinstance(found, User):
        found = await _for_default_customer(edge, await operator_of_request(edge, connection))
    else:
        found = await caller_of_request(edge, connection)
    connection.state["caller"] = found


async def provide_guarded(request: Request[Any, Any, Any]) -> Caller:
    """The dependency `caller` behind these guards."""
    caller: Caller = request.state["caller"]
    return caller


async def _for_default_customer(edge: Edge, user: User) -> Caller:
    customer = await default_customer(edge)
    scopes = SCOPES if user.role is Role.ADMIN else ("read",)
    return Caller(customer_id=customer.id, user_id=user.id, role=user.role, scopes=scopes)
