"""Sign in and out, who am I, and one's profile; W's administrators sign in here too."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Router, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pymongo.errors import DuplicateKeyError

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access.gate import SignedIn
from services.api.access.signing_in import checked_user, token_for
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.accounts.records import PLATFORM, Role, User
from services.api.accounts.users import (
    Bounded,
    Password,
    PersonName,
    UserView,
    checked_email,
    checked_name,
    checked_phone,
    taken,
    user_view,
)
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.sessions.views import Done
from services.api.web.bodies import OPEN_BYTES

W_ROLES = {Role.ADMIN: "SUPER_ADMIN", Role.SUPPORT: "ADMIN"}


class SignIn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`identifier`, `email` or `username`, and the password."""

    identifier: Bounded | None = None
    email: Bounded | None = None
    username: Bounded | None = None
    password: Password | None = None


class SignInData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The user and the token for `Authorization: Bearer`."""

    user: UserView
    token: str


class SignInAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """POST /api/auth/signin."""

    data: SignInData
    message: Localized
    success: bool = True


class Me(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is signed in, and for which customer (null for the platform's users)."""

    user: UserView
    customer_id: str | None


class MeAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /api/auth/me and PATCH /api/customer/profile."""

    data: Me
    user: UserView
    success: bool = True


class Admin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An administrator as W knows it; `role` is `SUPER_ADMIN` or `ADMIN`."""

    id: str
    username: str
    email: str
    role: str


class AdminLoginData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The administrator and the token."""

    token: str
    admin: Admin


class AdminLoginAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """POST /api/admin/login."""

    data: AdminLoginData
    message: Localized
    success: bool = True


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is left out stays."""

    name: PersonName | None = None
    phone: Bounded | None = None
    email: Bounded | None = None


# --- In and out ------------------------------------------------------------------------------------------------------


@post("/api/auth/signin", operation_id="sign_in", status_code=200, security=[{}], request_max_body_size=OPEN_BYTES)
async def sign_in(edge: NamedDependency[Edge], request: Request[Any, Any, Any], data: JSONBody[SignIn]) -> SignInAnswer:
    """Sign in; the token lasts 7 days, or until sign-out. Too many failures: 429, and `Retry-After`."""
    user = await checked_user(edge, *_credentials_of(data))
    signed_in = SignInData(user=user_view(user), token=await _token_for(edge, request, user))
    return SignInAnswer(data=signed_in, message=localized(confirmations.SIGNED_IN))


@post(
    "/api/admin/login", operation_id="sign_in_admin", status_code=200, security=[{}], request_max_body_size=OPEN_BYTES
)
async def sign_in_admin(
    edge: NamedDependency[Edge], request: Request[Any, Any, Any], data: JSONBody[SignIn]
) -> AdminLoginAnswer:
    """Sign in as an administrator of the platform; `username` may be the e-mail address."""
    user = await checked_user(edge, *_credentials_of(data), roles=PLATFORM)
    admin = Admin(id=user.id, username=user.username or user.email, email=user.email, role=W_ROLES[user.role])
    signed_in = AdminLoginData(token=await _token_for(edge, request, user), admin=admin)
    return AdminLoginAnswer(data=signed_in, message=localized(confirmations.SIGNED_IN))


@post("/api/auth/signout", operation_id="sign_out", status_code=200)
async def sign_out(edge: NamedDependency[Edge], me: NamedDependency[SignedIn]) -> Done:
    """End this sign-in: its token is worth nothing from now on."""
    return await _signed_out(edge, me)


@post("/api/auth/logout", status_code=200, include_in_schema=False)
async def log_out(edge: NamedDependency[Edge], me: NamedDependency[SignedIn]) -> Done:
    """The same under its other name."""
    return await _signed_out(edge, me)


async def _signed_out(edge: Edge, me: SignedIn) -> Done:
    await store_users.revoke_login(edge.database, me.login_id, me.user.id)
    await edge.memory.drop(f"user/{me.user.id}")
    await note(edge, me.user, "sign_in.ended", me.user.id, {"login": me.login_id})
    return Done(message=localized(confirmations.SIGNED_OUT))


def _credentials_of(data: SignIn) -> tuple[str, str]:
    identifier = (data.identifier or data.email or data.username or "").strip()
    if not identifier or not data.password:
        raise Refusal(ApiError.MISSING_CREDENTIALS)
    return identifier, data.password


async def _token_for(edge: Edge, request: Request[Any, Any, Any], user: User) -> str:
    return await token_for(edge, user, user_agent=request.headers.get("user-agent", ""))


# --- Oneself ---------------------------------------------------------------------------------------------------------


@get("/api/auth/me", operation_id="get_me")
async def get_me(me: NamedDependency[SignedIn]) -> MeAnswer:
    """Who is signed in."""
    return _me(me.user)


@patch("/api/customer/profile", operation_id="update_profile")
async def update_profile(
    edge: NamedDependency[Edge], me: NamedDependency[SignedIn], data: JSONBody[ProfileChange]
) -> MeAnswer:
    """Change one's own name, phone or e-mail address."""
    changes = _profile_changes(data)
    try:
        user = await store_users.change_user(edge.database, me.user.id, changes)
    except DuplicateKeyError as error:
        raise taken(error) from error
    if user is None:
        raise Refusal(ApiError.INVALID_TOKEN)
    await edge.memory.drop(f"user/{user.id}")
    await note(edge, user, "user.changed", user.id, {"fields": sorted(changes)})
    return _me(user)


def _profile_changes(data: ProfileChange) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if data.name is not None:
        changes["name"] = checked_name(data.name)
    if data.phone is not None:
        changes["phone"] = checked_phone(data.phone)
    if data.email is not None:
        changes["email"] = checked_email(data.email)
    if not changes:
        raise invalid("", "nothing to change was given")
    return changes


def _me(user: User) -> MeAnswer:
    view = user_view(user)
    return MeAnswer(data=Me(user=view, customer_id=user.customer_id), user=view)


router = Router(
    path="/",
    route_handlers=[sign_in, sign_in_admin, sign_out, log_out, get_me, update_profile],
    tags=["Sign-in"],
)
