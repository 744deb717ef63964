"""Sessions in MongoDB: the desired state, which api writes, and the observed one, which it only reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession

from libs.contracts.events import SessionStatus
from libs.contracts.records import SessionRecord, SessionState
from libs.runtime.mongo import Client, Database, from_document, in_transaction, to_document
from services.api.sessions.names import as_stored
from services.api.sessions.owners import OwnerLease
from services.api.times import now

INDEXES: dict[str, list[IndexModel]] = {
    "sessions": [
        IndexModel(
            [("customerId", ASCENDING), ("name", ASCENDING)], unique=True, partialFilterExpression={"live": True}
        ),
        IndexModel([("customerId", ASCENDING), ("live", ASCENDING), ("createdAt", DESCENDING), ("_id", DESCENDING)]),
        IndexModel(
            [("customerId", ASCENDING), ("live", ASCENDING), ("isDefault", DESCENDING), ("createdAt", ASCENDING)]
        ),
        IndexModel([("engine", ASCENDING), ("shard", ASCENDING), ("live", ASCENDING)]),
    ],
}
WITH_STATE: list[dict[str, Any]] = [
    {"$lookup": {"from": "session_states", "localField": "_id", "foreignField": "_id", "as": "state"}},
]

_SHARD_TOKEN = {"$substrBytes": [{"$toString": {"$add": [100, "$shard"]}}, 1, 2]}  # as ids.shard_token
WITH_LEASE: list[dict[str, Any]] = [
    {"$set": {"leaseId": {"$concat": ["sessions/", "$engine", "/", _SHARD_TOKEN]}}},
    {"$lookup": {"from": "leases", "localField": "leaseId", "foreignField": "_id", "as": "lease"}},
]


class LimitReached(Exception):
    """The customer has `used` live sessions, as many as the plan allows: nothing was stored."""

    def __init__(self, used: int) -> None:
        self.used = used
        super().__init__(f"all sessions are in use: {used}")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A session as wanted, and as it is; no state before its owner has written one."""

    record: SessionRecord
    state: SessionState | None = None

    @property
    def status(self) -> SessionStatus:
        """The observed status."""
        return SessionStatus.CREATED if self.state is None else self.state.status


class Waits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """So many messages wait for `reason`, the first of them until `resume_at`."""

    reason: str
    messages: int
    resume_at: datetime | None = None


class Queue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The messages of a session that still have to leave, as sender noted it, and since when the oldest waits."""

    open: int = 0
    oldest_queued_at: datetime | None = None
    waits: list[Waits] = []
    undecided: int = 0
    """Of the open ones, those that wait for `former_number`."""


# --- Reading ---------------------------------------------------------------------------------------------------------


async def live_session(database: Database, customer_id: str, id_or_name: str) -> SessionRecord | None:
    """The customer's live session with this id, else with this name."""
    found = await database.sessions.find(_named(customer_id, id_or_name)).to_list()
    return None if not found else from_document(SessionRecord, _best(found, id_or_name))


async def seen_session(database: Database, customer_id: str, id_or_name: str) -> Seen | None:
    """`live_session` with its observed state, in one read."""
    pipeline = [{"$match": _named(customer_id, id_or_name)}, *WITH_STATE]
    found = [document async for document in await database.sessions.aggregate(pipeline)]
    return None if not found else seen_from(_best(found, id_or_name))


async def state_of(database: Database, session_id: str) -> SessionState | None:
    """The observed state."""
    document = await database.session_states.find_one({"_id": session_id})
    return None if document is None else from_document(SessionState, document)


async def default_session(database: Database, customer_id: str) -> tuple[Seen, OwnerLease | None] | None:
    """The customer's session flagged as default, else the oldest; its state and its owner's lease, in one read."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"customerId": customer_id, "live": True}},
        {"$sort": {"isDefault": -1, "createdAt": 1}},
        {"$limit": 1},
        *WITH_STATE,
        *WITH_LEASE,
    ]
    async for document in await database.sessions.aggregate(pipeline):
        leases = document.pop("lease")
        return seen_from(document), from_document(OwnerLease, leases[0]) if leases else None
    return None


async def sessions_newest_first(
    database: Database,
    customer_id: str,
    *,
    statuses: Sequence[SessionStatus] | None,
    only: Sequence[str] | None,
    limit: int,
    offset: int,
) -> tuple[list[Seen], int | None]:
    """One page of the customer's sessions, and how many the filter lets through (None without one: see the counter)."""
    match: dict[str, Any] = {"customerId": customer_id, "live": True}
    if only is not None:
        match["_id"] = {"$in": list(only)}
    order: dict[str, Any] = {"$sort": {"createdAt": -1, "_id": -1}}
    page: list[dict[str, Any]] = [{"$skip": offset}, {"$limit": limit}]
    if statuses is None and only is None:
        cursor = await database.sessions.aggregate([{"$match": match}, order, *page, *WITH_STATE])
        return [seen_from(document) async for document in cursor], None
    pipeline = [{"$match": match}, *([] if statuses is None else of_statuses(statuses)), order]
    cursor = await database.sessions.aggregate(
        [*pipeline, {"$facet": {"page": [*page, *WITH_STATE], "count": [{"$count": "total"}]}}]
    )
    answer = await anext(aiter(cursor))
    return [seen_from(document) for document in answer["page"]], answer["count"][0]["total"] if answer["count"] else 0


async def session_ids(database: Database, customer_id: str) -> list[str]:
    """Of all sessions that the customer has or had; read off an index."""
    return [row["_id"] async for row in database.sessions.find({"customerId": customer_id}, {"_id": 1})]


