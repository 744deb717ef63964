"""API keys and stream tickets in MongoDB, and their indexes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from libs.runtime.mongo import Database, from_document, from_documents, to_document
from services.api.accounts.records import ApiKey, Ticket

INDEXES: dict[str, list[IndexModel]] = {
    "keys": [
        IndexModel([("hash", ASCENDING)], unique=True),
        IndexModel([("formerHash", ASCENDING)], sparse=True),
        IndexModel([("customerId", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)]),
    ],
    "tickets": [IndexModel([("expiresAt", ASCENDING)], expireAfterSeconds=0)],
}

# --- Keys ------------------------------------------------------------------------------------------------------------


async def active_key(database: Database, hashed: str, at: datetime) -> ApiKey | None:
    """The key with this SHA-256, or that had it before its last rotation and whose former key is still good."""
    own = {"hash": hashed, "isActive": True}
    former = {"formerHash": hashed, "formerUntil": {"$gt": at}, "isActive": True}
    document = await database["keys"].find_one({"$or": [own, former]})
    return None if document is None else from_document(ApiKey, document)


async def note_use(database: Database, key_id: str, at: datetime, *, unless_since: datetime) -> None:
    """The key was used now; nothing is written when another edge noted that since."""
    seldom = {"$or": [{"lastUsedAt": None}, {"lastUsedAt": {"$lte": unless_since}}]}
    await database["keys"].update_one({"_id": key_id, **seldom}, {"$set": {"lastUsedAt": at}})


# --- The primary key -------------------------------------------------------------------------------------------------


async def primary_key(database: Database, customer_id: str) -> ApiKey | None:
    """The customer's primary key."""
    document = await database["keys"].find_one({"_id": primary_key_id(customer_id)})
    return None if document is None else from_document(ApiKey, document)


def primary_key_id(customer_id: str) -> str:
    """One row per customer: a new primary key takes the place of the old one in one write."""
    return f"primary/{customer_id}"


async def put_primary_key(database: Database, key: ApiKey) -> ApiKey | None:
    """Store this primary key in place of the old one, which is returned; its limits and addresses go on to hold."""
    made = to_document(key)
    fresh = {field: made.pop(field) for field in ("name", "hash", "sealed", "prefix", "createdAt", "lastUsedAt")}
    made.pop("_id")
    document = await database["keys"].find_one_and_update(
        {"_id": key.id}, {"$set": fresh, "$setOnInsert": made}, upsert=True, return_document=ReturnDocument.BEFORE
    )
    return None if document is None else from_document(ApiKey, document)


async def make_primary_key(database: Database, key: ApiKey) -> ApiKey:
    """Store this primary key unless there is one; returns the one that is stored."""
    document = await database["keys"].find_one_and_update(
        {"_id": key.id},
        {"$setOnInsert": {name: value for name, value in to_document(key).items() if name != "_id"}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return key if document is None else from_document(ApiKey, document)


# --- Named keys ------------------------------------------------------------------------------------------------------


async def keep_key(database: Database, key: ApiKey) -> None:
    """Store a new key."""
    await database["keys"].insert_one(to_document(key))


async def number_of_keys(database: Database, customer_id: str) -> int:
    """How many keys the customer has, the primary one and those that are revoked included."""
    return await database["keys"].count_documents({"customerId": customer_id})


async def keys_newest_first(database: Database, customer_id: str, *, limit: int, offset: int) -> list[ApiKey]:
    """A page of the customer's keys."""
    found = database["keys"].find({"customerId": customer_id}).sort([("createdAt", DESCENDING), ("_id", DESCENDING)])
    return from_documents(ApiKey, await found.skip(offset).limit(limit).to_list())


async def named_keys_newest_first(database: Database, customer_id: str, *, limit: int, offset: int) -> list[ApiKey]:
    """A page of the customer's keys without the primary one."""
    wanted = {"customerId": customer_id, "_id": {"$ne": primary_key_id(customer_id)}}
    found = database["keys"].find(wanted).sort([("createdAt", DESCENDING), ("_id", DESCENDING)])
    return from_documents(ApiKey, await found.skip(offset).limit(limit).to_list())


async def key_by_id(database: Database, customer_id: str, key_id: str) -> ApiKey | None:
    """The customer's key with this id."""
    document = await database["keys"].find_one({"_id": key_id, "customerId": customer_id})
    return None if document is None else from_document(ApiKey, document)


async def change_key(database: Database, customer_id: str, key_id: str, changes: dict[str, Any]) -> ApiKey | None:
    """Set these fields and return the key as it is then."""
    document = await database["keys"].find_one_and_update(
        {"_id": key_id, "customerId": customer_id}, {"$set": changes}, return_document=ReturnDocument.AFTER
    )
    return None if document is None else from_document(ApiKey, document)


async def rotate_key(
    database: Database, customer_id: str, key_id: str, *, hashed: str, prefix: str, former_until: datetime
) -> ApiKey | None:
    """Give an active key another secret; the one before is good until then."""
    change = {"formerHash": "$hash", "formerUntil": former_until, "hash": hashed, "prefix": {"$literal": prefix}}
    document = await database["keys"].find_one_and_update(
        {"_id": key_id, "customerId": customer_id, "isActive": True},
        [{"$set": change}],
        return_document=ReturnDocument.AFTER,
    )
    return None if document is None else from_document(ApiKey, document)


async def drop_key(database: Database, customer_id: str, key_id: str) -> ApiKey | None:
    """Delete the key, which is returned."""
    document = await database["keys"].find_one_and_delete({"_id": key_id, "customerId": customer_id})
    return None if document is None else from_document(ApiKey, document)


# --- Stream tickets --------------------------------------------------------------------------------------------------


async def keep_ticket(database: Database, ticket: Ticket) -> None:
    """Store a stream ticket."""
    await database.tickets.insert_one(to_document(ticket))


async def use_ticket(database: Database, hashed: str, at: datetime) -> Ticket | None:
    """Take the ticket with this SHA-256, so that nobody else gets it; None when it is used or over."""
    document = await database.tickets.find_one_and_delete({"_id": hashed, "expiresAt": {"$gt": at}})
    return None if document is None else from_document(Ticket, document)
