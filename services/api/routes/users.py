"""The users of a customer: its owners invite them, change them, and reset their passwords."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.accounts.records import Role, User
from services.api.accounts.users import (
    Bounded,
    NewPassword,
    PersonName,
    UserAnswer,
    UserObject,
    changed_member,
    checked_email,
    checked_name,
    checked_phone,
    dropped_member,
    give_password,
    new_user,
    store_new,
    user_answer,
    user_object,
)
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import localized
from services.api.sessions.views import Done
from services.api.web.paging import Offset, Pagination, pagination

MOST_LISTED = 100

Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)]


class NewUser(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Somebody who shall sign in for this customer. A member sees no keys, users and credits."""

    name: PersonName
    email: Bounded
    password: NewPassword
    role: Literal["owner", "member"] = "member"
    phone: Bounded | None = None


class UserChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is left out stays. Who is switched off, or gets another role, is signed out everywhere."""

    name: PersonName | None = None
    email: Bounded | None = None
    role: Literal["owner", "member"] | None = None
    phone: Bounded | UnsetType | None = UNSET
    is_active: bool | None = None


class PasswordReset(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The new password."""

    password: NewPassword


class UserList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Users, newest first."""

    data: list[UserObject]
    users: list[UserObject]
    pagination: Pagination
    success: bool = True


@get("/users", operation_id="list_users")
async def list_users(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], limit: Limit = 50, offset: Offset = 0
) -> UserList:
    """Who may sign in for this customer, newest first."""
    caller.require_owner()
    wanted = store_users.Wanted(customer_id=caller.customer_id)
    return await listed(edge, wanted, limit=limit, offset=offset)


async def listed(edge: Edge, wanted: store_users.Wanted, *, limit: int, offset: int) -> UserList:
    """A page of these users."""
    rows, total = await store_users.users_newest_first(edge.database, wanted, limit=limit, offset=offset)
    shown = [user_object(row) for row in rows]
    paging = pagination(total, limit, offset, len(rows))
    return UserList(data=shown, users=shown, pagination=paging)


@post("/users", operation_id="create_user", status_code=200)
async def create_user(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[NewUser]
) -> UserAnswer:
    """A new user of this customer."""
    caller.require_owner()
    user = await new_user(
        edge,
        customer_id=caller.customer_id,
        email=data.email,
        name=data.name,
        role=Role(data.role),
        password=data.password,
        phone=data.phone,
    )
    await store_new(edge, user)
    await note(edge, caller, "user.created", user.id, {"email": user.email, "role": user.role.value})
    return user_answer(user, confirmations.USER_CREATED)


@get("/users/{user_id:str}", operation_id="get_user")
async def get_user(edge: NamedDependency[Edge], caller: NamedDependency[Caller], user_id: FromPath[str]) -> UserAnswer:
    """One user of this customer."""
    caller.require_owner()
    return user_answer(await _own(edge, caller, user_id), confirmations.USER)


@patch("/users/{user_id:str}", operation_id="update_user")
async def update_user(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], user_id: FromPath[str], data: JSONBody[UserChange]
) -> UserAnswer:
    """Change a user, or switch it off; one owner who can sign in must be left."""
    caller.require_owner()
    changes = _changes(data)
    user = await changed_member(edge, caller.customer_id, user_id, changes)
    await note(edge, caller, "user.changed", user.id, changes)
    return user_answer(user, confirmations.USER_CHANGED)


@delete("/users/{user_id:str}", operation_id="delete_user", status_code=200)
async def delete_user(edge: NamedDependency[Edge], caller: NamedDependency[Caller], user_id: FromPath[str]) -> Done:
    """Delete a user; one owner who can sign in must be left."""
    caller.require_owner()
    user = await dropped_member(edge, caller.customer_id, user_id)
    await note(edge, caller, "user.deleted", user.id, {"email": user.email})
    return Done(message=localized(confirmations.USER_DELETED))


@post("/users/{user_id:str}/password", operation_id="reset_user_password", status_code=200)
async def reset_user_password(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], user_id: FromPath[str], data: JSONBody[PasswordReset]
) -> Done:
    """Give a user another password; it is signed out everywhere."""
    caller.require_owner()
    user = await _own(edge, caller, user_id)
    await give_password(edge, user, data.password)
    await note(edge, caller, "user.password_reset", user.id)
    return Done(message=localized(confirmations.PASSWORD_RESET))


@post("/users/{user_id:str}/sign-out", operation_id="sign_out_user", status_code=200)
async def sign_out_user(edge: NamedDependency[Edge], caller: NamedDependency[Caller], user_id: FromPath[str]) -> Done:
    """End every sign-in of a user."""
    caller.require_owner()
    user = await _own(edge, caller, user_id)
    ended = await store_users.revoke_logins(edge.database, user.id)
    await edge.memory.drop(f"user/{user.id}")
    await note(edge, caller, "sign_in.revoked", user.id, {"others": ended})
    return Done(message=localized(confirmations.SIGN_INS_ENDED, ended=ended))


async def _own(edge: Edge, caller: Caller, user_id: str) -> User:
    user = await store_users.member_by_id(edge.database, caller.customer_id, user_id)
    if user is None:
        raise Refusal(ApiError.NOT_FOUND, what="user")
    return user


def _changes(data: UserChange) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if data.name is not None:
        changes["name"] = checked_name(data.name)
    if data.email is not None:
        changes["email"] = checked_email(data.email)
    if data.role is not None:
        changes["role"] = data.role
    if data.phone is not UNSET:
        changes["phone"] = checked_phone(data.phone or "")
    if data.is_active is not None:
        changes["isActive"] = data.is_active
    if not changes:
        raise invalid("", "nothing to change was given")
    return changes


router = Router(
    path="/api/customer",
    route_handlers=[list_users, create_user, get_user, update_user, delete_user, reset_user_password, sign_out_user],
    tags=["Users"],
)
