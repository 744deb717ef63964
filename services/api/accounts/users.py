"""Users: what their fields may hold, how they look, and every way in which the edge makes and changes them."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from pymongo.errors import DuplicateKeyError

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from services.api.access.passwords import LONGEST_PASSWORD
from services.api.accounts import store_users
from services.api.accounts.records import Role, User
from services.api.accounts.store_users import LastOwner, TooManyUsers
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.messages.numerals import in_plain_characters
from services.api.sentences import Phrase
from services.api.times import Time, iso, now

SHORTEST_PASSWORD = 8
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}|[^@\s]{1,64}@localhost")
_PHONE = re.compile(r"\+?[0-9]{6,15}")

Bounded = Annotated[str, Meta(max_length=254)]
PersonName = Annotated[str, Meta(min_length=1, max_length=100)]
Password = Annotated[str, Meta(max_length=LONGEST_PASSWORD)]
NewPassword = Annotated[str, Meta(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]


class UserView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user."""

    id: str
    name: str
    email: str
    phone: str | None
    role: str


class UserObject(UserView, frozen=True, kw_only=True, rename="camel"):
    """A user as those see it who manage users; `customerId` is null for the platform's own."""

    customer_id: str | None
    username: str | None
    is_active: bool
    created_at: Time


class UserAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One user."""

    data: UserObject
    user: UserObject
    message: Localized
    success: bool = True


def user_view(user: User) -> UserView:
    """A user as it sees itself."""
    return UserView(id=user.id, name=user.name, email=user.email, phone=user.phone, role=user.role.value)


def user_object(user: User) -> UserObject:
    """A user as its managers see it."""
    return UserObject(
        id=user.id,
        name=user.name,
        email=user.email,
        phone=user.phone,
        role=user.role.value,
        customer_id=user.customer_id,
        username=user.username,
        is_active=user.is_active,
        created_at=iso(user.created_at),
    )


def user_answer(user: User, message: Phrase) -> UserAnswer:
    """The user and a sentence."""
    shown = user_object(user)
    return UserAnswer(data=shown, user=shown, message=localized(message))


# --- What fields may hold --------------------------------------------------------------------------------------------


def checked_name(text: str) -> str:
    """The name without the spaces around it. Raises Refusal VALIDATION_FAILED."""
    name = text.strip()
    if not name or not name.isprintable():
        raise invalid("name", "it has 1 to 100 printable characters")
    return name


def checked_email(text: str) -> str:
    """The address in lower case. Raises Refusal VALIDATION_FAILED."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email):
        raise invalid("email", "this is no e-mail address")
    return email


def checked_phone(text: str) -> str | None:
    """The number in ASCII digits without spaces and signs between them; None for an empty one. Raises Refusal."""
    phone = re.sub(r"[ ().-]", "", in_plain_characters(text))
    if phone and not _PHONE.fullmatch(phone):
        raise invalid("phone", "6 to 15 digits, with or without a leading +")
    return phone or None


# --- Making and changing ---------------------------------------------------------------------------------------------


async def new_user(
    edge: Edge,
    *,
    customer_id: str | None,
    email: str,
    name: str,
    role: Role,
    password: str,
    phone: str | None = None,
    username: str | None = None,
) -> User:
    """A user that is not stored yet, its fields checked and its password hashed. Raises Refusal VALIDATION_FAILED."""
    return User(
        id=new_id("usr"),
        created_at=now(),
        customer_id=customer_id,
        email=checked_email(email),
        name=checked_name(name),
        role=role,
        password_hash=await edge.passwords.hashed(password),
        username=username,
        phone=checked_phone(phone or ""),
    )


async def store_new(edge: Edge, user: User) -> None:
    """Store it. Raises Refusal: e-mail address or user name taken, or more users than a customer may have."""
    try:
        await store_users.add_user(edge.client, edge.database, user, most=edge.settings.users_most)
    except DuplicateKeyError as error:
        raise taken(error) from error
    except TooManyUsers as error:
        raise Refusal(
            ApiError.NOT_POSSIBLE, reason=f"{error.most} users are the most that a customer may have"
        ) from error


async def changed_member(edge: Edge, customer_id: str | None, user_id: str, changes: dict[str, Any]) -> User:
    """Set these fields of the customer's (null: the platform's) user. Raises Refusal.

    Who is switched off, or has another role now, is signed out everywhere.
    """
    try:
        user = await store_users.change_member(edge.client, edge.database, customer_id, user_id, changes)
    except DuplicateKeyError as error:
        raise taken(error) from error
    except LastOwner as error:
        raise last_owner() from error
    if user is None:
        raise Refusal(ApiError.NOT_FOUND, what="user")
    if changes.get("isActive") is False or "role" in changes:
        await store_users.revoke_logins(edge.database, user_id)
    await edge.memory.drop(f"user/{user_id}")
    return user


async def dropped_member(edge: Edge, customer_id: str | None, user_id: str) -> User:
    """Delete the user and its sign-ins. Raises Refusal."""
    try:
        user = await store_users.drop_member(edge.client, edge.database, customer_id, user_id)
    except LastOwner as error:
        raise last_owner() from error
    if user is None:
        raise Refusal(ApiError.NOT_FOUND, what="user")
    await edge.memory.drop(f"user/{user_id}")
    return user


async def give_password(edge: Edge, user: User, password: str, *, but: str | None = None) -> None:
    """Another password; every sign-in with the old one ends, but the one that is given."""
    hashed = await edge.passwords.hashed(password)
    await store_users.set_password(edge.database, user.id, hashed)
    await store_users.revoke_logins(edge.database, user.id, but=but)
    await edge.memory.drop(f"user/{user.id}")


def taken(error: DuplicateKeyError) -> Refusal:
    """Which of the unique fields somebody else has."""
    found: dict[str, Any] = dict(error.details or {})
    if "username" in found.get("keyPattern", {}):
        return invalid("username", "this user name is taken")
    return invalid("email", "this e-mail address is taken")


def last_owner() -> Refusal:
    """Somebody must be left who may manage the account."""
    return Refusal(ApiError.NOT_POSSIBLE, reason="the account would be left without an owner who can sign in")
