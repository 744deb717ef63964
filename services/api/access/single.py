"""Who calls a single-session endpoint, and which session it is about."""

from __future__ import annotations

import hmac

from libs.contracts.errors import ApiError
from services.api.access.admission import admit_request
from services.api.access.callers import Caller
from services.api.access.credentials import Connection, bearer_of, given_key_of
from services.api.access.gate import (
    SignedIn,
    caller_acting,
    caller_of_deployment,
    caller_of_key,
    found_behind,
    method_of,
)
from services.api.access.keys import KEY_PREFIX
from services.api.access.rules import Rule
from services.api.billing.standings import require_unsuspended
from services.api.context import Edge
from services.api.errors import RETRY_AFTER_S, Refusal, is_away
from services.api.sessions import desired, store_sessions
from services.api.sessions.owners import OwnerLease
from services.api.sessions.store_sessions import Seen

DEFAULT_SESSION = "default"

Found = Caller | SignedIn | None


async def caller_of_single(edge: Edge, connection: Connection, rule: Rule) -> Caller:
    """The caller of `/qr` and `/reconnect`. Raises Refusal 401 without a credential, 403 without the right.

    NOT_READY, which the dashboard of that kind understands, before the bootstrap and while something is away.
    """
    try:
        return await _caller(edge, connection, rule)
    except Exception as error:
        if is_away(error):
            raise not_ready() from error
        raise


async def _caller(edge: Edge, connection: Connection, rule: Rule) -> Caller:
    match await _found(edge, connection):
        case Caller() as caller:
            await admit_request(edge, caller)
            rule.require(caller, method_of(connection))
            return caller
        case SignedIn() as operator:
            return await caller_acting(edge, connection, rule, operator)
        case None if _may_do_without(edge, connection):
            caller = await caller_of_deployment(edge)
            await require_unsuspended(edge, caller.customer_id)
            return caller
        case None:
            raise Refusal(_why_refused(edge, connection))


async def caller_of_status(edge: Edge, connection: Connection) -> Caller:
    """The caller of `/status`, which needs no credential: one that is worth nothing counts as none, and nothing is
    counted against a key's rate, nor noted."""
    found = await _found(edge, connection)
    return found if isinstance(found, Caller) else await caller_of_deployment(edge)


async def _found(edge: Edge, connection: Connection) -> Found:
    """Whom the bearer token stands for, else the key."""
    api_key, bearer = given_key_of(connection), bearer_of(connection)
    found = await found_behind(edge, bearer) if bearer else None
    if found is None and api_key and not _is_deployments(edge, api_key):
        found = await caller_of_key(edge, api_key)
    return found


def _may_do_without(edge: Edge, connection: Connection) -> bool:
    """Whether the deployment's own key was given, or nothing where nothing is needed."""
    api_key = given_key_of(connection)
    if api_key:
        return _is_deployments(edge, api_key)
    return not bearer_of(connection) and edge.settings.open_single_session and not edge.settings.api_key


def _is_deployments(edge: Edge, api_key: str) -> bool:
    own = edge.settings.api_key
    return bool(own) and hmac.compare_digest(own.encode(), api_key.encode())


def _why_refused(edge: Edge, connection: Connection) -> ApiError:
    api_key, bearer = given_key_of(connection), bearer_of(connection)
    if api_key or bearer.startswith(KEY_PREFIX):
        return ApiError.INVALID_API_KEY
    if bearer:
        return ApiError.INVALID_TOKEN
    return ApiError.INVALID_API_KEY if edge.settings.api_key else ApiError.UNAUTHORIZED


def not_ready() -> Refusal:
    """What W understands: while something is away, the client is not ready."""
    return Refusal(ApiError.NOT_READY, headers={"Retry-After": RETRY_AFTER_S})


# --- The session -----------------------------------------------------------------------------------------------------


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
    caller.require_all_sessions()  # a session that is made is the account's
    try:
        return await desired.create_session(edge, caller.customer_id, name=DEFAULT_SESSION, engine=None)
    except Refusal as refusal:
        if refusal.code is not ApiError.SESSION_NAME_TAKEN:
            raise
    seen = await default_session(edge, caller)
    if seen is None:
        raise Refusal(ApiError.NOT_READY)
    return seen
