"""Named keys of the default customer, as the single-session dashboard calls them: API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access import store_keys
from services.api.access.callers import Caller
from services.api.access.keys import KeyName, changed_key, checked_end, dropped_key, key_view, made_key
from services.api.accounts.audit import note
from services.api.accounts.records import ApiKey
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.sessions.views import Done
from services.api.times import Time, now

TOKEN_SCOPES = ("read", "send", "sessions")


class TokenView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An API token; `tokenPrefix` is how it begins."""

    id: str
    name: str
    token_prefix: str
    last_used_at: Time | None
    expires_at: Time | None
    is_active: bool
    created_at: Time


class NewTokenView(TokenView, frozen=True, kw_only=True, rename="camel"):
    """The token in full, this once."""

    token: str


class TokenList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /api/admin/api-tokens."""

    data: list[TokenView]
    success: bool = True


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One token."""

    data: TokenView
    message: Localized
    success: bool = True


class NewTokenAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """POST /api/admin/api-tokens."""

    data: NewTokenView
    token: str
    message: Localized
    success: bool = True


class NewToken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`expiresAt`: a date, or a time; left out or empty, the token does not end."""

    name: KeyName
    expires_at: Annotated[str, Meta(max_length=40)] | None = None


@get("", operation_id="list_api_tokens")
async def list_api_tokens(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> TokenList:
    """The tokens, newest first; the customer's primary key is none of them."""
    caller.require("read")
    most = edge.settings.keys_most
    rows = await store_keys.keys_newest_first(edge.database, caller.customer_id, limit=most, offset=0)
    primary = store_keys.primary_key_id(caller.customer_id)
    at = now()
    return TokenList(data=[_view(row, at) for row in rows if row.id != primary])


@post("", operation_id="create_api_token", status_code=200)
async def create_api_token(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[NewToken]
) -> NewTokenAnswer:
    """A new token, which may read, send and manage sessions. The answer shows it in full, this once."""
    caller.require_account()
    fields = {"name": data.name, "scopes": TOKEN_SCOPES, "expires_at": _end_of(data)}
    token, key = await made_key(edge, caller.customer_id, fields)
    await note(edge, caller, "key.created", key.id, {"name": key.name, "scopes": list(key.scopes)})
    shown = msgspec.structs.asdict(_view(key, now()))
    return NewTokenAnswer(
        data=NewTokenView(**shown, token=token), token=token, message=localized(confirmations.TOKEN_CREATED)
    )


@post("/{key_id:str}/revoke", operation_id="revoke_api_token", status_code=200)
async def revoke_api_token(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], key_id: FromPath[str]
) -> TokenAnswer:
    """The token is worth nothing from now on, and stays in the list."""
    caller.require_account()
    _require_named(caller, key_id)
    key = await changed_key(edge, caller.customer_id, key_id, {"isActive": False})
    await note(edge, caller, "key.revoked", key.id, {"name": key.name})
    return TokenAnswer(data=_view(key, now()), message=localized(confirmations.TOKEN_REVOKED))


@delete("/{key_id:str}", operation_id="delete_api_token", status_code=200)
async def delete_api_token(edge: NamedDependency[Edge], caller: NamedDependency[Caller], key_id: FromPath[str]) -> Done:
    """The token is worth nothing from now on, and gone from the list."""
    caller.require_account()
    _require_named(caller, key_id)
    key = await dropped_key(edge, caller.customer_id, key_id)
    await note(edge, caller, "key.deleted", key.id, {"name": key.name})
    return Done(message=localized(confirmations.TOKEN_DELETED))


def _require_named(caller: Caller, key_id: str) -> None:
    if key_id == store_keys.primary_key_id(caller.customer_id):
        raise Refusal(ApiError.NOT_FOUND, what="token")


def _end_of(data: NewToken) -> datetime | None:
    if not data.expires_at:
        return None
    try:
        return checked_end(datetime.fromisoformat(data.expires_at))
    except ValueError as error:
        raise invalid("expiresAt", "it is a date or a time, such as 2030-01-31") from error


def _view(key: ApiKey, at: datetime) -> TokenView:
    shown = key_view(key, at)
    return TokenView(
        id=shown.id,
        name=shown.name,
        token_prefix=shown.prefix,
        last_used_at=shown.last_used_at,
        expires_at=shown.expires_at,
        is_active=shown.is_active,
        created_at=shown.created_at,
    )


router = Router(
    path="/api/admin/api-tokens",
    route_handlers=[list_api_tokens, create_api_token, revoke_api_token, delete_api_token],
    tags=["Single-session dashboard"],
)
