"""A customer's ledger, as sender keeps it (read only), and the threshold of the customer's own."""

from __future__ import annotations

from pymongo import DESCENDING

from libs.contracts.credits import LedgerEntry
from libs.runtime.mongo import Database, Document, from_document, from_documents


async def last_entry(database: Database, customer_id: str) -> LedgerEntry | None:
    """The last row of the customer's ledger, which says what all come to; None before anything was booked."""
    document = await database.ledger.find_one({"customerId": customer_id}, sort=[("number", DESCENDING)])
    return None if document is None else from_document(LedgerEntry, document)


async def entries_newest_first(
    database: Database, customer_id: str, *, message_id: str | None, before: int | None, limit: int
) -> list[LedgerEntry]:
    """So many rows of the ledger with a lower number than `before`; those of one message when it is given."""
    if message_id is not None:
        own: Document = {"_id": {"$gte": f"{message_id}/", "$lt": f"{message_id}0"}, "customerId": customer_id}
        rows = from_documents(LedgerEntry, await database.ledger.find(own).to_list())
        below = [row for row in rows if before is None or row.number < before]
        return sorted(below, key=lambda row: row.number, reverse=True)[:limit]
    wanted: Document = {"customerId": customer_id}
    if before is not None:
        wanted["number"] = {"$lt": before}
    found = database.ledger.find(wanted).sort([("number", DESCENDING)]).limit(limit)
    return from_documents(LedgerEntry, await found.to_list())


async def entry_of_grant(database: Database, customer_id: str, grant_id: str) -> LedgerEntry | None:
    """What was booked for this grant; None when nothing was yet."""
    document = await database.ledger.find_one({"_id": f"{customer_id}/{grant_id}/grant", "customerId": customer_id})
    return None if document is None else from_document(LedgerEntry, document)


async def threshold_of(database: Database, customer_id: str) -> int | None:
    """The threshold of the customer's own; None: the deployment's."""
    document = await database.customers.find_one({"_id": customer_id}, {"creditsThreshold": 1})
    return None if document is None else document.get("creditsThreshold")


async def set_threshold(database: Database, customer_id: str, threshold: int | None) -> None:
    """Warn the customer below this balance; None: below the deployment's."""
    await database.customers.update_one({"_id": customer_id}, {"$set": {"creditsThreshold": threshold}})
