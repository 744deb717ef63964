"""The guard of every route: asks, by the route's rule, who calls, before anything of the request is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute

from libs.contracts.errors import ApiError
from services.api.access.cookies import token_in_cookie
from services.api.access.credentials import Connection, credential_of
from services.api.access.gate import (
    SignedIn,
    caller_acting,
    caller_of_request,
    login_of_token,
    method_of,
    not_the_platforms,
    operator_of_request,
    require_standing,
    signed_in,
)
from services.api.access.rules import RULES, Rule, Who
from services.api.access.single import caller_of_single
from services.api.access.watching import watcher_of
from services.api.accounts.records import User
from services.api.context import Edge, edge_of
from services.api.errors import Refusal

RULE = "rule"
LANGUAGES = ("en", "id")
"""With which the addresses of pages begin."""

Ask = Callable[[Edge, Connection, Rule], Awaitable[None]]


class NotSignedIn(Exception):
    """Nobody is signed in to a page, or not any more."""


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Finds who calls, and puts it into the connection's state: `caller`, `operator` or `signed_in`.

    Raises Refusal, NotSignedIn, BusDown.
    """
    rule: Rule | None = handler.opt.get(RULE)
    if rule is not None:  # the OPTIONS of a path has none
        await ASKED[rule.who](edge_of(connection), connection, rule)


# --- Each route's rule -----------------------------------------------------------------------------------------------


def give_rules(app: Litestar) -> None:
    """Gives each route its rule. Raises LookupError, naming those that have none."""
    unruled = {name for name, handler in named_handlers(app) if not _give(name, handler)}
    if unruled:
        raise LookupError(f"no rule in access/rules.py says who may call {', '.join(sorted(unruled))}")


def _give(name: str, handler: BaseRouteHandler) -> bool:
    rule = RULES.get(name)
    if rule is not None:
        handler.opt[RULE] = rule
    return rule is not None


def named_handlers(app: Litestar) -> Iterator[tuple[str, BaseRouteHandler]]:
    """Every route's handler under the name of its rule: its operation id, else method and path."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else (route.route_handler,):
            if not isinstance(handler, HTTPRouteHandler):
                yield f"WS {route.path}", handler
            elif "OPTIONS" not in handler.http_methods:
                (method,) = handler.http_methods
                yield str(handler.operation_id or f"{method} {_without_language(route.path)}"), handler


def _without_language(path: str) -> str:
    first, _, rest = path.lstrip("/").partition("/")
    return f"/<language>/{rest}" if first in LANGUAGES else path


# --- How each kind of rule is asked ----------------------------------------------------------------------------------


async def _nobody(_edge: Edge, _connection: Connection, _rule: Rule) -> None:
    """Needs nobody; or the route asks for itself, since its credential stands elsewhere."""


async def _customer(edge: Edge, connection: Connection, rule: Rule) -> None:
    connection.state["caller"] = await caller_of_request(edge, connection, rule)


async def _person(edge: Edge, connection: Connection, rule: Rule) -> None:
    found = await signed_in(edge, connection)
    if not rule.while_suspended:
        await require_standing(edge, found)
    connection.state["signed_in"] = found


async def _operator(edge: Edge, connection: Connection, rule: Rule) -> None:
    connection.state["operator"] = (await operator_of_request(edge, connection, rule)).user


async def _watcher(edge: Edge, connection: Connection, rule: Rule) -> None:
    async def ask() -> User:
        return (await operator_of_request(edge, connection, rule)).user

    connection.state["operator"] = await watcher_of(edge, credential_of(edge, connection), ask)


async def _single(edge: Edge, connection: Connection, rule: Rule) -> None:
    connection.state["caller"] = await caller_of_single(edge, connection, rule)


async def _default(edge: Edge, connection: Connection, rule: Rule) -> None:
    operator = await operator_of_request(edge, connection, rule)
    connection.state["caller"] = await caller_acting(edge, connection, rule, operator)


async def _visitor(edge: Edge, connection: Connection, rule: Rule) -> None:
    found = await login_in_cookie(edge, connection)
    if not rule.while_suspended:
        await require_standing(edge, found)
    if found.caller is not None:
        rule.require(found.caller, method_of(connection))
    elif not rule.or_operator:
        raise Refusal(ApiError.FORBIDDEN, reason="this user belongs to no customer")
    connection.state["signed_in"] = found


async def _operators_page(edge: Edge, connection: Connection, rule: Rule) -> None:
    connection.state["signed_in"] = await _operator_in_cookie(edge, connection, rule)


async def _watchers_page(edge: Edge, connection: Connection, rule: Rule) -> None:
    token = token_in_cookie(connection)

    async def ask() -> User:
        try:
            return (await _operator_in_cookie(edge, connection, rule)).user
        except NotSignedIn as error:
            raise Refusal(ApiError.INVALID_TOKEN) from error

    try:
        user = await watcher_of(edge, token, ask)
    except Refusal as refusal:
        if refusal.code is ApiError.INVALID_TOKEN:
            raise NotSignedIn from refusal
        raise
    connection.state["signed_in"] = SignedIn(login_id=edge.tokens.login_id_of(token), user=user)


async def _operator_in_cookie(edge: Edge, connection: Connection, rule: Rule) -> SignedIn:
    found = await login_in_cookie(edge, connection)
    if not found.is_operator:
        raise not_the_platforms()
    rule.require_operator(found.user, method_of(connection))
    return found


async def login_in_cookie(edge: Edge, connection: Connection) -> SignedIn:
    """Who is signed in to the pages. Raises NotSignedIn, BusDown."""
    token = token_in_cookie(connection)
    found = await login_of_token(edge, token) if token else None
    if found is None:
        raise NotSignedIn
    return found


ASKED: dict[Who, Ask] = {
    Who.NOBODY: _nobody,
    Who.KEY_IN_PATH: _nobody,
    Who.STREAM: _nobody,
    Who.CUSTOMER: _customer,
    Who.EITHER: _customer,
    Who.PERSON: _person,
    Who.OPERATOR: _operator,
    Who.WATCHER: _watcher,
    Who.SINGLE: _single,
    Who.DEFAULT: _default,
    Who.VISITOR: _visitor,
    Who.OPERATORS_PAGE: _operators_page,
    Who.WATCHERS_PAGE: _watchers_page,
}
