"""Who looks at a page: the sign-in behind the cookie, and what belongs to every page of it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request

from libs.contracts.errors import ApiError
from services.api.access.auth import caller_of_user, login_of_token
from services.api.access.callers import Caller
from services.api.access.cookies import require_word, token_in_cookie
from services.api.access.watching import watcher_of
from services.api.accounts.records import PLATFORM, Role, User
from services.api.context import Edge, edge_of
from services.api.errors import Refusal


class NotSignedIn(Exception):
    """Nobody is signed in, or not any more."""


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is signed in. `word` goes with everything that the page changes (`X-CSRF-Token`)."""

    user: User
    login_id: str
    word: str

    @property
    def is_operator(self) -> bool:
        """Whether it is one of the platform's own users, who belong to no customer."""
        return self.user.role in PLATFORM

    @property
    def is_administrator(self) -> bool:
        """Whether it may change things on the platform; support reads."""
        return self.user.role is Role.ADMIN

    def may(self, scope: str) -> bool:
        """Whether the visitor has this scope of a customer; an empty one has everybody."""
        return not scope or (not self.is_operator and scope in self.caller.scopes)

    @property
    def caller(self) -> Caller:
        """The visitor as the API knows it. Raises Refusal FORBIDDEN for the platform's users."""
        return caller_of_user(self.user)


async def visitor_of(edge: Edge, request: Request[Any, Any, Any]) -> Visitor:
    """Who is signed in. Raises NotSignedIn, BusDown."""
    token = token_in_cookie(request)
    found = await login_of_token(edge, token) if token else None
    if found is None:
        raise NotSignedIn
    return Visitor(user=found.user, login_id=found.login_id, word=edge.tokens.words_beside(token)[0])


async def provide_visitor(request: Request[Any, Any, Any]) -> Visitor:
    """Litestar's dependency `visitor`."""
    return await visitor_of(edge_of(request), request)


async def provide_customer(request: Request[Any, Any, Any]) -> Caller:
    """Litestar's dependency `customer`: the visitor of a customer's page, who may read. Raises NotSignedIn, Refusal."""
    caller = (await provide_visitor(request)).caller
    caller.require("read")
    return caller


async def provide_operator(request: Request[Any, Any, Any]) -> Visitor:
    """Litestar's dependency `operator`: the visitor of a page of the platform. Raises NotSignedIn, Refusal."""
    return required_operator(await provide_visitor(request))


def required_operator(visitor: Visitor) -> Visitor:
    """The visitor, one of the platform's own users. Raises Refusal FORBIDDEN for everybody else."""
    if not visitor.is_operator:
        raise Refusal(ApiError.FORBIDDEN, reason="it is for the platform's own users")
    return visitor


async def provide_watcher(request: Request[Any, Any, Any]) -> Visitor:
    """As `provide_operator`, but also while NATS or MongoDB is away: for the page that tells which."""
    edge, token = edge_of(request), token_in_cookie(request)

    async def ask() -> User:
        try:
            return (await provide_operator(request)).user
        except NotSignedIn as error:
            raise Refusal(ApiError.INVALID_TOKEN) from error

    try:
        user = await watcher_of(edge, token, ask)
        return Visitor(user=user, login_id=edge.tokens.login_id_of(token), word=edge.tokens.words_beside(token)[0])
    except Refusal as refusal:
        if refusal.code is ApiError.INVALID_TOKEN:
            raise NotSignedIn from refusal
        raise


def require_word_of(edge: Edge, request: Request[Any, Any, Any], word: str) -> None:
    """Raises Refusal FORBIDDEN unless the form or script says the word of this sign-in."""
    token = token_in_cookie(request)
    if not token:
        raise Refusal(ApiError.UNAUTHORIZED)
    require_word(edge.tokens, token, word)
