"""What the single-session admin dashboard counts and pages through. Only reads; what they cost is bounded."""

from __future__ import annotations

from collections.abc import Sequence

from libs.contracts.records import MessageRow
from libs.runtime.mongo import Database, Document, from_documents
from services.api.messages.admin_messages import PENDING, QUEUED, STATUSES
from services.api.messages.store_messages import FOR_SCHEDULE, NEWEST_FIRST

MOST_PAGED = 10_000
"""The newest so many can be paged through by number; older ones are in `GET /messages`, whose pages have cursors."""
MOST_COUNTED = 100_000
_TELLABLE: Document = {"messageId": {"$type": "string"}}


async def sent_messages(
    database: Database, customer_id: str, status: str | None, *, page: int, limit: int
) -> tuple[list[MessageRow], int]:
    """The page with this number, from 1, of what the customer sent, newest first; and how many there are.

    `status`: one of `STATUSES`; None for all. The number stops at MOST_PAGED.
    """
    condition = sent_listing(customer_id, status)
    found = database.messages.find(condition).sort(NEWEST_FIRST).skip((page - 1) * limit).limit(limit)
    rows = from_documents(MessageRow, await found.to_list())
    return rows, await database.messages.count_documents(condition, limit=MOST_PAGED)


async def messages_in(database: Database, customer_id: str, status: str) -> int:
    """How many of the customer's messages are in this status of `STATUSES`; counted up to MOST_COUNTED."""
    return await database.messages.count_documents(_sent(customer_id, status), limit=MOST_COUNTED)


def sent_listing(customer_id: str, status: str | None) -> Document:
    """The condition of the list of what was sent; a page is read off an index, in its order."""
    return {**_sent(customer_id, status), "direction": "out", **_TELLABLE}


def _sent(customer_id: str, status: str | None) -> Document:
    """What was sent: no message that came in has one of these statuses."""
    if status is None:
        return {"customerId": customer_id}
    condition: Document = {"customerId": customer_id, "status": _one_of(STATUSES[status])}
    if status == PENDING:
        condition["$or"] = [{"status": "sending"}, {"waitingFor": FOR_SCHEDULE}]
    elif status == QUEUED:
        condition["waitingFor"] = {"$ne": FOR_SCHEDULE}
    return condition


def _one_of(statuses: Sequence[str]) -> str | Document:
    return statuses[0] if len(statuses) == 1 else {"$in": list(statuses)}
