"""Users and their sign-ins in MongoDB, and their indexes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession

from libs.runtime.mongo import Client, Database, from_document, from_documents, in_transaction, to_document
from services.api.accounts.records import PLATFORM, Login, Role, User

LAST_CHARACTER = "\U0010ffff"
NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
INDEXES: dict[str, list[IndexModel]] = {
    "users": [
        IndexModel([("email", ASCENDING)], unique=True),
        IndexModel([("username", ASCENDING)], unique=True, partialFilterExpression={"username": {"$type": "string"}}),
        IndexModel([("username", ASCENDING), ("isActive", ASCENDING)], sparse=True),
        IndexModel([("customerId", ASCENDING), *NEWEST_FIRST]),
        IndexModel(NEWEST_FIRST),
    ],
    "logins": [
        IndexModel([("userId", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0),
    ],
}


class LastOwner(Exception):
    """Without this user nobody could manage the account."""


class TooManyUsers(Exception):
    """The customer has as many users as it may have."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"the customer has {most} users already")


# --- Who signs in ----------------------------------------------------------------------------------------------------


async def user_who_signs_in_as(database: Database, identifier: str) -> User | None:
    """The active user with this e-mail address or user name."""
    wanted = [{"email": identifier.lower(), "isActive": True}, {"username": identifier, "isActive": True}]
    document = await database.users.find_one({"$or": wanted})
    return None if document is None else from_document(User, document)


async def keep_login(database: Database, login: Login) -> None:
    """Remember a sign-in, so that its token is believed."""
    await database.logins.insert_one(to_document(login))


async def user_of_login(database: Database, login_id: str, at: datetime) -> User | None:
    """The active user behind a sign-in that is neither revoked nor over."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"_id": login_id, "expiresAt": {"$gt": at}}},
        {"$lookup": {"from": "users", "localField": "userId", "foreignField": "_id", "as": "user"}},
        {"$unwind": "$user"},
        {"$match": {"user.isActive": True}},
        {"$replaceRoot": {"newRoot": "$user"}},
    ]
    async for document in await database.logins.aggregate(pipeline):
        return from_document(User, document)
    return None


async def logins_of(database: Database, user_id: str, at: datetime, *, limit: int, offset: int) -> list[Login]:
    """A page of the user's sign-ins that are not over, newest first."""
    found = database.logins.find({"userId": user_id, "expiresAt": {"$gt": at}}).sort(NEWEST_FIRST)
    return from_documents(Login, await found.skip(offset).limit(limit).to_list())


async def revoke_login(database: Database, login_id: str, user_id: str) -> bool:
    """End a sign-in of this user; whether there was one. May run twice."""
    return (await database.logins.delete_one({"_id": login_id, "userId": user_id})).deleted_count > 0


async def revoke_logins(database: Database, user_id: str, *, but: str | None = None) -> int:
    """End every sign-in of the user, except one; how many there were."""
    return (await database.logins.delete_many({"userId": user_id, "_id": {"$ne": but}})).deleted_count


# --- One user --------------------------------------------------------------------------------------------------------


async def add_user(client: Client, database: Database, user: User, *, most: int) -> None:
    """Store a new user. Raises DuplicateKeyError (name or address taken), TooManyUsers of its customer."""

    async def store(session: AsyncClientSession) -> None:
        await _one_after_the_other(database, user.customer_id, session)
        others = await database.users.count_documents({"customerId": user.customer_id}, session=session)
        if user.customer_id is not None and others >= most:
            raise TooManyUsers(most)
        await database.users.insert_one(to_document(user), session=session)

    await in_transaction(client, store)


async def user_by_id(database: Database, user_id: str) -> User | None:
    """The user with this id, of any customer or of the platform."""
    document = await database.users.find_one({"_id": user_id})
    return None if document is None else from_document(User, document)


async def member_by_id(database: Database, customer_id: str | None, user_id: str) -> User | None:
    """The customer's user (null: the platform's) with this id."""
    document = await database.users.find_one({"_id": user_id, "customerId": customer_id})
    return None if document is None else from_document(User, document)


