"""Named API keys: with scopes, sessions, addresses, rates and an end; shown in full once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access import store_keys
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.access.keys import (
    PRIMARY,
    Addresses,
    KeyName,
    KeyView,
    PerMinute,
    Scopes,
    SessionRefs,
    changed_key,
    checked_addresses,
    checked_end,
    checked_rate,
    checked_reach,
    dropped_key,
    key_view,
    made_key,
    rotated_key,
)
from services.api.accounts.audit import note
from services.api.accounts.records import ApiKey
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.sessions.views import Done
from services.api.times import now
from services.api.web.paging import Offset, Pagination, pagination

MOST_LISTED = 100
LONGEST_OVERLAP_S = 7 * 24 * 3600
OF_NAMED_ALONE = frozenset({"scopes", "sessionIds", "expiresAt", "isActive"})
"""The primary key has every scope and session, and no end."""


class NewKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the key may do. `sessions` are ids or names, `addresses` IP addresses and networks in CIDR notation."""

    name: KeyName
    scopes: Scopes = msgspec.field(default_factory=lambda: ["read", "send"])
    sessions: SessionRefs | None = None
    addresses: Addresses | None = None
    expires_at: datetime | None = None
    requests_per_minute: PerMinute | None = None
    messages_per_minute: PerMinute | None = None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is left out stays; null lifts a restriction."""

    name: KeyName | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    sessions: SessionRefs | UnsetType | None = UNSET
    addresses: Addresses | UnsetType | None = UNSET
    expires_at: datetime | UnsetType | None = UNSET
    requests_per_minute: PerMinute | UnsetType | None = UNSET
    messages_per_minute: PerMinute | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class Rotation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long the key before goes on to be good, seconds."""

    overlap: Annotated[int, Meta(ge=0, le=LONGEST_OVERLAP_S)] = 0


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One key."""

    data: KeyView
    message: Localized
    success: bool = True


class NewKeyAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A key in full, this once: only its hash is stored."""

    api_key: str
    data: KeyView
    message: Localized
    success: bool = True


class KeyList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Keys, newest first, the primary one among them."""

    data: list[KeyView]
    pagination: Pagination
    success: bool = True


@get("/keys", operation_id="list_keys")
async def list_keys(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)] = 50,
    offset: Offset = 0,
) -> KeyList:
    """The account's keys, newest first."""
    caller.require_account()
    rows = await store_keys.keys_newest_first(edge.database, caller.customer_id, limit=limit, offset=offset)
    total = await store_keys.number_of_keys(edge.database, caller.customer_id)
    at = now()
    paging = pagination(total, limit, offset, len(rows))
    return KeyList(data=[key_view(row, at) for row in rows], pagination=paging)


@post("/keys", operation_id="create_key", status_code=200)
async def create_key(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[NewKey]
) -> NewKeyAnswer:
    """A new named key. The answer shows it in full, this once."""
    caller.require_account()
    wished = {field: getattr(data, field) for field in data.__struct_fields__}
    fields = await _checked(edge, caller, wished)
    checked_reach(fields["scopes"], fields["session_ids"])
    api_key, key = await made_key(edge, caller.customer_id, fields)
    await note(edge, caller, "key.created", key.id, {"name": key.name, "scopes": list(key.scopes)})
    return NewKeyAnswer(api_key=api_key, data=key_view(key, now()), message=localized(confirmations.API_KEY_CREATED))


@get("/keys/{key_ref:str}", operation_id="get_key")
async def get_key(edge: NamedDependency[Edge], caller: NamedDependency[Caller], key_ref: FromPath[str]) -> KeyAnswer:
    """One key; `primary` is the primary one."""
    caller.require_account()
    return KeyAnswer(data=key_view(await _own(edge, caller, key_ref), now()), message=localized(confirmations.API_KEY))


@patch("/keys/{key_ref:str}", operation_id="update_key")
async def update_key(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], key_ref: FromPath[str], data: JSONBody[KeyChange]
) -> KeyAnswer:
    """Change what a key may do; of `primary` its name, addresses and rates. In every edge at once."""
    caller.require_account()
    key = await _own(edge, caller, key_ref)
    wished = {field: getattr(data, field) for field in data.__struct_fields__ if getattr(data, field) is not UNSET}
    if not wished:
        raise invalid("", "nothing to change was given")
    fields = await _checked(edge, caller, wished)
    checked_reach(fields.get("scopes", key.scopes), fields.get("session_ids", key.session_ids))
    changes = {_stored_name(field): value for field, value in fields.items()}
    if key_ref == PRIMARY and OF_NAMED_ALONE & changes.keys():
        raise Refusal(ApiError.NOT_POSSIBLE, reason="the primary key has every scope and session, and no end")
    changed = await changed_key(edge, caller.customer_id, key.id, changes)
    await note(edge, caller, "key.changed", key.id, changes)
    return KeyAnswer(data=key_view(changed, now()), message=localized(confirmations.API_KEY_CHANGED))


