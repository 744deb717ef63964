"""Every user, for the platform: find one, give it another password, and sign it out."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.accounts.records import Role, User
from services.api.accounts.users import NewPassword, UserAnswer, UserObject, give_password, user_answer, user_object
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.languages import Localized, localized
from services.api.routes.users import Limit, Offset, UserList, listed
from services.api.sessions.views import Done

MADE_UP_BYTES = 12


class OptionalPassword(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The new password; left out, one is made up."""

    password: NewPassword | None = None


class PasswordGiven(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The user, and the password when it was made up: it is not shown again."""

    user: UserObject
    password: str | UnsetType = UNSET


class PasswordGivenAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The password was changed."""

    data: PasswordGiven
    message: Localized
    success: bool = True


@get("/users", operation_id="list_all_users")
async def list_all_users(
    edge: NamedDependency[Edge],
    customer: Annotated[str | None, QueryParameter(max_length=60, description="Id of the customer.")] = None,
    role: FromQuery[Literal["owner", "member", "admin", "support"] | None] = None,
    q: Annotated[str | None, QueryParameter(max_length=254, description="Beginning of the e-mail address.")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> UserList:
    """The users of every customer and of the platform, newest first."""
    wanted = store_users.Wanted(customer_id=customer or None, role=Role(role) if role else None, text=q or None)
    return await listed(edge, wanted, limit=limit, offset=offset)


@get("/users/{user_id:str}", operation_id="get_any_user")
async def get_any_user(edge: NamedDependency[Edge], user_id: FromPath[str]) -> UserAnswer:
    """One user."""
    return user_answer(await _any(edge, user_id), confirmations.USER)


@post("/users/{user_id:str}/password", operation_id="reset_any_password", status_code=200)
async def reset_any_password(
    edge: NamedDependency[Edge],
    operator: NamedDependency[User],
    user_id: FromPath[str],
    data: JSONBody[OptionalPassword | None] = None,
) -> PasswordGivenAnswer:
    """Give any user another password; it is signed out everywhere."""
    user = await _any(edge, user_id)
    given = data.password if data is not None else None
    password = given or secrets.token_urlsafe(MADE_UP_BYTES)
    await give_password(edge, user, password)
    await note(edge, operator, "user.password_reset", user.id, customer_id=user.customer_id)
    return PasswordGivenAnswer(
        data=PasswordGiven(user=user_object(user), password=UNSET if given is not None else password),
        message=localized(confirmations.PASSWORD_RESET),
    )


@post("/users/{user_id:str}/sign-out", operation_id="sign_out_any_user", status_code=200)
async def sign_out_any_user(
    edge: NamedDependency[Edge], operator: NamedDependency[User], user_id: FromPath[str]
) -> Done:
    """End every sign-in of any user."""
    user = await _any(edge, user_id)
    ended = await store_users.revoke_logins(edge.database, user.id)
    await edge.memory.drop(f"user/{user.id}")
    await note(edge, operator, "sign_in.revoked", user.id, {"others": ended}, customer_id=user.customer_id)
    return Done(message=localized(confirmations.SIGN_INS_ENDED, ended=ended))


async def _any(edge: Edge, user_id: str) -> User:
    user = await store_users.user_by_id(edge.database, user_id)
    if user is None:
        raise Refusal(ApiError.NOT_FOUND, what="user")
    return user


router = Router(
    path="/api/platform",
    route_handlers=[list_all_users, get_any_user, reset_any_password, sign_out_any_user],
    tags=["Platform: users"],
)
