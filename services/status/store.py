"""What status keeps in MongoDB: `messages` and two logs, read and written many rows at a time, under the fence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple, fields
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, OperationFailure

from libs.contracts.records import MessageRow, Record
from libs.contracts.words import words_of
from libs.runtime.mongo import Database, Document, from_document, to_document
from services.status.notices import NoticeLogEntry
from services.status.sessions import Mark, SessionLogEntry

DAY_S = 24 * 3600
SESSION_LOG_DAYS = 7
DUPLICATE_KEY = 11000
OPTIONS_CONFLICT = 85
ABSENT = (26, 27)
"""The collection is not there, or the index."""
EXPIRY = "retention"
FEW = 16
"""New rows that go with the updates in one command: a command costs more than the dearer way of making so many rows."""
STORED_NAMES = [field.encode_name for field in fields(MessageRow)]
SAID = frozenset({"text", "caption", "fileName"})
"""The fields that hold the words of a message."""
MANY_OF_ONE_ID = 3


class RowsMoved(Exception):
    """Some rows are not as they were read: read them again."""


class Change(NamedTuple):
    """A row as it was read (None: it did not exist) and as it shall be, under the epoch of its shard's owner."""

    before: MessageRow | None
    after: MessageRow
    epoch: int


class StatusStore:
    """The collections of the projection."""

    def __init__(self, database: Database) -> None:
        self._messages: AsyncCollection[Document] = database["messages"]
        self._session_log: AsyncCollection[Document] = database["session_log"]
        self._notice_log: AsyncCollection[Document] = database["notice_log"]

    async def messages(self, ids: Collection[str], wa_ids: Collection[tuple[str, str]] = ()) -> dict[str, MessageRow]:
        """The rows that exist, by `_id`: those with these ids, and those that came in with this (session, WhatsApp id).

        There may be several of one WhatsApp id: its sender chose it.
        """
        wanted = [*_with_ids(ids), *_that_came_in(wa_ids)]
        if not wanted:
            return {}
        query = wanted[0] if len(wanted) == 1 else {"$or": wanted}
        found = self._messages.find(query, batch_size=len(ids) + MANY_OF_ONE_ID * len(wa_ids) + 1)
        return {row["_id"]: from_document(MessageRow, row) async for row in found}

    async def write_messages(self, changes: Sequence[Change]) -> None:
        """Store these changes, each on the condition that no later owner has written the row.

        Raises RowsMoved when a row was made, deleted or taken by a later owner meanwhile. Then, and after any other
        error, some may be stored and some not.
        """
        if not changes:
            return
        updates = [_update(each.before, each.after, each.epoch) for each in changes if each.before is not None]
        new = [_document(each.after, each.epoch) for each in changes if each.before is None]
        inserts = [InsertOne(row) if len(new) > FEW else _insert_as_update(row) for row in new]
        try:
            result = await self._messages.bulk_write([*inserts, *updates], ordered=False)
        except BulkWriteError as error:
            if is_taken_id(error):
                raise RowsMoved from error
            raise
        if result.matched_count != len(updates):
            raise RowsMoved  # by a later owner, which reading tells, or gone by retention

    async def logged(self, fact_ids: Iterable[str]) -> dict[str, SessionLogEntry]:
        """The log's entries for these facts, by fact id."""
        found = self._session_log.find({"_id": {"$in": list(fact_ids)}})
        return {entry["_id"]: from_document(SessionLogEntry, entry) async for entry in found}

    async def marks_before(self, session_ids: Iterable[str], seq: int) -> dict[str, Mark]:
        """The highest (epoch, connection) that facts before `seq` have shown of each of these sessions."""
        marks: dict[str, Mark] = {}
        found = self._session_log.find(
            {"sessionId": {"$in": list(session_ids)}, "factSeq": {"$lt": seq}},
            {"sessionId": 1, "epoch": 1, "connection": 1},
        )
        async for entry in found:
            mark = (entry["epoch"], entry["connection"])
            marks[entry["sessionId"]] = max(mark, marks.get(entry["sessionId"], mark))
        return marks

    async def append_to_log(self, entries: list[SessionLogEntry]) -> None:
        """Store these entries. Raises RowsMoved when one of them is there already."""
        await _append(self._session_log, entries)

    async def logged_notices(self, fact_ids: Iterable[str]) -> dict[str, NoticeLogEntry]:
        """The log's entries for these facts about customers, by fact id."""
        found = self._notice_log.find({"_id": {"$in": list(fact_ids)}})
        return {entry["_id"]: from_document(NoticeLogEntry, entry) async for entry in found}

    async def append_notices(self, entries: list[NoticeLogEntry]) -> None:
        """Store these entries. Raises RowsMoved when one of them is there already."""
        await _append(self._notice_log, entries)


async def _append(log: AsyncCollection[Document], entries: Sequence[Record]) -> None:
    if not entries:
        return
    try:
        await log.insert_many([to_document(entry) for entry in entries], ordered=False)
    except BulkWriteError as error:
        if is_taken_id(error):
            raise RowsMoved from error
        raise


