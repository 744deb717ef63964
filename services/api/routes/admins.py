"""The platform's users as the single-session dashboard manages them: who may, and what each is called there."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access.passwords import LONGEST_PASSWORD
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.accounts.records import User
from services.api.accounts.users import (
    Bounded,
    changed_member,
    checked_email,
    dropped_member,
    give_password,
    new_user,
    store_new,
)
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.routes.auth import W_ROLES
from services.api.sessions.views import Done
from services.api.times import Time, iso

MOST_LISTED = 200
SHORTEST = 6
_USERNAME = re.compile(r"[A-Za-z0-9._@+-]{3,64}")
_ROLES = {name: role for role, name in W_ROLES.items()}

AdminRole = Literal["SUPER_ADMIN", "ADMIN"]
Username = Annotated[str, Meta(max_length=64)]
AdminPassword = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST_PASSWORD)]


class AdminObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user of the platform: SUPER_ADMIN may do everything, ADMIN may read."""

    id: str
    username: str
    email: str
    role: AdminRole
    is_active: bool
    created_at: Time


class AdminList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /api/admin/admins."""

    data: list[AdminObject]
    success: bool = True


class AdminAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of them."""

    data: AdminObject
    message: Localized
    success: bool = True


class NewAdmin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Without an e-mail address it gets `<username>@localhost`, with which it may sign in as well."""

    username: Username
    password: AdminPassword
    email: Bounded | None = None
    role: AdminRole = "ADMIN"


class AdminChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is left out stays."""

    username: Username | None = None
    email: Bounded | None = None
    role: AdminRole | None = None
    is_active: bool | None = None


class AdminPasswordChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The new password."""

    password: AdminPassword


@get("", operation_id="list_admins")
async def list_admins(edge: NamedDependency[Edge], operator: NamedDependency[User]) -> AdminList:
    """The platform's users, newest first."""
    wanted = store_users.Wanted(of_platform=True)
    rows, _ = await store_users.users_newest_first(edge.database, wanted, limit=MOST_LISTED, offset=0)
    return AdminList(data=[_view(row) for row in rows])


@post("", operation_id="create_admin", status_code=200)
async def create_admin(
    edge: NamedDependency[Edge], operator: NamedDependency[User], data: JSONBody[NewAdmin]
) -> AdminAnswer:
    """A new user of the platform."""
    username = _checked_username(data.username)
    user = await new_user(
        edge,
        customer_id=None,
        email=data.email or _address_of(username),
        name=username,
        role=_ROLES[data.role],
        password=data.password,
        username=username,
    )
    await store_new(edge, user)
    await note(edge, operator, "user.created", user.id, {"username": username, "role": user.role.value})
    return AdminAnswer(data=_view(user), message=localized(confirmations.ADMIN_CREATED))


@put("/{user_id:str}", operation_id="update_admin")
async def update_admin(
    edge: NamedDependency[Edge], operator: NamedDependency[User], user_id: FromPath[str], data: JSONBody[AdminChange]
) -> AdminAnswer:
    """Change one of them; not one's own role, and nobody switches himself off."""
    changes = _changes(data)
    if user_id == operator.id and ("role" in changes or changes.get("isActive") is False):
        raise invalid("", "you cannot take away your own rights")
    user = await changed_member(edge, None, user_id, changes)
    await note(edge, operator, "user.changed", user.id, changes)
    return AdminAnswer(data=_view(user), message=localized(confirmations.ADMIN_UPDATED))


@put("/{user_id:str}/password", operation_id="set_admin_password")
async def set_admin_password(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    user_id: FromPath[str],
    data: JSONBody[AdminPasswordChange],
) -> Done:
    """Give one of them another password; it is signed out everywhere."""
    user = await store_users.member_by_id(edge.database, None, user_id)
    if user is None:
        raise Refusal(ApiError.NOT_FOUND, what="user")
    await give_password(edge, user, data.password)
    await note(edge, operator, "user.password_reset", user.id)
    return Done(message=localized(confirmations.ADMIN_PASSWORD_UPDATED))


@delete("/{user_id:str}", operation_id="delete_admin", status_code=200)
async def delete_admin(edge: NamedDependency[Edge], operator: NamedDependency[User], user_id: FromPath[str]) -> Done:
    """Delete one of the others."""
    if user_id == operator.id:
        raise invalid("", "you cannot delete your own account")
    user = await dropped_member(edge, None, user_id)
    await note(edge, operator, "user.deleted", user.id, {"username": user.username or user.email})
    return Done(message=localized(confirmations.ADMIN_DELETED))


def _view(user: User) -> AdminObject:
    role: Any = W_ROLES[user.role]
    return AdminObject(
        id=user.id,
        username=user.username or user.email,
        email=user.email,
        role=role,
        is_active=user.is_active,
        created_at=iso(user.created_at),
    )


def _checked_username(text: str) -> str:
    username = text.strip()
    if not _USERNAME.fullmatch(username):
        raise invalid("username", "it has 3 to 64 letters, digits and . _ @ + -")
    return username


def _address_of(username: str) -> str:
    return username if "@" in username else f"{username}@localhost"


def _changes(data: AdminChange) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if data.username is not None:
        changes["username"] = _checked_username(data.username)
    if data.email:
        changes["email"] = checked_email(data.email)
    if data.role is not None:
        changes["role"] = _ROLES[data.role].value
    if data.is_active is not None:
        changes["isActive"] = data.is_active
    if not changes:
        raise invalid("", "nothing to change was given")
    return changes


router = Router(
    path="/api/admin/admins",
    route_handlers=[list_admins, create_admin, update_admin, set_admin_password, delete_admin],
    tags=["Single-session dashboard"],
)
