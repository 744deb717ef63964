"""Payments in MongoDB, and their indexes. A payment is added and carried on, never removed and never repriced."""

from __future__ import annotations

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from libs.runtime.mongo import Database, from_document, from_documents
from services.api.accounts.records import Transaction
from services.api.figures.store_counts import how_many

NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
INDEXES: dict[str, list[IndexModel]] = {
    "transactions": [
        IndexModel([("customerId", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("customerId", ASCENDING), ("status", ASCENDING), *NEWEST_FIRST]),
        IndexModel([("status", ASCENDING), *NEWEST_FIRST]),
        IndexModel(NEWEST_FIRST),
    ],
}


async def transactions_of(
    database: Database, customer_id: str, wanted: dict[str, Any], *, limit: int, offset: int
) -> tuple[list[Transaction], int]:
    """One page of the customer's payments, newest first, and how many there are in all."""
    query = {**wanted, "customerId": customer_id}
    cursor = database.transactions.find(query).sort(NEWEST_FIRST)
    rows = await cursor.skip(offset).limit(limit).to_list()
    return from_documents(Transaction, rows), await database.transactions.count_documents(query)


async def transaction_by_id(database: Database, transaction_id: str) -> Transaction | None:
    """The payment with this id, whosever it is."""
    document = await database.transactions.find_one({"_id": transaction_id})
    return None if document is None else from_document(Transaction, document)


async def all_transactions(
    database: Database, wanted: dict[str, Any], *, limit: int, offset: int
) -> tuple[list[Transaction], int]:
    """One page of everybody's payments, newest first, and how many there are in all."""
    cursor = database.transactions.find(wanted).sort(NEWEST_FIRST).skip(offset).limit(limit)
    return from_documents(Transaction, await cursor.to_list()), await how_many(database.transactions, wanted)


async def transactions_by_status(database: Database, customer_id: str) -> dict[str, int]:
    """How many payments of the customer there are, by status."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"customerId": customer_id}},
        {"$group": {"_id": "$status", "count": {"$sum": 1}}},
    ]
    return {row["_id"]: row["count"] async for row in await database.transactions.aggregate(pipeline)}
