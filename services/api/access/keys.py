"""API keys: how they are made and look, and what their fields may hold."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from services.api.access import store_keys
from services.api.access.callers import Caller
from services.api.accounts.records import ApiKey, Role
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.times import Time, iso, iso_or_none, now
from services.api.web.addresses import networks_of

KEY_PREFIX = "gf_"
SHOWN_CHARACTERS = 9
"""Of a key's 46: its own prefix and six more, to tell it from others."""
PRIMARY = "primary"
"""How the primary key is named in paths and lists."""
MOST_PER_MINUTE = 10_000_000

KeyName = Annotated[str, Meta(min_length=1, max_length=100)]
Scope = Literal["read", "send", "sessions", "webhooks", "admin"]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=5)]
SessionRefs = Annotated[list[Annotated[str, Meta(max_length=200)]], Meta(min_length=1, max_length=100)]
Addresses = Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(min_length=1, max_length=100)]
PerMinute = Annotated[int, Meta(ge=0, le=MOST_PER_MINUTE, description="0: no limit; null: the deployment's default.")]


class KeyView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An API key without the key itself; `prefix` is how it begins. Null lists let all through."""

    id: str
    name: str
    prefix: str
    is_primary: bool
    is_active: bool
    scopes: tuple[str, ...]
    sessions: tuple[str, ...] | None
    addresses: tuple[str, ...] | None
    requests_per_minute: int | None
    messages_per_minute: int | None
    expires_at: Time | None
    last_used_at: Time | None
    former_until: Time | None
    """Until when the key before the last rotation is good."""
    created_at: Time


def key_view(key: ApiKey, at: datetime) -> KeyView:
    """The key as its owner sees it."""
    is_primary = key.id == store_keys.primary_key_id(key.customer_id)
    return KeyView(
        id=PRIMARY if is_primary else key.id,
        name=key.name,
        prefix=key.prefix,
        is_primary=is_primary,
        is_active=key.is_active and (key.expires_at is None or key.expires_at > at),
        scopes=key.scopes,
        sessions=key.session_ids,
        addresses=key.addresses,
        requests_per_minute=key.requests_per_minute,
        messages_per_minute=key.messages_per_minute,
        expires_at=iso_or_none(key.expires_at),
        last_used_at=iso_or_none(key.last_used_at),
        former_until=iso_or_none(key.former_until if key.former_until and key.former_until > at else None),
        created_at=iso(key.created_at),
    )


# --- The key itself --------------------------------------------------------------------------------------------------


def new_api_key() -> str:
    """`gf_` and base64url of 32 random bytes."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def key_hash(api_key: str) -> str:
    """How a key is looked up."""
    return hashlib.sha256(api_key.encode()).hexdigest()


def shown_prefix(api_key: str) -> str:
    """How the key begins, as lists show it."""
    return api_key[:SHOWN_CHARACTERS]


# --- Making and changing ---------------------------------------------------------------------------------------------


async def made_key(edge: Edge, customer_id: str, fields: dict[str, Any]) -> tuple[str, ApiKey]:
    """Store a new named key with these fields; the key itself is known this once. Raises Refusal NOT_POSSIBLE."""
    most = edge.settings.keys_most
    if await store_keys.number_of_keys(edge.database, customer_id) >= most:
        raise Refusal(ApiError.NOT_POSSIBLE, reason=f"an account has {most} keys at most; delete one first")
    api_key = new_api_key()
    key = ApiKey(
        id=new_id("key"),
        created_at=now(),
        customer_id=customer_id,
        hash=key_hash(api_key),
        prefix=shown_prefix(api_key),
        **fields,
    )
    await store_keys.keep_key(edge.database, key)
    return api_key, key


async def changed_key(edge: Edge, customer_id: str, key_id: str, changes: dict[str, Any]) -> ApiKey:
    """Set these fields; every edge knows at once. Raises Refusal NOT_FOUND."""
    return await told(edge, await store_keys.change_key(edge.database, customer_id, key_id, changes))


async def rotated_key(edge: Edge, customer_id: str, key_id: str, *, overlap_s: int) -> tuple[str, ApiKey]:
    """Another secret for a named key; the one before is good for the overlap. Raises Refusal NOT_FOUND."""
    api_key = new_api_key()
    row = await store_keys.rotate_key(
        edge.database,
        customer_id,
        key_id,
        hashed=key_hash(api_key),
        prefix=shown_prefix(api_key),
        former_until=now() + timedelta(seconds=overlap_s),
    )
    return api_key, await told(edge, row)


async def dropped_key(edge: Edge, customer_id: str, key_id: str) -> ApiKey:
    """Delete a key. Raises Refusal NOT_FOUND."""
    return await told(edge, await store_keys.drop_key(edge.database, customer_id, key_id))


async def told(edge: Edge, key: ApiKey | None) -> ApiKey:
    """Every edge shall look at this key anew. Raises Refusal NOT_FOUND when there is none."""
    if key is None:
        raise Refusal(ApiError.NOT_FOUND, what="key")
    await edge.memory.drop(f"key/{key.id}")
    return key


# --- What fields may hold --------------------------------------------------------------------------------------------


def checked_addresses(texts: list[str]) -> tuple[str, ...]:
    """The networks in one spelling. Raises Refusal VALIDATION_FAILED."""
    try:
        return tuple(str(network) for network in networks_of(tuple(texts)))
    except ValueError as error:
        raise invalid("addresses", str(error)) from error


def checked_end(at: datetime) -> datetime:
    """The end in UTC, to the millisecond; a time without an offset is one of UTC. Raises Refusal VALIDATION_FAILED."""
    try:
        end = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise invalid("expiresAt", "it is beyond the calendar") from error
    if end <= now():
        raise invalid("expiresAt", "it has passed")
    return end.replace(microsecond=end.microsecond // 1000 * 1000)


def checked_rate(caller: Caller, per_minute: int | None, *, most: int, field: str) -> int | None:
    """The limit, which a customer may not set above the deployment's. Raises Refusal VALIDATION_FAILED."""
    is_free = most == 0 or caller.role is Role.ADMIN
    if per_minute is None or is_free or 0 < per_minute <= most:
        return per_minute
    raise invalid(field, f"it lies between 1 and {most}, the limit of this deployment")


def checked_reach(scopes: tuple[str, ...], session_ids: tuple[str, ...] | None) -> None:
    """Raises Refusal where a key for some sessions would manage the whole account."""
    if session_ids is not None and "admin" in scopes:
        raise invalid("scopes", "a key for some sessions cannot have the scope admin")
