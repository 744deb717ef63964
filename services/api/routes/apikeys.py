"""The customer's primary API key: read it, or take a new one."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from services.api import confirmations
from services.api.access import store_keys
from services.api.access.callers import Caller
from services.api.access.keys import key_hash, new_api_key, shown_prefix
from services.api.accounts.audit import note
from services.api.accounts.records import ApiKey
from services.api.context import Edge
from services.api.languages import Localized, localized
from services.api.sentences import Phrase
from services.api.times import Time, iso, now

DEFAULT_NAME = "Primary key"


class NewApiKey(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A name for the new key."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class ApiKeyData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An API key, in full."""

    api_key: str
    name: str
    is_active: bool
    created_at: Time


class ApiKeyAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The primary key."""

    api_key: str
    data: ApiKeyData
    message: Localized
    success: bool = True


@get("/apikey", operation_id="get_api_key")
async def get_api_key(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> ApiKeyAnswer:
    """The primary API key; makes one when there is none."""
    caller.require_account()
    key = await store_keys.primary_key(edge.database, caller.customer_id)
    if key is None:
        made = _new_key(edge, caller.customer_id, DEFAULT_NAME)
        key = await store_keys.make_primary_key(edge.database, made)
        await note(edge, caller, "key.created", key.id)
    return _answer(edge, key, confirmations.API_KEY)


@post("/apikey", operation_id="create_api_key", status_code=200)
async def create_api_key(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[NewApiKey | None] = None
) -> ApiKeyAnswer:
    """A new primary API key; the old one is worth nothing from now on."""
    caller.require_account()
    name = (data.name if data is not None else None) or DEFAULT_NAME
    key = _new_key(edge, caller.customer_id, name)
    old = await store_keys.put_primary_key(edge.database, key)
    if old is not None:
        await edge.memory.drop(f"key/{key.id}")
    await note(edge, caller, "key.replaced", key.id, {"name": name})
    return _answer(edge, key, confirmations.API_KEY_REPLACED)


def _new_key(edge: Edge, customer_id: str, name: str) -> ApiKey:
    api_key, key_id = new_api_key(), store_keys.primary_key_id(customer_id)
    return ApiKey(
        id=key_id,
        created_at=now(),
        customer_id=customer_id,
        name=name,
        hash=key_hash(api_key),
        prefix=shown_prefix(api_key),
        sealed=edge.ring.seal(api_key.encode(), about=key_id),
    )


def _answer(edge: Edge, key: ApiKey, message: Phrase) -> ApiKeyAnswer:
    api_key = edge.ring.open(key.sealed or "", about=key.id).decode()
    data = ApiKeyData(api_key=api_key, name=key.name, is_active=key.is_active, created_at=iso(key.created_at))
    return ApiKeyAnswer(api_key=api_key, data=data, message=localized(message))


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[get_api_key, create_api_key],
    tags=["API keys"],
)
