"""Who is asking: sign-in tokens, API keys and stream tickets, and what each may do."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from libs.contracts.errors import ApiError
from libs.contracts.records import SessionRecord
from services.api.access import store_keys
from services.api.access.admission import admit_request
from services.api.access.callers import Caller, KeyHolder
from services.api.access.cookies import credential_in_cookie
from services.api.access.keys import KEY_PREFIX, key_hash
from services.api.access.rates import effective
from services.api.access.tokens import TokenRefused
from services.api.accounts import store_customers, store_users
from services.api.accounts.audit import note
from services.api.accounts.records import PLATFORM, SCOPES, ApiKey, Role, Ticket, User
from services.api.billing.standings import require_unsuspended
from services.api.context import Edge, edge_of
from services.api.errors import Refusal, invalid
from services.api.requests import client_address
from services.api.sessions import store_sessions
from services.api.times import now
from services.api.web.addresses import is_among

READ_METHODS = ("GET", "HEAD", "OPTIONS")
MEMBER_SCOPES = ("read", "send", "sessions")
MOST_PATH = 300

Connection = ASGIConnection[Any, Any, Any, Any]


# --- Keys, tokens and tickets ----------------------------------------------------------------------------------------


async def key_holder(edge: Edge, api_key: str) -> KeyHolder | None:
    """Whom this API key stands for; None when it is unknown, replaced or over.

    Raises BusDown while NATS is away, and Refusal: FORBIDDEN where the key has a list of addresses without the
    client's, CUSTOMER_SUSPENDED.
    """
    edge.require_bus()
    hashed, at = key_hash(api_key), now()
    key = await edge.memory.believe(
        f"key/{hashed}", _subject_of_key, lambda: store_keys.active_key(edge.database, hashed, at)
    )
    if key is None or ((ends_at := end_of(key, hashed)) is not None and ends_at <= at):
        return None
    if key.addresses is not None and not is_among(client_address(), key.addresses):
        raise Refusal(ApiError.FORBIDDEN, reason="this key is not to be used from this address")
    await require_unsuspended(edge, key.customer_id)
    settings = edge.settings
    return KeyHolder(
        customer_id=key.customer_id,
        key_id=key.id,
        scopes=key.scopes,
        session_ids=key.session_ids,
        expires_at=ends_at,
        requests_per_minute=effective(key.requests_per_minute, settings.key_requests_per_minute),
        messages_per_minute=effective(key.messages_per_minute, settings.key_messages_per_minute),
    )


def end_of(key: ApiKey, hashed: str) -> datetime | None:
    """When the key with this hash ends: the row's own one, or the one before the last rotation."""
    if hashed == key.hash:
        return key.expires_at
    ends = [at for at in (key.expires_at, key.former_until) if at is not None]
    return min(ends, default=None)


def _subject_of_key(key: ApiKey) -> str:
    return f"key/{key.id}"


async def user_of_token(edge: Edge, token: str) -> User | None:
    """Who signed in with this token; None when it is not ours, over or revoked. Raises BusDown while NATS is away."""
    found = await login_of_token(edge, token)
    return None if found is None else found.user


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that holds now."""

    login_id: str
    user: User


async def login_of_token(edge: Edge, token: str) -> SignedIn | None:
    """The sign-in behind this token, as `user_of_token`."""
    edge.require_bus()
    try:
        login_id = edge.tokens.login_id_of(token)
    except TokenRefused:
        return None

    async def read() -> SignedIn | None:
        user = await store_users.user_of_login(edge.database, login_id, now())
        return None if user is None else SignedIn(login_id=login_id, user=user)

    return await edge.memory.believe(f"login/{login_id}", lambda found: f"user/{found.user.id}", read)


async def caller_of_ticket(edge: Edge, ticket: str) -> Caller | None:
    """Who got this one-time ticket; None when it is unknown, used or over. It is used up by this call."""
    row = await store_keys.use_ticket(edge.database, key_hash(ticket), now())
    if row is None:
        return None
    await require_unsuspended(edge, row.customer_id)
    return Caller(
        customer_id=row.customer_id,
        user_id=row.user_id,
        key_id=row.key_id,
        role=row.role,
        scopes=row.scopes,
        session_ids=row.session_ids,
    )


async def issue_ticket(edge: Edge, caller: Caller) -> tuple[str, int]:
    """A one-time ticket that opens this caller's stream, and its life in seconds."""
    ticket, life_s, at = secrets.token_urlsafe(32), edge.settings.ticket_s, now()
    row = Ticket(
        id=key_hash(ticket),
        created_at=at,
        expires_at=at + timedelta(seconds=life_s),
        customer_id=caller.customer_id,
        user_id=caller.user_id,
        key_id=caller.key_id,
        role=caller.role,
        scopes=caller.scopes,
        session_ids=caller.session_ids,
    )
    await store_keys.keep_ticket(edge.database, row)
    return ticket, life_s


# --- The credentials of a request ------------------------------------------------------------------------------------


def bearer_of(request: Connection) -> str:
    """What stands behind `Bearer`, or nothing."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def given_key_of(request: Connection) -> str:
    """The `X-API-Key`; an empty one counts as none."""
    return request.headers.get("x-api-key", "").strip()


def credential_of(edge: Edge, request: Connection) -> str:
    """What stands behind `Bearer`; without any credential in a header, the token of the dashboard's cookie."""
    given = bearer_of(request)
    return given if given or given_key_of(request) else credential_in_cookie(edge.tokens, request)


