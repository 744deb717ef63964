"""Lets somebody sign in: who it is, whether the password is right, and the token."""

from __future__ import annotations

from datetime import timedelta

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from services.api.access.attempts import begin_sign_in
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.accounts.records import Login, Role, User
from services.api.billing.standings import require_unsuspended
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.requests import client_address
from services.api.times import now

MOST_AGENT = 200
ANY_ROLE = tuple(Role)


async def checked_user(edge: Edge, identifier: str, password: str, *, roles: tuple[Role, ...] = ANY_ROLE) -> User:
    """The user with this name and password. Raises Refusal INVALID_CREDENTIALS, TOO_MANY_ATTEMPTS.

    Unknown name, wrong password and wrong role look and last the same. With the right password, CUSTOMER_SUSPENDED.
    """
    user = await store_users.user_who_signs_in_as(edge.database, identifier)
    attempt = await begin_sign_in(edge, identifier, None if user is None else user.id)
    stored = None if user is None or user.role not in roles else user.password_hash
    try:
        is_right = await edge.passwords.matches(stored, password)
    except Refusal:
        await attempt.take_back()
        raise
    if not is_right or user is None:
        await note_failure(edge, user, identifier)
        raise Refusal(ApiError.INVALID_CREDENTIALS)
    await attempt.succeed()
    if user.customer_id is not None:
        await require_unsuspended(edge, user.customer_id)
    return user


async def note_failure(edge: Edge, user: User | None, identifier: str) -> None:
    """Nobody is signed in, so nobody did it; a customer sees the failures of its own users."""
    customer_id = None if user is None else user.customer_id
    target = None if user is None else user.id
    await note(edge, None, "sign_in.failed", target, {"identifier": masked(identifier)}, customer_id=customer_id)


def masked(identifier: str) -> str:
    """As much of the name as the log may hold: people type passwords here."""
    return f"{identifier.strip()[:2]}***"


async def token_for(edge: Edge, user: User, *, user_agent: str) -> str:
    """Sign this user in; the token lasts as long as the settings say, or until it is revoked."""
    at = now()
    login = Login(
        id=new_id("log"),
        created_at=at,
        user_id=user.id,
        expires_at=at + timedelta(days=edge.settings.token_days),
        address=client_address() or None,
        user_agent=user_agent[:MOST_AGENT] or None,
    )
    await store_users.keep_login(edge.database, login)
    await note(edge, user, "sign_in.succeeded", user.id, {"login": login.id})
    return edge.tokens.issue(
        login_id=login.id, user_id=user.id, role=user.role.value, issued_at=at, expires_at=login.expires_at
    )
