"""Turns a credential into a caller: the only place that makes one, for the API, the pages and the streams alike.

A credential is an API key, a sign-in token (in a header or in the dashboard's cookie), a one-time ticket, which stands
for one of the two, or, on the single-session routes, the deployment's own.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.errors import ApiError
from services.api.access import store_keys
from services.api.access.admission import admit_request
from services.api.access.callers import Caller
from services.api.access.credentials import Connection, credential_of, given_key_of
from services.api.access.keys import KEY_PREFIX, key_hash
from services.api.access.rates import effective
from services.api.access.rules import Rule, Who
from services.api.access.tokens import TokenRefused
from services.api.accounts import store_customers, store_users
from services.api.accounts.audit import note
from services.api.accounts.records import PLATFORM, SCOPES, ApiKey, Customer, Role, User
from services.api.billing.standings import require_unsuspended
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.requests import client_address
from services.api.times import now
from services.api.web.addresses import is_among

SCOPES_OF: dict[Role, tuple[str, ...]] = {
    Role.OWNER: SCOPES,
    Role.MEMBER: ("read", "send", "sessions"),
    Role.ADMIN: SCOPES,
    Role.SUPPORT: ("read",),
}
MOST_PATH = 300


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that holds now. `caller` is the user as its customer's; None for the platform's users."""

    login_id: str
    user: User
    caller: Caller | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it is one of the platform's own users, who belong to no customer."""
        return self.user.role in PLATFORM


# --- Keys ------------------------------------------------------------------------------------------------------------


async def caller_of_key(edge: Edge, api_key: str) -> Caller | None:
    """Whom this API key stands for; None when it is unknown, replaced or over.

    Raises BusDown while NATS is away, and Refusal: FORBIDDEN where the key has a list of addresses without the
    client's, CUSTOMER_SUSPENDED.
    """
    return await _caller_of_hash(edge, key_hash(api_key))