def _with_ids(ids: Collection[str]) -> list[Document]:
    return [{"_id": {"$in": list(ids)}}] if ids else []


def _that_came_in(wa_ids: Collection[tuple[str, str]]) -> list[Document]:
    by_session: dict[str, list[str]] = {}
    for session, wa_id in wa_ids:
        by_session.setdefault(session, []).append(wa_id)
    return [{"sessionId": session, "waId": {"$in": ids}, "direction": "in"} for session, ids in by_session.items()]


def _document(row: MessageRow, epoch: int) -> Document:
    return {**to_document(row), "words": _words(row), "epoch": epoch}


def _words(row: MessageRow) -> list[str]:
    """What the message is found by; no field of the row, for nobody reads it."""
    return words_of(row.text, row.caption, row.file_name)


def _insert_as_update(row: Document) -> ReplaceOne[Document]:
    """Fails with a duplicate key when the row is there: the condition holds for none."""
    return ReplaceOne({"_id": row["_id"], "epoch": {"$lt": 0}}, row, upsert=True)


def _update(before: MessageRow, after: MessageRow, epoch: int) -> UpdateOne:
    fields_of_both = zip(STORED_NAMES, astuple(before), astuple(after), strict=True)
    changed = {name: new for name, old, new in fields_of_both if new is not old and new != old}
    document: Document = msgspec.to_builtins(changed, builtin_types=(datetime, bytes))
    document["epoch"] = epoch
    if not SAID.isdisjoint(changed):
        document["words"] = _words(after)
    return UpdateOne({"_id": after.id, "epoch": {"$lte": epoch}}, {"$set": document})


def is_taken_id(error: BulkWriteError) -> bool:
    """Whether all that went wrong is that some `_id`s exist already."""
    details: dict[str, Any] = dict(error.details or {})
    faults: list[dict[str, Any]] = details.get("writeErrors", [])
    return bool(faults) and all(
        fault.get("code") == DUPLICATE_KEY and "_id" in fault.get("keyPattern", {}) for fault in faults
    )


# --- Indexes ---------------------------------------------------------------------------------------------------------


NEWEST_FIRST = [("createdAt", DESCENDING), ("_id", DESCENDING)]
LISTED_BY = [
    [("customerId", ASCENDING)],
    [("customerId", ASCENDING), ("status", ASCENDING)],
    [("customerId", ASCENDING), ("direction", ASCENDING)],
    [("customerId", ASCENDING), ("type", ASCENDING)],
    [("customerId", ASCENDING), ("chat", ASCENDING)],
    [("customerId", ASCENDING), ("words", ASCENDING)],
    [("sessionId", ASCENDING)],
    [("sessionId", ASCENDING), ("status", ASCENDING)],
    [("sessionId", ASCENDING), ("chat", ASCENDING)],
]
"""By what messages are looked for. In the order of the list, so that a page is read off the index, wherever it begins:
what else is asked for is looked up in the rows."""

SUPERSEDED = (
    "customerId_1_status_1_createdAt_-1_direction_1",
    "sessionId_1_status_1_createdAt_-1_direction_1",
    "sessionId_1_chat_1_createdAt_-1",
)
"""Version 0.1 made them; they would cost every write, and serve nothing."""


async def ensure_indexes(database: Database, *, message_days: int) -> None:
    """Make the indexes of these collections. May run twice, and at the same time."""
    await _drop(database, "messages", SUPERSEDED)
    await database["messages"].create_indexes(
        [
            *(IndexModel([*those, *NEWEST_FIRST]) for those in LISTED_BY),
            IndexModel([("sessionId", ASCENDING), ("waId", ASCENDING)], partialFilterExpression={"direction": "in"}),
            IndexModel(
                [("messageId", ASCENDING)], unique=True, partialFilterExpression={"messageId": {"$type": "string"}}
            ),
        ]
    )
    await database["session_log"].create_indexes([IndexModel([("sessionId", ASCENDING), ("factSeq", ASCENDING)])])
    await expire(database, "messages", "createdAt", message_days)
    await expire(database, "session_log", "at", SESSION_LOG_DAYS)
    await expire(database, "notice_log", "at", SESSION_LOG_DAYS)


async def _drop(database: Database, collection: str, names: Iterable[str]) -> None:
    for name in names:
        try:
            await database[collection].drop_index(name)
        except OperationFailure as error:
            if error.code not in ABSENT:
                raise


async def expire(database: Database, collection: str, field: str, days: int) -> None:
    """Have MongoDB delete what is older; an index with another time is changed."""
    seconds = days * DAY_S
    try:
        await database[collection].create_index(field, name=EXPIRY, expireAfterSeconds=seconds)
    except OperationFailure as error:
        if error.code != OPTIONS_CONFLICT:
            raise
        await database.command("collMod", collection, index={"name": EXPIRY, "expireAfterSeconds": seconds})
