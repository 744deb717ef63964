"""Who calls a single-session endpoint, and which session it is about."""

from __future__ import annotations

import hmac
from typing import Any

from litestar import Request

from libs.contracts.errors import ApiError
from services.api.access.admission import admit_request
from services.api.access.auth import Caller, bearer_of, caller_of_credential, given_key_of, key_holder
from services.api.access.keys import KEY_PREFIX
from services.api.accounts import store_customers
from services.api.accounts.records import Customer, User
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.sessions import desired, store_sessions
from services.api.sessions.owners import OwnerLease
from services.api.sessions.store_sessions import Seen

DEFAULT_SESSION = "default"


class _Anybody:
    """Nobody in particular: the deployment's own key, a platform user, or no credential where none is needed."""


ANYBODY = _Anybody()


async def caller_of_single(edge: Edge, request: Request[Any, Any, Any]) -> Caller:
    """The caller of `/qr` and `/reconnect`. Raises Refusal 401 without a right, NOT_READY before the bootstrap."""
    api_key, bearer = given_key_of(request), bearer_of(request)
    found = await _by_bearer(edge, bearer) if bearer else None
    if found is None and api_key:
        found = await _by_key(edge, api_key)
    if found is None and not api_key and not bearer and _is_open(edge):
        found = ANYBODY
    if found is None:
        raise Refusal(_why_refused(edge, api_key=api_key, bearer=bearer))
    if not isinstance(found, Caller):
        return await _default_caller(edge)
    await admit_request(edge, found)
    return found


async def caller_of_status(edge: Edge, request: Request[Any, Any, Any]) -> Caller:
    """The caller of `/status`, which needs no credential: one that is worth nothing counts as none, and nothing is
    counted against a key's rate."""
    api_key, bearer = given_key_of(request), bearer_of(request)
    found = await _by_bearer(edge, bearer) if bearer else None
    if found is None and api_key:
        found = await _by_key(edge, api_key)
    return found if isinstance(found, Caller) else await _default_caller(edge)


async def default_session(edge: Edge, caller: Caller) -> Seen | None:
    """The session that is meant; None when there is none yet. Raises Refusal SESSION_NOT_FOUND (not the key's)."""
    found = await owned_default_session(edge, caller)
    return None if found is None else found[0]


async def owned_default_session(edge: Edge, caller: Caller) -> tuple[Seen, OwnerLease | None] | None:
    """The same, with its owner's lease."""
    found = await store_sessions.default_session(edge.database, caller.customer_id)
    if found is not None and not caller.may_use(found[0].record.id):
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return found


async def default_session_made(edge: Edge, caller: Caller) -> Seen:
    """The session that is meant, made when there is none. May run at the same time elsewhere."""
    seen = await default_session(edge, caller)
    if seen is not None:
        return seen
    try:
        return await desired.create_session(edge, caller.customer_id, name=DEFAULT_SESSION, engine=None)
    except Refusal as refusal:
        if refusal.code is not ApiError.SESSION_NAME_TAKEN:
            raise
    seen = await default_session(edge, caller)
    if seen is None:
        raise Refusal(ApiError.NOT_READY)
    return seen


async def _by_bearer(edge: Edge, bearer: str) -> Caller | _Anybody | None:
    found = await caller_of_credential(edge, bearer)
    return ANYBODY if isinstance(found, User) else found


async def _by_key(edge: Edge, api_key: str) -> Caller | _Anybody | None:
    deployment_key = edge.settings.api_key
    if deployment_key and hmac.compare_digest(deployment_key.encode(), api_key.encode()):
        return ANYBODY
    holder = await key_holder(edge, api_key)
    return None if holder is None else holder.caller()


def _is_open(edge: Edge) -> bool:
    return edge.settings.open_single_session and not edge.settings.api_key


def _why_refused(edge: Edge, *, api_key: str, bearer: str) -> ApiError:
    if api_key or bearer.startswith(KEY_PREFIX):
        return ApiError.INVALID_API_KEY
    if bearer:
        return ApiError.INVALID_TOKEN
    return ApiError.INVALID_API_KEY if edge.settings.api_key else ApiError.UNAUTHORIZED


async def default_customer(edge: Edge) -> Customer:
    """Whom it is about when the caller is no customer's. Raises Refusal NOT_READY before the bootstrap."""
    customer = await edge.memory.believe(
        "customer/default",
        lambda found: f"customer/{found.id}",
        lambda: store_customers.default_customer(edge.database),
    )
    if customer is None:
        raise Refusal(ApiError.NOT_READY)
    return customer


async def _default_caller(edge: Edge) -> Caller:
    return Caller(customer_id=(await default_customer(edge)).id, scopes=("read", "sessions"))