async def _caller_of_hash(edge: Edge, hashed: str) -> Caller | None:
    edge.require_bus()
    at = now()
    key = await edge.memory.believe(
        f"key/{hashed}", _subject_of_key, lambda: store_keys.active_key(edge.database, hashed, at)
    )
    if key is None or ((ends_at := end_of(key, hashed)) is not None and ends_at <= at):
        return None
    if key.addresses is not None and not is_among(client_address(), key.addresses):
        raise Refusal(ApiError.FORBIDDEN, reason="this key is not to be used from this address")
    await require_unsuspended(edge, key.customer_id)
    settings = edge.settings
    return Caller(
        customer_id=key.customer_id,
        key_id=key.id,
        key_hash=hashed,
        scopes=key.scopes,
        session_ids=key.session_ids,
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


# --- Sign-ins --------------------------------------------------------------------------------------------------------


async def login_of_token(edge: Edge, token: str) -> SignedIn | None:
    """The sign-in behind this token; None when it is not ours, over or revoked. Raises BusDown while NATS is away."""
    edge.require_bus()
    try:
        return await _login(edge, edge.tokens.login_id_of(token))
    except TokenRefused:
        return None


async def _login(edge: Edge, login_id: str) -> SignedIn | None:
    edge.require_bus()

    async def read() -> SignedIn | None:
        user = await store_users.user_of_login(edge.database, login_id, now())
        return None if user is None or not _is_somebody(user) else _signed_in(login_id, user)

    return await edge.memory.believe(f"login/{login_id}", lambda found: f"user/{found.user.id}", read)


def _is_somebody(user: User) -> bool:
    """Whether the row makes sense: the platform's users alone belong to no customer."""
    return (user.customer_id is None) == (user.role in PLATFORM)


def _signed_in(login_id: str, user: User) -> SignedIn:
    caller = None if user.customer_id is None else _caller_of_user(user, user.customer_id, login_id)
    return SignedIn(login_id=login_id, user=user, caller=caller)


def _caller_of_user(user: User, customer_id: str, login_id: str) -> Caller:
    return Caller(
        customer_id=customer_id, user_id=user.id, role=user.role, scopes=SCOPES_OF[user.role], login_id=login_id
    )


async def require_standing(edge: Edge, found: SignedIn) -> None:
    """Raises Refusal CUSTOMER_SUSPENDED for a user of a suspended customer."""
    if found.caller is not None:
        await require_unsuspended(edge, found.caller.customer_id)


async def signed_in(edge: Edge, connection: Connection) -> SignedIn:
    """The sign-in behind the token of this request. Raises Refusal UNAUTHORIZED or INVALID_TOKEN."""
    credential = credential_of(edge, connection)
    if not credential:
        raise Refusal(ApiError.UNAUTHORIZED)
    found = await login_of_token(edge, credential)
    if found is None:
        raise Refusal(ApiError.INVALID_TOKEN)
    return found


async def operator_of_request(edge: Edge, connection: Connection, rule: Rule) -> SignedIn:
    """The platform user who asks. Raises Refusal 401; FORBIDDEN for everybody else, and where the rule says so."""
    found = await signed_in(edge, connection)
    if not found.is_operator:
        raise not_the_platforms()
    rule.require_operator(found.user, method_of(connection))
    return found


def not_the_platforms() -> Refusal:
    """The refusal of who is none of the platform's users."""
    return Refusal(ApiError.FORBIDDEN, reason="it is for the platform's own users")


# --- Either of them --------------------------------------------------------------------------------------------------


async def found_behind(edge: Edge, credential: str) -> Caller | SignedIn | None:
    """Whom a Bearer credential stands for: a customer's caller, or a platform user. Raises as `caller_of_key`."""
    if credential.startswith(KEY_PREFIX):
        return await caller_of_key(edge, credential)
    found = await login_of_token(edge, credential)
    if found is None or found.caller is None:
        return found
    await require_standing(edge, found)
    return found.caller


async def caller_behind(edge: Edge, *, key_hash: str | None, login_id: str | None, customer_id: str) -> Caller | None:
    """Whom the key with this hash, or this sign-in, stands for now before this customer; None when it has ended.

    Raises as `caller_of_key`.
    """
    if key_hash is not None:
        return await _caller_of_hash(edge, key_hash)
    found = None if login_id is None else await _login(edge, login_id)
    if found is None:
        return None
    await require_standing(edge, found)
    return _caller_of_user(found.user, customer_id, found.login_id) if found.caller is None else found.caller


async def caller_of_request(edge: Edge, connection: Connection, rule: Rule) -> Caller:
    """The caller of a customer's operation, by header or by the dashboard's cookie. Raises Refusal 401 or 403.

    A platform user names the customer by `?customer=`, or acts for the default one where the rule says so; that is
    audited.
    """
    found = await _found_in_headers(edge, connection)
    if isinstance(found, SignedIn):
        return await caller_acting(edge, connection, rule, found)
    await admit_request(edge, found)
    rule.require(found, method_of(connection))
    return found


async def _found_in_headers(edge: Edge, connection: Connection) -> Caller | SignedIn:
    edge.require_bus()
    credential, api_key = credential_of(edge, connection), given_key_of(connection)
    if not credential and not api_key:
        raise Refusal(ApiError.UNAUTHORIZED)
    found = await found_behind(edge, credential) if credential else None
    if found is None and api_key:
        found = await caller_of_key(edge, api_key)
    if found is None:
        is_key = credential.startswith(KEY_PREFIX) or not credential
        raise Refusal(ApiError.INVALID_API_KEY if is_key else ApiError.INVALID_TOKEN)
    return found


# --- The platform's users, for a customer ----------------------------------------------------------------------------


async def caller_acting(edge: Edge, connection: Connection, rule: Rule, operator: SignedIn) -> Caller:
    """A platform user as a caller for a customer, which stands in the audit log. Raises Refusal 400, 403, 404."""
    if rule.who is Who.CUSTOMER or rule.who is Who.STREAM:
        customer_id = _customer_named(connection)
    else:
        customer_id = (await default_customer(edge)).id
    caller, method = _caller_of_user(operator.user, customer_id, operator.login_id), method_of(connection)
    rule.require(caller, method)
    if await store_customers.customer_by_id(edge.database, customer_id) is None:
        raise Refusal(ApiError.NOT_FOUND, what="customer")
    details = {"method": method, "path": connection.url.path[:MOST_PATH]}
    await note(edge, operator.user, "customer.acted_for", details=details, customer_id=customer_id)
    return caller


def _customer_named(connection: Connection) -> str:
    customer_id: str = connection.query_params.get("customer", "")
    if not customer_id:
        raise invalid("customer", "a platform user names the customer with ?customer=")
    return customer_id


async def caller_of_deployment(edge: Edge) -> Caller:
    """The deployment's own key, or nobody: it links the default customer's session, and does nothing else."""
    return Caller(customer_id=(await default_customer(edge)).id, scopes=("read", "sessions"))


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


def method_of(connection: Connection) -> str:
    """The method; a WebSocket begins with GET."""
    return str(connection.scope.get("method", "GET"))
