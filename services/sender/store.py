"""What sender asks of MongoDB: outbox rows and queue depths, every write fenced by the shard's epoch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from pymongo import ASCENDING, InsertOne, UpdateOne
from pymongo.errors import AutoReconnect, BulkWriteError, WTimeoutError

from libs.contracts.content import Action, Content
from libs.contracts.events import SessionStatus
from libs.contracts.numbers import numbers_of
from libs.contracts.records import LinkedNumber, OutboxRow, Pacing
from libs.runtime import logs
from libs.runtime.mongo import Database, Document, from_document, from_documents, to_document
from libs.runtime.shards import Lease, LeaseLost
from services.sender import rows

FINISHED_KEPT_S = 30 * 24 * 3600
"""Finished rows stay this long: a command that comes again meets its row, and nothing old is sent twice."""
ONLINE = (SessionStatus.CONNECTED, SessionStatus.RESTRICTED)
DUPLICATE_KEY = 11000
PRIMARY_GONE = frozenset({91, 189, 10058, 10107, 11600, 11602, 13435, 13436})
"""Codes of a server that steps down or shuts down, as they stand in the errors of a bulk write."""


class Insertion(msgspec.Struct, frozen=True, kw_only=True):
    """New rows of one shard."""

    lease: Lease
    rows: Sequence[OutboxRow]

    @property
    def weight(self) -> int:
        """Rows."""
        return len(self.rows)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Some fields of one row get new values."""

    lease: Lease
    id: str
    fields: dict[str, Any]
    weight: int = 1


class Waits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many messages of a session say that they wait for `reason`, and when the first of them is tried again."""

    reason: str
    messages: int
    resume_at: datetime | None


class Depth(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one session is still to leave."""

    lease: Lease
    session_id: str
    customer_id: str
    open: int
    oldest_queued_at: datetime | None
    waits: Sequence[Waits] = ()
    undecided: int = 0
    """Of the open ones, those that wait for `former_number`."""