async def change_user(database: Database, user_id: str, changes: dict[str, Any]) -> User | None:
    """Set these fields of an active user and return it. Raises DuplicateKeyError when the e-mail address is taken."""
    document = await database.users.find_one_and_update(
        {"_id": user_id, "isActive": True}, {"$set": changes}, return_document=ReturnDocument.AFTER
    )
    return None if document is None else from_document(User, document)


async def set_password(database: Database, user_id: str, hashed: str) -> bool:
    """Another password for this user, active or not; whether there is one."""
    done = await database.users.update_one({"_id": user_id}, {"$set": {"passwordHash": hashed}})
    return done.matched_count > 0


async def change_member(
    client: Client, database: Database, customer_id: str | None, user_id: str, changes: dict[str, Any]
) -> User | None:
    """Set these fields of the customer's user (null: of the platform's) and return it.

    Raises LastOwner when no active owner (of the platform: administrator) would be left, DuplicateKeyError.
    """

    async def store(session: AsyncClientSession) -> dict[str, Any] | None:
        await _one_after_the_other(database, customer_id, session)
        document = await database.users.find_one_and_update(
            {"_id": user_id, "customerId": customer_id},
            {"$set": changes},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if document is not None:
            await _require_owner(database, customer_id, session)
        return document

    document = await in_transaction(client, store)
    return None if document is None else from_document(User, document)


async def drop_member(client: Client, database: Database, customer_id: str | None, user_id: str) -> User | None:
    """Delete the customer's user with all its sign-ins; it is returned. Raises LastOwner."""

    async def store(session: AsyncClientSession) -> dict[str, Any] | None:
        await _one_after_the_other(database, customer_id, session)
        document = await database.users.find_one_and_delete(
            {"_id": user_id, "customerId": customer_id}, session=session
        )
        if document is not None:
            await _require_owner(database, customer_id, session)
            await database.logins.delete_many({"userId": user_id}, session=session)
        return document

    document = await in_transaction(client, store)
    return None if document is None else from_document(User, document)


async def _one_after_the_other(database: Database, customer_id: str | None, session: AsyncClientSession) -> None:
    """Of two changes at the same time, one waits: else each of two owners could count on the other.

    A counter, not a time: a time that is set again within its millisecond is no write, and nobody waits.
    """
    changed = {"$inc": {"userChanges": 1}}
    if customer_id is None:
        await database.users.update_many({"customerId": None}, changed, session=session)
    else:
        await database.customers.update_one({"_id": customer_id}, changed, session=session)


async def _require_owner(database: Database, customer_id: str | None, session: AsyncClientSession) -> None:
    role = Role.ADMIN if customer_id is None else Role.OWNER
    wanted = {"customerId": customer_id, "role": role.value, "isActive": True}
    if await database.users.find_one(wanted, session=session) is None:
        raise LastOwner


# --- Many ------------------------------------------------------------------------------------------------------------


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which users are listed; None lets all through. `text`: the beginning of the e-mail address."""

    customer_id: str | None = None
    of_platform: bool | None = None
    role: Role | None = None
    text: str | None = None


async def users_newest_first(database: Database, wanted: Wanted, *, limit: int, offset: int) -> tuple[list[User], int]:
    """A page of these users, and how many there are in all."""
    condition: dict[str, Any] = {}
    if wanted.customer_id is not None:
        condition["customerId"] = wanted.customer_id
    if wanted.of_platform:
        condition |= {"customerId": None, "role": {"$in": [role.value for role in PLATFORM]}}
    if wanted.role is not None:
        condition["role"] = wanted.role.value
    if wanted.text:
        beginning = wanted.text.lower()
        condition["email"] = {"$gte": beginning, "$lt": beginning + LAST_CHARACTER}
    found = await database.users.find(condition).sort(NEWEST_FIRST).skip(offset).limit(limit).to_list()
    total = database.users.count_documents(condition) if condition else database.users.estimated_document_count()
    return from_documents(User, found), await total


async def users_by_id(database: Database, ids: set[str]) -> dict[str, User]:
    """These users, by id; those that are gone are left out."""
    found = await database.users.find({"_id": {"$in": sorted(ids)}}).to_list() if ids else []
    return {user.id: user for user in from_documents(User, found)}
