"""What the groups are called in which a customer's numbers are, as WhatsApp last told it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import DuplicateKeyError

from libs.contracts.calls import Group
from libs.runtime.mongo import Database, Document

KEPT = timedelta(days=90)
NAMED_FOR = timedelta(days=1)
"""How long a subject is taken to be still the same."""
NAMELESS_FOR = timedelta(hours=1)
INDEXES: dict[str, list[IndexModel]] = {
    "groups": [IndexModel([("askedAt", ASCENDING)], expireAfterSeconds=int(KEPT.total_seconds()))],
}


async def subjects_by_jid(database: Database, customer_id: str, jids: Collection[str]) -> dict[str, str]:
    """The subjects of those of these groups that are known."""
    if not jids:
        return {}
    wanted = {"_id": {"$in": [_id(customer_id, jid) for jid in jids]}, "subject": {"$ne": None}}
    found = database.groups.find(wanted, {"subject": 1})
    return {_jid_of(row): str(row["subject"]) async for row in found}


async def groups_called(database: Database, customer_id: str, text: str, *, most: int) -> list[str]:
    """The JIDs of at most so many of the customer's groups whose subject holds this text, however it is spelt."""
    ours = {"$gte": f"{customer_id}/", "$lt": f"{customer_id}0"}  # "0" is what comes behind "/"
    wanted = {"_id": ours, "subject": {"$regex": re.escape(text), "$options": "i"}}
    return [_jid_of(row) async for row in database.groups.find(wanted, {"_id": 1}).limit(most)]


async def keep_subjects(database: Database, customer_id: str, groups: Sequence[Group], at: datetime) -> None:
    """These are the groups' subjects now."""
    if groups:
        await database.groups.bulk_write(
            [
                UpdateOne(
                    {"_id": _id(customer_id, group.jid)},
                    {"$set": {"subject": group.subject, "askedAt": at}},
                    upsert=True,
                )
                for group in groups
            ],
            ordered=False,
        )


async def may_ask(database: Database, customer_id: str, jid: str, at: datetime) -> bool:
    """Whether it is time to ask WhatsApp what this group is called. A yes is given to one alone, who then asks."""
    due: list[dict[str, Any]] = [
        {"subject": None, "askedAt": {"$lt": at - NAMELESS_FOR}},
        {"askedAt": {"$lt": at - NAMED_FOR}},
    ]
    try:
        await database.groups.update_one(
            {"_id": _id(customer_id, jid), "$or": due}, {"$set": {"askedAt": at}}, upsert=True
        )
    except DuplicateKeyError:
        return False
    return True


def _jid_of(row: Document) -> str:
    return str(row["_id"]).partition("/")[2]


def _id(customer_id: str, jid: str) -> str:
    return f"{customer_id}/{jid}"
