"""What pages read besides what the API's own routes read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from libs.contracts.events import SessionStatus
from libs.contracts.records import MessageRow
from libs.runtime.mongo import Database
from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.chats import store_chats
from services.api.context import Edge
from services.api.dashboard.rendering import Clock
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import Language
from services.api.figures import days
from services.api.messages.replies import chat_of, sender_of
from services.api.sessions import store_sessions
from services.api.sessions.store_sessions import Seen

MOST_DEVICES = 200
"""That a form offers to choose from."""


async def session_names(database: Database, customer_id: str, session_ids: Collection[str]) -> dict[str, str]:
    """The names of these sessions by id, of deleted ones too."""
    wanted = {"_id": {"$in": list(session_ids)}, "customerId": customer_id}
    found = database.sessions.find(wanted, {"name": 1}) if session_ids else None
    return {} if found is None else {row["_id"]: str(row["name"]) async for row in found}


async def devices_to_choose(database: Database, caller: Caller) -> list[Seen]:
    """The devices that the caller may use, newest first."""
    seen, _ = await store_sessions.sessions_newest_first(
        database, caller.customer_id, statuses=None, only=caller.session_ids, limit=MOST_DEVICES, offset=0
    )
    return seen


async def contact_names(database: Database, customer_id: str, rows: Sequence[MessageRow]) -> dict[str, str]:
    """What the other side of each message calls itself, by message id: in a group, who wrote it."""
    keys = {row.message_id: f"{row.session_id}/{sender_of(row) or chat_of(row)}" for row in rows if row.message_id}
    names = await store_chats.names_under(database, customer_id, list(keys.values())) if keys else {}
    return {message_id: names[key] for message_id, key in keys.items() if key in names}


async def clock_of(edge: Edge, customer_id: str, language: Language) -> Clock:
    """The customer's clock."""
    customer = await store_customers.customer_by_id(edge.database, customer_id)
    return Clock(days.zone_of(customer.time_zone if customer else "UTC"), language)


async def operators_clock(edge: Edge, language: Language) -> Clock:
    """The clock of the platform's users, who have no customer: that of the deployment's first one."""
    customer = await store_customers.default_customer(edge.database)
    return Clock(days.zone_of(customer.time_zone if customer else "UTC"), language)


async def clock_for(edge: Edge, visitor: Visitor, language: Language) -> Clock:
    """The clock of whoever looks."""
    customer_id = visitor.user.customer_id
    return await (operators_clock(edge, language) if customer_id is None else clock_of(edge, customer_id, language))


async def sessions_by_status(database: Database, customer_id: str) -> dict[SessionStatus, int]:
    """How many of the customer's sessions are in each state."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"customerId": customer_id, "live": True}},
        {"$lookup": {"from": "session_states", "localField": "_id", "foreignField": "_id", "as": "state"}},
        {"$group": {"_id": {"$ifNull": [{"$first": "$state.status"}, "created"]}, "count": {"$sum": 1}}},
    ]
    return {SessionStatus(row["_id"]): int(row["count"]) async for row in await database.sessions.aggregate(pipeline)}
