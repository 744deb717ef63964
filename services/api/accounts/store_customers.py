"""Customers in MongoDB, with what they have subscribed to, and their indexes."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.collation import Collation, CollationStrength

from libs.contracts.records import Subscription
from libs.runtime.mongo import Client, Database, from_document, from_documents, in_transaction, to_document
from services.api.accounts.records import Account, Customer, User
from services.api.figures.store_counts import how_many

MOST_SUBSCRIPTIONS = 50
"""Of one customer, the newest that are looked at: those before them are long over."""
NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
MOST_FOUND = 1_000
"""Customers that one search finds."""
LAST_LETTER = "\uffff"
BY_LETTERS = Collation(locale="en", strength=CollationStrength.PRIMARY)
"""Compares letters alone: capitals and accents are the same."""
INDEXES: dict[str, list[IndexModel]] = {
    "customers": [
        IndexModel([("name", ASCENDING)], name="name_by_letters", collation=BY_LETTERS),
        IndexModel([("email", ASCENDING)], name="email_by_letters", collation=BY_LETTERS),
        IndexModel([("isDefault", ASCENDING)], unique=True, partialFilterExpression={"isDefault": True}),
        IndexModel(NEWEST_FIRST),
        IndexModel([("suspendedAt", ASCENDING), *NEWEST_FIRST]),
    ],
}


async def customer_by_id(database: Database, customer_id: str) -> Customer | None:
    """The customer with this id."""
    document = await database.customers.find_one({"_id": customer_id})
    return None if document is None else from_document(Customer, document)


async def default_customer(database: Database) -> Customer | None:
    """Whom the single-session endpoints are about; None before the bootstrap."""
    document = await database.customers.find_one({"isDefault": True})
    return None if document is None else from_document(Customer, document)


async def account_of(database: Database, customer_id: str) -> Account | None:
    """The customer with its subscriptions, in one read."""
    async for document in await database.customers.aggregate([{"$match": {"_id": customer_id}}, *WITH_SUBSCRIPTIONS]):
        return account_from(document)
    return None


WITH_SUBSCRIPTIONS: list[dict[str, Any]] = [
    {
        "$lookup": {
            "from": "subscriptions",
            "localField": "_id",
            "foreignField": "customerId",
            "pipeline": [{"$sort": {"startedAt": -1}}, {"$limit": MOST_SUBSCRIPTIONS}],
            "as": "subscriptions",
        }
    },
]
"""Stages that add a customer's subscriptions."""


def account_from(document: dict[str, Any]) -> Account:
    """The account in a document that went through WITH_SUBSCRIPTIONS."""
    subscriptions = document.pop("subscriptions")
    return Account(
        customer=from_document(Customer, document), subscriptions=from_documents(Subscription, subscriptions)
    )


# --- Many, and changes -----------------------------------------------------------------------------------------------


async def customers_newest_first(
    database: Database, *, text: str | None, suspended: bool | None, limit: int, offset: int
) -> tuple[list[Account], int]:
    """A page of the customers with their subscriptions, and how many there are.

    `text` is an id, or begins the name or the e-mail address, whether in capitals or not.
    """
    wanted: dict[str, Any] = {} if suspended is None else {"suspendedAt": {"$ne": None} if suspended else None}
    if text:
        wanted["_id"] = {"$in": [text, *await _ids_called(database, text)]}
    page: list[dict[str, Any]] = [{"$match": wanted}, {"$sort": dict(NEWEST_FIRST)}, {"$skip": offset}]
    cursor = await database.customers.aggregate([*page, {"$limit": limit}, *WITH_SUBSCRIPTIONS])
    return [account_from(document) async for document in cursor], await how_many(database.customers, wanted)


async def _ids_called(database: Database, text: str) -> list[str]:
    """By themselves: under a collation neither a $lookup nor an id would find its index."""
    begins = {"$gte": text, "$lt": text + LAST_LETTER}
    wanted = {"$or": [{"name": begins}, {"email": begins}]}
    found = database.customers.find(wanted, {"_id": 1}, collation=BY_LETTERS).limit(MOST_FOUND)
    return [document["_id"] async for document in found]


async def names_of(database: Database, customer_ids: set[str]) -> dict[str, str]:
    """The names of these customers, by id."""
    cursor = database.customers.find({"_id": {"$in": sorted(customer_ids)}}, {"name": 1})
    return {document["_id"]: document["name"] async for document in cursor} if customer_ids else {}


async def add_customer(client: Client, database: Database, customer: Customer, owner: User) -> None:
    """Store a new customer with its owner, both or neither. Raises DuplicateKeyError (e-mail address taken)."""

    async def store(session: AsyncClientSession) -> None:
        await database.customers.insert_one(to_document(customer), session=session)
        await database.users.insert_one(to_document(owner), session=session)

    await in_transaction(client, store)


async def change_customer(database: Database, customer_id: str, changes: dict[str, Any]) -> Customer | None:
    """Set these fields and return the customer."""
    document = await database.customers.find_one_and_update(
        {"_id": customer_id}, {"$set": changes}, return_document=ReturnDocument.AFTER
    )
    return None if document is None else from_document(Customer, document)