@post("/keys/{key_ref:str}/rotate", operation_id="rotate_key", status_code=200)
async def rotate_key(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    key_ref: FromPath[str],
    data: JSONBody[Rotation | None] = None,
) -> NewKeyAnswer:
    """Another secret for the same key; the one before ends now, or after `overlap` seconds."""
    caller.require_account()
    key = await _named(edge, caller, key_ref)
    overlap_s = data.overlap if data is not None else 0
    api_key, rotated = await rotated_key(edge, caller.customer_id, key.id, overlap_s=overlap_s)
    await note(edge, caller, "key.rotated", key.id, {"overlapS": overlap_s})
    return NewKeyAnswer(
        api_key=api_key, data=key_view(rotated, now()), message=localized(confirmations.API_KEY_CREATED)
    )


@post("/keys/{key_ref:str}/revoke", operation_id="revoke_key", status_code=200)
async def revoke_key(edge: NamedDependency[Edge], caller: NamedDependency[Caller], key_ref: FromPath[str]) -> KeyAnswer:
    """The key is worth nothing from now on, and stays in the list."""
    caller.require_account()
    key = await _named(edge, caller, key_ref)
    changed = await changed_key(edge, caller.customer_id, key.id, {"isActive": False})
    await note(edge, caller, "key.revoked", key.id, {"name": key.name})
    return KeyAnswer(data=key_view(changed, now()), message=localized(confirmations.API_KEY_REVOKED))


@delete("/keys/{key_ref:str}", operation_id="delete_key", status_code=200)
async def delete_key(edge: NamedDependency[Edge], caller: NamedDependency[Caller], key_ref: FromPath[str]) -> Done:
    """Delete a key: it is worth nothing from now on, and gone from the list."""
    caller.require_account()
    key = await _named(edge, caller, key_ref)
    await dropped_key(edge, caller.customer_id, key.id)
    await note(edge, caller, "key.deleted", key.id, {"name": key.name})
    return Done(message=localized(confirmations.API_KEY_DELETED))


# --- Which key, and what may stand in it -----------------------------------------------------------------------------


async def _own(edge: Edge, caller: Caller, key_ref: str) -> ApiKey:
    key_id = store_keys.primary_key_id(caller.customer_id) if key_ref == PRIMARY else key_ref
    key = await store_keys.key_by_id(edge.database, caller.customer_id, key_id)
    if key is None:
        raise Refusal(ApiError.NOT_FOUND, what="key")
    return key


async def _named(edge: Edge, caller: Caller, key_ref: str) -> ApiKey:
    if key_ref == PRIMARY:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="the primary key is only replaced, by POST /apikey")
    return await _own(edge, caller, key_ref)


async def _checked(edge: Edge, caller: Caller, wished: dict[str, Any]) -> dict[str, Any]:
    """The wished fields as `ApiKey` holds them."""
    fields = dict(wished)
    if "scopes" in fields:
        fields["scopes"] = tuple(dict.fromkeys(fields["scopes"]))
    if "sessions" in fields:
        fields["session_ids"] = await _session_ids(edge, caller, fields.pop("sessions"))
    if fields.get("addresses") is not None:
        fields["addresses"] = checked_addresses(fields["addresses"])
    if fields.get("expires_at") is not None:
        fields["expires_at"] = checked_end(fields["expires_at"])
    most = edge.settings.key_requests_per_minute, edge.settings.key_messages_per_minute
    for field, path, limit in zip(
        ("requests_per_minute", "messages_per_minute"), ("requestsPerMinute", "messagesPerMinute"), most, strict=True
    ):
        if field in fields:
            fields[field] = checked_rate(caller, fields[field], most=limit, field=path)
    return fields


async def _session_ids(edge: Edge, caller: Caller, refs: list[str] | None) -> tuple[str, ...] | None:
    if refs is None:
        return None
    return tuple(dict.fromkeys([(await session_for(edge, caller, ref)).id for ref in refs]))


def _stored_name(field: str) -> str:
    """The name of an `ApiKey`'s field in MongoDB."""
    return _NAMES[field]


_NAMES = {field.name: field.encode_name for field in msgspec.structs.fields(ApiKey)}

router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[list_keys, create_key, get_key, update_key, rotate_key, revoke_key, delete_key],
    tags=["API keys"],
)
