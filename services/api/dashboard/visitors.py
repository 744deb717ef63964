"""Who looks at a page: the sign-in behind the cookie, and what belongs to every page of it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request

from libs.contracts.errors import ApiError
from services.api.access.callers import Caller
from services.api.access.cookies import require_word, token_in_cookie
from services.api.access.gate import SignedIn
from services.api.accounts.records import PLATFORM, Role, User
from services.api.context import Edge, edge_of
from services.api.errors import Refusal


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is signed in. `word` goes with everything that the page changes (`X-CSRF-Token`)."""

    user: User
    login_id: str
    word: str
    of_customer: Caller | None
    """The visitor as the API knows it; None for the platform's users."""

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
        return not scope or (self.of_customer is not None and scope in self.of_customer.scopes)

    @property
    def caller(self) -> Caller:
        """The visitor as the API knows it. Raises Refusal FORBIDDEN for the platform's users."""
        if self.of_customer is None:
            raise Refusal(ApiError.FORBIDDEN, reason="this user belongs to no customer")
        return self.of_customer


async def provide_visitor(request: Request[Any, Any, Any]) -> Visitor:
    """Litestar's dependency `visitor`, as the guard found it."""
    found: SignedIn = request.state["signed_in"]
    word = edge_of(request).tokens.words_beside(token_in_cookie(request))[0]
    return Visitor(user=found.user, login_id=found.login_id, word=word, of_customer=found.caller)


async def provide_customer(request: Request[Any, Any, Any]) -> Caller:
    """Litestar's dependency `customer`: the visitor of a customer's page. Raises Refusal."""
    return (await provide_visitor(request)).caller


async def provide_operator(request: Request[Any, Any, Any]) -> Visitor:
    """Litestar's dependency `operator`: the visitor of a page of the platform."""
    return await provide_visitor(request)


def require_word_of(edge: Edge, request: Request[Any, Any, Any], word: str) -> None:
    """Raises Refusal FORBIDDEN unless the form or script says the word of this sign-in."""
    token = token_in_cookie(request)
    if not token:
        raise Refusal(ApiError.UNAUTHORIZED)
    require_word(edge.tokens, token, word)
