"""The dashboard's cookie: a sign-in token that only our own pages can use, and the word beside every change."""

from __future__ import annotations

import secrets
from typing import Any

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

from libs.contracts.errors import ApiError
from services.api.access.tokens import Tokens
from services.api.errors import Refusal
from services.api.web.addresses import Network, address_of
from services.api.web.cookie_header import value_in

COOKIE = "merpati_token"
CSRF_HEADER = "x-csrf-token"
PLACES = ("/api/customer/", "/api/platform/", "/api/auth/")
"""Where it stands for an `Authorization` header; the pages of the dashboard read it themselves."""
READ_METHODS = ("GET", "HEAD", "OPTIONS")
OUR_OWN = ("same-origin", "none")
"""What browsers say in `Sec-Fetch-Site` of a request that no other site has caused."""

Connection = ASGIConnection[Any, Any, Any, Any]


def token_in_cookie(connection: Connection) -> str:
    """The token, or nothing."""
    return value_in(connection.headers.get("cookie", ""), COOKIE)


def credential_in_cookie(tokens: Tokens, connection: Connection) -> str:
    """The token, where it counts and where no other site has asked; else nothing.

    Raises Refusal FORBIDDEN when something is to be changed without the word that only our own pages know.
    """
    token = token_in_cookie(connection)
    if not token or not connection.url.path.startswith(PLACES) or not is_our_own(connection):
        return ""
    if connection.scope.get("method", "GET") not in READ_METHODS:
        require_word(tokens, token, connection.headers.get(CSRF_HEADER, ""))
    return token


def is_our_own(connection: Connection) -> bool:
    """Whether the browser does not say that another site has caused this request."""
    return connection.headers.get("sec-fetch-site", OUR_OWN[0]) in OUR_OWN


def require_word(tokens: Tokens, token: str, word: str) -> None:
    """Raises Refusal FORBIDDEN unless this is the word that goes with the token."""
    if not any(secrets.compare_digest(known.encode(), word.encode()) for known in tokens.words_beside(token)):
        raise Refusal(ApiError.FORBIDDEN, reason="X-CSRF-Token is not of this sign-in; load the page anew")


def signed_in_cookie(token: str, *, life_s: int, secure: bool) -> Cookie:
    """Sets the token. `Lax`: who comes by a link from elsewhere is still signed in."""
    return Cookie(key=COOKIE, value=token, max_age=life_s, path="/", httponly=True, samesite="lax", secure=secure)


def signed_out_cookie() -> Cookie:
    """Takes it away."""
    return Cookie(key=COOKIE, value="", max_age=0, path="/", httponly=True, samesite="lax")


def is_encrypted(connection: Connection, proxies: tuple[Network, ...]) -> bool:
    """Whether the browser speaks TLS, with us or with a proxy whose word is believed."""
    if connection.scope.get("scheme") in ("https", "wss"):
        return True
    peer = connection.client
    address = None if peer is None else address_of(peer.host)
    believed = address is not None and any(address in network for network in proxies)
    return believed and connection.headers.get("x-forwarded-proto", "").split(",")[0].strip() == "https"
