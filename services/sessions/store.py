"""What sessions keeps in MongoDB: the observed state of each session; and what it reads of the customers' wishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from libs.contracts.events import SessionStatus
from libs.contracts.records import SessionRecord, SessionState
from libs.runtime.mongo import Database, from_document, to_document
from libs.runtime.shards import Lease, LeaseLost
from services.sessions.evidence import Times
from services.sessions.lifecycle import OWNER_CHANGED

UNLINK_FOR = timedelta(hours=24)
EVIDENCE = ("lastSeenAt", "lastAckAt")
"""Times that are noted beside the state and only rise: a state that is saved holds those of its last connection."""


class SessionStore:
    """`session_states` of one shard under one lease, and the wishes in `sessions`. Every write is fenced."""

    def __init__(self, database: Database, *, network: str, lease: Lease) -> None:
        self._states, self._wishes = database["session_states"], database["sessions"]
        self._network, self._lease = network, lease

    @staticmethod
    async def ensure_indexes(database: Database) -> None:
        """Make the indexes that the queries here need. May run twice."""
        await database["session_states"].create_index([("network", 1), ("shard", 1)])
        await database["session_states"].create_index("customerId")

    async def take_over(self) -> None:
        """Stamp our epoch on every state of the shard: from now on a former owner's writes are refused.

        The same write says `reconnecting` of the sessions whose sockets the former owner held, with its fact: nobody
        reads `connected` of a session without a socket longer than the take-over itself takes.
        """
        await self._states.update_many(
            {"network": self._network, "shard": self._lease.shard, "epoch": {"$lt": self._lease.epoch}},
            [{"$set": _taken_over(self._lease.epoch)}],
        )

    async def states_of_the_shard(self) -> dict[str, SessionState]:
        """Every observed state that still has something to do, by session."""
        query = {"network": self._network, "shard": self._lease.shard, "cleaned": False}
        return {doc["_id"]: from_document(SessionState, doc) async for doc in self._states.find(query)}

    async def wishes_of_the_shard(self) -> dict[str, SessionRecord]:
        """What customers want of the sessions of this shard, those deleted lately included."""
        lately = datetime.now(UTC) - UNLINK_FOR - timedelta(hours=1)
        query = {
            "shard": self._lease.shard,
            "engine": self._network,
            "$or": [{"live": True}, {"deletedAt": {"$gt": lately}}],
        }
        return {doc["_id"]: from_document(SessionRecord, doc) async for doc in self._wishes.find(query)}

    async def wish_of(self, session_id: str) -> SessionRecord | None:
        """What the customer wants of this session."""
        doc = await self._wishes.find_one({"_id": session_id, "engine": self._network})
        return from_document(SessionRecord, doc) if doc else None

    async def is_cleaned(self, session_id: str) -> bool:
        """Whether the session was deleted and nothing is left to do for it."""
        return await self._states.find_one({"_id": session_id, "cleaned": True}, {"_id": 1}) is not None

    async def save(self, state: SessionState) -> None:
        """Write the state. Raises LeaseLost when a higher epoch has written it."""
        fields = to_document(state)
        del fields["_id"]
        evidence = {name: at for name in EVIDENCE if (at := fields.pop(name)) is not None}
        change = {"$set": fields} | ({"$max": evidence} if evidence else {})
        try:
            await self._states.update_one({"_id": state.id, "epoch": {"$lte": self._lease.epoch}}, change, upsert=True)
        except DuplicateKeyError as error:
            raise LeaseLost(self._lease.shard, self._lease.epoch) from error

    async def note_evidence(self, evidence: Times) -> None:
        """Write times of last frames and acks, by session; those of a lost session go nowhere."""
        if not evidence:
            return
        writes = [
            UpdateOne({"_id": session_id, "epoch": self._lease.epoch}, {"$max": fields})
            for session_id, fields in evidence.items()
        ]
        try:
            await self._states.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            raise LeaseLost(self._lease.shard, self._lease.epoch) from error


def _taken_over(epoch: int) -> dict[str, Any]:
    """The fields of a state that its new owner changes at once, as an update pipeline's expressions."""
    was_online = {"$in": ["$status", [SessionStatus.CONNECTED.value, SessionStatus.RESTRICTED.value]]}
    fact = {
        "kind": "SessionChanged",
        "id": {"$concat": ["$_id", f"-{epoch}-taken-over"]},
        "customerId": "$customerId",
        "sessionId": "$_id",
        "at": "$$NOW",
        "update": "reconnecting",
        "status": SessionStatus.RECONNECTING.value,
        "epoch": epoch,
        "connection": "$connection",
        "reason": OWNER_CHANGED,
        "phone": "$phone",
    }
    changes: dict[str, Any] = {
        "status": SessionStatus.RECONNECTING.value,
        "reason": OWNER_CHANGED,
        "cause": None,
        "resumeAt": None,
        "degraded": False,
        "untold": {"$concatArrays": [{"$ifNull": ["$untold", []]}, [fact]]},
        "updatedAt": "$$NOW",
    }
    changed = {field: {"$cond": [was_online, value, f"${field}"]} for field, value in changes.items()}
    return {"epoch": epoch} | changed