class SessionLinks(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `session_states` tells of a session's links."""

    numbers: list[LinkedNumber] | None = None
    phone: str | None = None
    link: int = 1
    linked: bool = False
    linked_at: datetime | None = None


LINKS = dict.fromkeys((field.encode_name for field in msgspec.structs.fields(SessionLinks)), 1)


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What others have stored that concerns how a session may send."""

    pacing: Pacing | None
    linked_at: datetime | None
    restricted: bool
    restricted_until: datetime | None


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What others have stored about a session."""

    connected: bool
    deleted: bool


async def ensure_indexes(database: Database) -> None:
    """Make the indexes; may run twice, and at the same time."""
    outbox = database["outbox"]
    await outbox.create_index(
        [("shard", ASCENDING), ("order", ASCENDING)], name="open", partialFilterExpression={"finishedAt": None}
    )
    await outbox.create_index(
        [("shard", ASCENDING)], name="untold", partialFilterExpression={"untold.0": {"$exists": True}}
    )
    await outbox.create_index(
        [("shard", ASCENDING), ("waId", ASCENDING)],
        name="raised_by_receipt",
        partialFilterExpression={"status": {"$in": list(rows.RAISED_BY_RECEIPT)}},
    )
    await outbox.create_index([("finishedAt", ASCENDING)], name="kept", expireAfterSeconds=FINISHED_KEPT_S)
    first_contacts = database["first_contacts"]
    await first_contacts.create_index([("sessionId", ASCENDING), ("at", ASCENDING)], name="of_session")
    await first_contacts.create_index([("at", ASCENDING)], name="kept", expireAfterSeconds=FINISHED_KEPT_S)
    await database["queue_depths"].create_index([("shard", ASCENDING)], name="shard")


class Store:
    """The queries of sender. Raises PyMongoError while MongoDB is away."""

    def __init__(self, database: Database) -> None:
        self._outbox = database["outbox"]
        self._depths = database["queue_depths"]
        self._states = database["session_states"]
        self._sessions = database["sessions"]
        self._messages = database["messages"]
        self._chats = database["chats"]
        self._first_contacts = database["first_contacts"]

    # --- Group commits -----------------------------------------------------------------------------------------------

    async def insert(self, insertions: Sequence[Insertion]) -> list[frozenset[str]]:
        """Insert new rows; for each insertion, the ids that were there before and stay as they are."""
        documents = [to_document(row) for insertion in insertions for row in insertion.rows]
        present: set[str] = set()
        try:
            await self._outbox.bulk_write([InsertOne(document) for document in documents], ordered=False)
        except BulkWriteError as error:
            present = {documents[position]["_id"] for position in duplicates(error)}
        return [frozenset(row.id for row in insertion.rows if row.id in present) for insertion in insertions]

    async def change(self, changes: Sequence[Change]) -> list[Exception | None]:
        """Carry out the changes in order; LeaseLost for those whose row bears a higher epoch."""
        updates = [
            UpdateOne(
                {"_id": change.id, "epoch": {"$lte": change.lease.epoch}},
                {"$set": {**change.fields, "epoch": change.lease.epoch}},
            )
            for change in changes
        ]
        try:
            result = await self._outbox.bulk_write(updates)
        except BulkWriteError as error:
            duplicates(error)
            raise
        if result.matched_count == len(changes):
            return [None] * len(changes)
        found = self._outbox.find({"_id": {"$in": [change.id for change in changes]}}, {"epoch": 1})
        epochs: dict[str, int] = {document["_id"]: document["epoch"] async for document in found}
        return [
            LeaseLost(change.lease.shard, change.lease.epoch) if epochs.get(change.id, 0) > change.lease.epoch else None
            for change in changes
        ]

    async def forget_told(self, lease: Lease, row_ids: Sequence[str], fact_ids: Sequence[str]) -> None:
        """Remove published facts from their rows. Safe at any time: it takes away nothing else."""
        await self._outbox.update_many(
            {"_id": {"$in": list(row_ids)}, "epoch": {"$lte": lease.epoch}},
            {"$pull": {"untold": {"id": {"$in": list(fact_ids)}}}},
        )

    # --- Taking a shard over -----------------------------------------------------------------------------------------

    async def take_over(self, lease: Lease) -> list[OutboxRow]:
        """Stamp every row that is open or has something to tell, then read them, in lane order.

        Stamped first: what a stale owner wrote before is read, what it writes afterwards is refused. Raises LeaseLost.
        """
        found: dict[str, OutboxRow] = {}
        for unfinished in ({"finishedAt": None}, {"untold.0": {"$exists": True}}):
            of_shard: Document = {"shard": lease.shard, **unfinished}
            await self._outbox.update_many(
                {**of_shard, "epoch": {"$lt": lease.epoch}}, {"$set": {"epoch": lease.epoch}}
            )
            async for document in self._outbox.find(of_shard).sort("order", ASCENDING):
                if (row := _readable(document)) is not None:
                    found[row.id] = row
        if any(row.epoch > lease.epoch for row in found.values()):
            raise LeaseLost(lease.shard, lease.epoch)
        return sorted(found.values(), key=lambda row: row.order)

    async def adopt(self, lease: Lease, ids: Sequence[str]) -> list[OutboxRow]:
        """The same for certain rows: those that an insert found already there. Finished ones are left out."""
        wanted: Document = {
            "_id": {"$in": list(ids)},
            "$or": [{"finishedAt": None}, {"untold.0": {"$exists": True}}],
        }
        await self._outbox.update_many({**wanted, "epoch": {"$lt": lease.epoch}}, {"$set": {"epoch": lease.epoch}})
        adopted = [row async for document in self._outbox.find(wanted) if (row := _readable(document)) is not None]
        if any(row.epoch > lease.epoch for row in adopted):
            raise LeaseLost(lease.shard, lease.epoch)
        return sorted(adopted, key=lambda row: row.order)

    # --- Single rows -------------------------------------------------------------------------------------------------

    async def row(self, message_id: str) -> OutboxRow | None:
        """The row of a message."""
        document = await self._outbox.find_one({"_id": message_id})
        return None if document is None else from_document(OutboxRow, document)

    async def content_of(self, message_id: str) -> Content | Action | None:
        """What a message says."""
        row = await self.row(message_id)
        return None if row is None else row.content

    async def unsent_by_wa_id(self, shard: int, wa_ids: Sequence[str]) -> list[OutboxRow]:
        """Rows that ended unsent, by WhatsApp's ids."""
        unsent: Document = {
            "shard": shard,
            "waId": {"$in": list(wa_ids)},
            "status": {"$in": list(rows.RAISED_BY_RECEIPT)},
        }
        return from_documents(OutboxRow, [document async for document in self._outbox.find(unsent)])

    async def reopen(self, lease: Lease, before: OutboxRow, after: OutboxRow) -> bool:
        """Change a finished row, unless it is no longer what it was `before`. Raises LeaseLost."""
        result = await self._outbox.update_one(
            {"_id": before.id, "epoch": {"$lte": lease.epoch}, "status": before.status, "order": before.order},
            {"$set": {**rows.changes(before, after), "epoch": lease.epoch}},
        )
        if result.matched_count:
            return True
        now = await self.row(before.id)
        if now is not None and now.epoch > lease.epoch:
            raise LeaseLost(lease.shard, lease.epoch)
        return False

    # --- Other services' records -------------------------------------------------------------------------------------

    async def observed(self, session_id: str) -> Observed:
        """What the owner of the session last stored about it, and whether its customer has deleted it."""
        session = await self._sessions.find_one({"_id": session_id}, {"live": 1})
        state = await self._states.find_one({"_id": session_id}, {"status": 1})
        return Observed(
            connected=state is not None and state["status"] in ONLINE,
            deleted=session is not None and session.get("live") is False,
        )

    async def ways_of(self, session_id: str) -> Ways:
        """The session's own pace, the age of its link, and WhatsApp's restriction."""
        session = await self._sessions.find_one({"_id": session_id}, {"pacing": 1}) or {}
        state = await self._states.find_one({"_id": session_id}, {"status": 1, "resumeAt": 1, "linkedAt": 1}) or {}
        own = session.get("pacing")
        return Ways(
            pacing=None if own is None else from_document(Pacing, own),
            linked_at=_utc(state.get("linkedAt")),
            restricted=state.get("status") == SessionStatus.RESTRICTED,
            restricted_until=_utc(state.get("resumeAt")),
        )

    async def numbers_of(self, session_id: str) -> list[LinkedNumber]:
        """The numbers that the session was linked to, oldest first."""
        state = await self._states.find_one({"_id": session_id}, LINKS)
        return [] if state is None else numbers_of(from_document(SessionLinks, state))

    async def knows(self, session_id: str, to: str) -> bool:
        """Whether the session has reached this contact before, or the contact has written to it, under any address."""
        if await self._first_contacts.find_one({"_id": f"{session_id}/{to}"}, {"_id": 1}) is not None:
            return True
        spoken: Document = {
            "sessionId": session_id,
            "chat": {"$in": await self._addresses_of(session_id, to)},
            "$or": [{"direction": "in"}, {"sentAt": {"$ne": None}}],
        }
        return await self._messages.find_one(spoken, {"_id": 1}) is not None

    async def _addresses_of(self, session_id: str, to: str) -> list[str]:
        """How messages show this contact: as it is asked for, and as its chat is known besides."""
        chat = await self._chats.find_one({"keys": f"{session_id}/{to}", "mergedInto": None}, {"keys": 1}) or {}
        keys: list[str] = chat.get("keys", [])
        jids = [to, *(key.removeprefix(f"{session_id}/") for key in keys)]
        return list(dict.fromkeys(jid.removesuffix(rows.PHONE_JID) for jid in jids))

    # --- First contacts ----------------------------------------------------------------------------------------------

    async def first_contacts(self, session_id: str, since: datetime) -> list[datetime]:
        """When this session reached somebody new, oldest first."""
        found = self._first_contacts.find({"sessionId": session_id, "at": {"$gt": since}}, {"at": 1}).sort("at", 1)
        return [document["at"].replace(tzinfo=UTC) async for document in found]

    async def note_first_contact(self, session_id: str, to: str, at: datetime) -> None:
        """Remember it; the second time changes nothing."""
        await self._first_contacts.update_one(
            {"_id": f"{session_id}/{to}"}, {"$setOnInsert": {"sessionId": session_id, "at": at}}, upsert=True
        )

    # --- Queue depths ------------------------------------------------------------------------------------------------

    async def write_depths(self, depths: Sequence[Depth]) -> None:
        """Note how much is still to leave; a depth under a higher epoch stays."""
        updates = [
            UpdateOne(
                {"_id": depth.session_id, "epoch": {"$lte": depth.lease.epoch}},
                {
                    "$set": {
                        "customerId": depth.customer_id,
                        "shard": depth.lease.shard,
                        "open": depth.open,
                        "oldestQueuedAt": depth.oldest_queued_at,
                        "waits": [msgspec.to_builtins(each, builtin_types=(datetime,)) for each in depth.waits],
                        "undecided": depth.undecided,
                        "epoch": depth.lease.epoch,
                    }
                },
                upsert=True,
            )
            for depth in depths
        ]
        try:
            await self._depths.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            duplicates(error)

    async def zero_depths(self, lease: Lease, *, but: Sequence[str]) -> None:
        """At a take-over: the sessions that have nothing open."""
        await self._depths.update_many(
            {"shard": lease.shard, "_id": {"$nin": list(but)}, "epoch": {"$lte": lease.epoch}, "open": {"$gt": 0}},
            {"$set": {"open": 0, "oldestQueuedAt": None, "waits": [], "undecided": 0, "epoch": lease.epoch}},
        )


def _utc(stored: datetime | None) -> datetime | None:
    return None if stored is None else stored.replace(tzinfo=UTC)


def _readable(document: Document) -> OutboxRow | None:
    """The row, unless another release has written what this one cannot read: it must not stop its whole shard."""
    try:
        return from_document(OutboxRow, document)
    except msgspec.ValidationError as error:
        logs.get().error("an outbox row is left alone", message=document["_id"], error=str(error)[:200])
        return None


def duplicates(error: BulkWriteError) -> list[int]:
    """The positions of the documents that were there already; raises what else went wrong, for what it is."""
    details: Any = error.details
    if details.get("writeConcernErrors"):
        raise WTimeoutError("a bulk write was not acknowledged by a majority") from error
    faults: list[dict[str, Any]] = details["writeErrors"]
    if any(fault["code"] in PRIMARY_GONE for fault in faults):
        raise AutoReconnect("the primary is going away") from error
    if any(fault["code"] != DUPLICATE_KEY for fault in faults):
        raise error
    return [int(fault["index"]) for fault in faults]
