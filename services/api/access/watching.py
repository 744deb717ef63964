"""Who may look at the state of NATS and MongoDB: the platform's users, also while one of the two is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pymongo
from pymongo.errors import PyMongoError

from libs.contracts.errors import ApiError
from libs.runtime.bus import BusDown
from services.api.access.tokens import TokenRefused
from services.api.accounts import store_users
from services.api.accounts.records import PLATFORM, User
from services.api.context import Edge
from services.api.errors import Refusal, is_away
from services.api.times import now

WITHIN_S = 1.5


async def watcher_of(edge: Edge, token: str, ask: Callable[[], Awaitable[User]]) -> User:
    """The platform's user with this token: whom `ask` finds, or, while it is refused an answer, who it lately was.

    Raises what `ask` raises when nobody is known without it, and Refusal.
    """
    try:
        with pymongo.timeout(WITHIN_S):
            user = await ask()
    except Refusal:
        _forget(edge, token)
        raise
    except (BusDown, PyMongoError) as error:
        if not is_away(error):
            raise
        return await _operator_meanwhile(edge, token, error)
    edge.watchers.remember(_login_id(edge, token), user)
    return user


async def _operator_meanwhile(edge: Edge, token: str, error: Exception) -> User:
    """While NATS is away MongoDB knows who it is; while MongoDB is, only memory does."""
    login_id = _login_id(edge, token)
    try:
        with pymongo.timeout(WITHIN_S):
            user = await store_users.user_of_login(edge.database, login_id, now())
    except PyMongoError:
        user = edge.watchers.recall(login_id)
        if user is None:
            raise error from None
    if user is None:
        raise Refusal(ApiError.INVALID_TOKEN)
    if user.role not in PLATFORM:
        raise Refusal(ApiError.FORBIDDEN, reason="it is for the platform's own users")
    return user


def _login_id(edge: Edge, token: str) -> str:
    try:
        return edge.tokens.login_id_of(token)
    except TokenRefused as error:
        raise Refusal(ApiError.INVALID_TOKEN) from error


def _forget(edge: Edge, token: str) -> None:
    try:
        edge.watchers.forget(edge.tokens.login_id_of(token))
    except TokenRefused:
        return