async def signed_in(edge: Edge, request: Connection) -> SignedIn:
    """The user behind the sign-in token. Raises Refusal UNAUTHORIZED or INVALID_TOKEN."""
    credential = credential_of(edge, request)
    if not credential:
        raise Refusal(ApiError.UNAUTHORIZED)
    found = await login_of_token(edge, credential)
    if found is None:
        raise Refusal(ApiError.INVALID_TOKEN)
    return found


async def caller_of_credential(edge: Edge, credential: str) -> Caller | User | None:
    """Whom a Bearer credential stands for: an API key's or a customer user's caller, or a platform user."""
    if credential.startswith(KEY_PREFIX):
        holder = await key_holder(edge, credential)
        return None if holder is None else holder.caller()
    user = await user_of_token(edge, credential)
    if user is None or user.role in PLATFORM:
        return user
    caller = caller_of_user(user)
    await require_unsuspended(edge, caller.customer_id)
    return caller


def caller_of_user(user: User) -> Caller:
    """A customer's user as a caller."""
    if user.customer_id is None:
        raise Refusal(ApiError.FORBIDDEN, reason="this user belongs to no customer")
    scopes = SCOPES if user.role is Role.OWNER else MEMBER_SCOPES
    return Caller(customer_id=user.customer_id, user_id=user.id, role=user.role, scopes=scopes)


async def caller_of_request(edge: Edge, request: Connection) -> Caller:
    """The caller of a customer endpoint, by header or by the dashboard's cookie. Raises Refusal 401 or 403.

    A platform user names the customer by `?customer=`; that is audited, and support may only read.
    """
    edge.require_bus()
    credential, api_key = credential_of(edge, request), given_key_of(request)
    if not credential and not api_key:
        raise Refusal(ApiError.UNAUTHORIZED)
    found = await caller_of_credential(edge, credential) if credential else None
    if found is None and api_key:
        holder = await key_holder(edge, api_key)
        found = None if holder is None else holder.caller()
    match found:
        case Caller():
            await admit_request(edge, found)
            return found
        case User():
            return await _for_customer(edge, found, request)
        case None:
            is_key = credential.startswith(KEY_PREFIX) or not credential
            raise Refusal(ApiError.INVALID_API_KEY if is_key else ApiError.INVALID_TOKEN)


async def _for_customer(edge: Edge, user: User, request: Connection) -> Caller:
    customer_id = request.query_params.get("customer", "")
    if not customer_id:
        raise invalid("customer", "a platform user names the customer with ?customer=")
    if user.role is Role.SUPPORT and request.scope.get("method", "GET") not in READ_METHODS:
        raise Refusal(ApiError.FORBIDDEN, reason="support may only read")
    if await store_customers.customer_by_id(edge.database, customer_id) is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    method = str(request.scope.get("method", "GET"))
    details = {"method": method, "path": request.url.path[:MOST_PATH]}
    await note(edge, user, "customer.acted_for", details=details, customer_id=customer_id)
    scopes = SCOPES if user.role is Role.ADMIN else ("read",)
    return Caller(customer_id=customer_id, user_id=user.id, role=user.role, scopes=scopes)


async def signed_in_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard of customer endpoints: who asks is known before the body is read."""
    edge = edge_of(connection)
    connection.state["caller"] = await caller_of_request(edge, connection)


async def login_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard of what a person does for themselves."""
    await signed_in(edge_of(connection), connection)


async def provide_caller(request: Request[Any, Any, Any]) -> Caller:
    """Litestar's dependency `caller`; found by the guard where there is one."""
    known: Caller | None = request.state.get("caller")
    return known if known is not None else await caller_of_request(edge_of(request), request)


# --- The platform's users --------------------------------------------------------------------------------------------


async def operator_of_request(edge: Edge, request: Connection) -> User:
    """The platform user who asks. Raises Refusal 401; FORBIDDEN for everybody else, and to support that would write."""
    user = (await signed_in(edge, request)).user
    if user.role not in PLATFORM:
        raise Refusal(ApiError.FORBIDDEN, reason="it is for the platform's own users")
    if user.role is Role.SUPPORT and request.scope.get("method", "GET") not in READ_METHODS:
        raise Refusal(ApiError.FORBIDDEN, reason="support may only read")
    return user


async def platform_guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard of the platform's endpoints: administrators may do everything there, support may read."""
    connection.state["operator"] = await operator_of_request(edge_of(connection), connection)


async def provide_operator(request: Request[Any, Any, Any]) -> User:
    """Litestar's dependency `operator`; found by the guard where there is one."""
    known: User | None = request.state.get("operator")
    return known if known is not None else await operator_of_request(edge_of(request), request)


# --- Sessions by id or name ------------------------------------------------------------------------------------------


async def session_of(edge: Edge, customer_id: str, id_or_name: str) -> SessionRecord:
    """The customer's live session with this id, else with this name. Raises Refusal SESSION_NOT_FOUND."""
    record = await edge.memory.believe(
        f"session/{customer_id}/{id_or_name}",
        lambda found: f"session/{found.id}",
        lambda: store_sessions.live_session(edge.database, customer_id, id_or_name),
    )
    if record is None:
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return record


async def session_for(edge: Edge, caller: Caller, id_or_name: str) -> SessionRecord:
    """`session_of`, for a caller: a session that the key may not use is not found."""
    record = await session_of(edge, caller.customer_id, id_or_name)
    if not caller.may_use(record.id):
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return record
