"""One's own sign-ins: which there are, ending them, and another password."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access.attempts import begin_sign_in
from services.api.access.gate import SignedIn
from services.api.access.signing_in import note_failure
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.accounts.records import Login
from services.api.accounts.users import NewPassword, Password, give_password
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import localized
from services.api.sessions.views import Done
from services.api.times import Time, iso, now
from services.api.web.paging import Offset

MOST_LISTED = 100


class LoginView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A sign-in that is not over; `isCurrent` is the one that asks."""

    id: str
    created_at: Time
    expires_at: Time
    address: str | None
    user_agent: str | None
    is_current: bool


class LoginList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /api/auth/logins."""

    data: list[LoginView]
    success: bool = True


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The password that holds now, and the new one."""

    current_password: Password
    new_password: NewPassword


@get("/logins", operation_id="list_logins")
async def list_logins(
    edge: NamedDependency[Edge],
    me: NamedDependency[SignedIn],
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)] = 50,
    offset: Offset = 0,
) -> LoginList:
    """Where one is signed in, newest first."""
    rows = await store_users.logins_of(edge.database, me.user.id, now(), limit=limit, offset=offset)
    return LoginList(data=[_view(row, me) for row in rows])


@delete("/logins/{login_id:str}", operation_id="revoke_login", status_code=200)
async def revoke_login(edge: NamedDependency[Edge], me: NamedDependency[SignedIn], login_id: FromPath[str]) -> Done:
    """End one of one's sign-ins: its token is worth nothing from now on."""
    if not await store_users.revoke_login(edge.database, login_id, me.user.id):
        raise Refusal(ApiError.NOT_FOUND, what="sign-in")
    await edge.memory.drop(f"user/{me.user.id}")
    await note(edge, me.user, "sign_in.revoked", me.user.id, {"login": login_id})
    return Done(message=localized(confirmations.SIGN_IN_ENDED))


@post("/logins/revoke-others", operation_id="revoke_other_logins", status_code=200)
async def revoke_other_logins(edge: NamedDependency[Edge], me: NamedDependency[SignedIn]) -> Done:
    """End every sign-in of one's own but this one."""
    ended = await store_users.revoke_logins(edge.database, me.user.id, but=me.login_id)
    await edge.memory.drop(f"user/{me.user.id}")
    await note(edge, me.user, "sign_in.revoked", me.user.id, {"others": ended})
    return Done(message=localized(confirmations.OTHER_SIGN_INS_ENDED, ended=ended))


@post("/password", operation_id="change_password", status_code=200)
async def change_password(
    edge: NamedDependency[Edge], me: NamedDependency[SignedIn], data: JSONBody[PasswordChange]
) -> Done:
    """Another password of one's own; every other sign-in ends. Wrong guesses count as failed sign-ins."""
    await _require_password(edge, me, data.current_password)
    if data.new_password == data.current_password:
        raise invalid("newPassword", "it is the present one")
    await give_password(edge, me.user, data.new_password, but=me.login_id)
    await note(edge, me.user, "user.password_changed", me.user.id)
    return Done(message=localized(confirmations.PASSWORD_CHANGED))


async def _require_password(edge: Edge, found: SignedIn, password: str) -> None:
    user = found.user
    attempt = await begin_sign_in(edge, user.email, user.id)
    try:
        is_right = await edge.passwords.matches(user.password_hash, password)
    except Refusal:
        await attempt.take_back()
        raise
    if not is_right:
        await note_failure(edge, user, user.email)
        raise invalid("currentPassword", "this is not the present password")
    await attempt.succeed()


def _view(row: Login, found: SignedIn) -> LoginView:
    return LoginView(
        id=row.id,
        created_at=iso(row.created_at),
        expires_at=iso(row.expires_at),
        address=row.address,
        user_agent=row.user_agent,
        is_current=row.id == found.login_id,
    )


router = Router(
    path="/api/auth",
    route_handlers=[list_logins, revoke_login, revoke_other_logins, change_password],
    tags=["Sign-in"],
)