async def sessions_in(database: Database, customer_id: str, statuses: Sequence[SessionStatus]) -> int:
    """How many of the customer's live sessions are in one of these states."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"customerId": customer_id, "live": True}},
        *of_statuses(statuses),
        {"$count": "total"},
    ]
    async for found in await database.sessions.aggregate(pipeline):
        return int(found["total"])
    return 0


async def queue_of(database: Database, record: SessionRecord) -> Queue:
    """What of the session's messages still has to leave, as sender noted it."""
    return (await queues_of(database, record.customer_id, [record.id])).get(record.id, Queue())


async def queues_of(database: Database, customer_id: str, session_ids: Sequence[str]) -> dict[str, Queue]:
    """The same for those of these sessions of which sender has noted something, by id."""
    found = database.queue_depths.find({"_id": {"$in": list(session_ids)}, "customerId": customer_id})
    return {row["_id"]: msgspec.convert(row, Queue) async for row in found}


def _named(customer_id: str, id_or_name: str) -> dict[str, Any]:
    own = {"customerId": customer_id, "live": True}
    names = {"$in": list({id_or_name, as_stored(id_or_name)})}  # the first versions stored names as they were written
    return {"$or": [{**own, "_id": id_or_name}, {**own, "name": names}]}  # each side has an index of its own


def _best(found: list[dict[str, Any]], id_or_name: str) -> dict[str, Any]:
    return next((document for document in found if document["_id"] == id_or_name), found[0])


def of_statuses(statuses: Sequence[SessionStatus]) -> list[dict[str, Any]]:
    """Stages that add the observed state and let these pass."""
    observed: list[str | None] = [status.value for status in statuses]
    if SessionStatus.CREATED in statuses:
        observed.append(None)
    return [
        *WITH_STATE,
        {"$set": {"observed": {"$ifNull": [{"$first": "$state.status"}, None]}}},
        {"$match": {"observed": {"$in": observed}}},
    ]


def seen_from(document: dict[str, Any]) -> Seen:
    """The session in a document that went through WITH_STATE."""
    states = document.pop("state", None)
    state = from_document(SessionState, states[0]) if states else None
    return Seen(record=from_document(SessionRecord, document), state=state)


# --- Writing ---------------------------------------------------------------------------------------------------------


async def add_session(client: Client, database: Database, record: SessionRecord, *, limit: int) -> None:
    """Store a new session and count it, both or neither. Raises LimitReached, DuplicateKeyError (name taken)."""

    async def store(session: AsyncClientSession) -> None:
        counted = await database.customers.update_one(
            {"_id": record.customer_id, "sessionsUsed": {"$lt": limit}}, {"$inc": {"sessionsUsed": 1}}, session=session
        )
        if counted.matched_count == 0:
            of_customer = {"_id": record.customer_id}
            customer = await database.customers.find_one(of_customer, {"sessionsUsed": 1}, session=session)
            raise LimitReached((customer or {}).get("sessionsUsed", 0))
        await database.sessions.insert_one(to_document(record), session=session)

    await in_transaction(client, store)


async def remove_session(client: Client, database: Database, customer_id: str, session_id: str) -> SessionRecord | None:
    """The session is wanted no more: out of every list, its name and place free. None when that was so before."""
    at = now()
    gone = {"live": False, "running": False, "deletedAt": at, "updatedAt": at, "isDefault": False}

    async def store(session: AsyncClientSession) -> dict[str, Any] | None:
        document = await database.sessions.find_one_and_update(
            {"_id": session_id, "customerId": customer_id, "live": True},
            {"$set": gone, "$inc": {"version": 1}},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        if document is not None:
            await database.customers.update_one({"_id": customer_id}, {"$inc": {"sessionsUsed": -1}}, session=session)
        return document

    document = await in_transaction(client, store)
    return None if document is None else from_document(SessionRecord, document)


async def change_session(
    database: Database,
    record: SessionRecord,
    *,
    values: dict[str, Any] | None = None,
    raises: Sequence[str] = (),
    unless_raised: bool = False,
) -> SessionRecord | None:
    """Set `values` and raise the counters `raises` by one; returns the session as it is then, None when it is gone.

    With `unless_raised` only if nobody else has raised `starts` since `record` was read; else it is returned as it is.
    Raises DuplicateKeyError (name taken).
    """
    wanted: dict[str, Any] = {"_id": record.id, "customerId": record.customer_id, "live": True}
    if unless_raised:
        wanted["starts"] = record.starts
    update: dict[str, Any] = {"$set": {**(values or {}), "updatedAt": now()}}
    if raises:
        update["$inc"] = dict.fromkeys(raises, 1)
    document = await database.sessions.find_one_and_update(wanted, update, return_document=ReturnDocument.AFTER)
    if document is None and unless_raised:
        return await live_session(database, record.customer_id, record.id)
    return None if document is None else from_document(SessionRecord, document)


async def make_default(client: Client, database: Database, record: SessionRecord) -> None:
    """Flag this session as the customer's default one, and no other."""

    async def store(session: AsyncClientSession) -> None:
        others = {"customerId": record.customer_id, "live": True, "isDefault": True, "_id": {"$ne": record.id}}
        await database.sessions.update_many(others, {"$set": {"isDefault": False}}, session=session)
        await database.sessions.update_one({"_id": record.id}, {"$set": {"isDefault": True}}, session=session)

    await in_transaction(client, store)
