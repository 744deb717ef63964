"""Messages as customers read them: the rows of status, and before there is one, those of sender. Only reads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from datetime import datetime
from operator import itemgetter
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from libs.contracts.content import (
    Action,
    Content,
    Context,
    Media,
    caption_of,
    details_of,
    file_name_of,
    media_id_of,
    text_of,
    type_of,
)
from libs.contracts.records import HistoryEntry, MessageRow, OutboxRow, SessionRecord
from libs.contracts.views import message_view
from libs.runtime.mongo import Database, Document, from_document
from services.api.times import iso
from services.api.web.cursors import behind, cursor_behind

PERSON = "@s.whatsapp.net"
MOST_COUNTED = 1_000_000
COMMON = 20_000
"""Messages that have a word; of those that have more it does not matter by which the index is entered."""
FOR_SCHEDULE = "schedule"
"""`waitingFor` of a message whose time has not come."""
FOR_FORMER_NUMBER = "former_number"
"""`waitingFor` of a message that was queued under a number that is linked no more."""
NEWEST_FIRST = [("createdAt", -1), ("_id", -1)]
_TELLABLE: Document = {"messageId": {"$type": "string"}}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages are listed; None lets all through. `sessions`: ids; `since` and `until` bound `createdAt`."""

    customer_id: str
    sessions: tuple[str, ...] | None = None
    status: str | None = None
    direction: Literal["in", "out"] | None = None
    type: str | None = None
    chat: str | None = None
    chat_aliases: tuple[str, ...] = ()
    """Further addresses of that chat: who was met by LID before the number was known has both."""
    words: tuple[str, ...] = ()
    """All of them are in what the message says, as `libs/contracts/words.py` cuts it."""
    prefix: str | None = None
    """A word begins with it."""
    since: datetime | None = None
    until: datetime | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, newest first, and where the next page begins; None at the end."""

    rows: list[MessageRow]
    next: str | None


# --- One message -----------------------------------------------------------------------------------------------------


async def message_by_id(database: Database, message_id: str) -> MessageRow | None:
    """The row of status."""
    found = await database.messages.find_one({"messageId": message_id})
    return None if found is None else from_document(MessageRow, found)


async def outbox_row(database: Database, message_id: str) -> OutboxRow | None:
    """The row of sender."""
    found = await database.outbox.find_one({"_id": message_id})
    return None if found is None else from_document(OutboxRow, found)


async def known_row(database: Database, message_id: str) -> MessageRow | None:
    """The row of status, else what it will make of that of sender."""
    row = await message_by_id(database, message_id)
    if row is not None:
        return row
    early = await outbox_row(database, message_id)
    return None if early is None or not is_message(early) else row_before_status(early)


async def ended_rows(database: Database, ids: list[str]) -> int:
    """How many of these rows of sender have ended, one way or the other."""
    return await database.outbox.count_documents({"_id": {"$in": ids}, "finishedAt": {"$ne": None}})


async def undecided_messages(database: Database, session: SessionRecord) -> int:
    """How many messages of the session wait for `former_number`."""
    waiting: Document = {"sessionId": session.id, "customerId": session.customer_id, "waitingFor": FOR_FORMER_NUMBER}
    return await database.outbox.count_documents({"shard": session.shard, "finishedAt": None, **waiting})


# --- Many ------------------------------------------------------------------------------------------------------------


async def messages_newest_first(database: Database, wanted: Wanted, *, after: str | None, limit: int) -> Page:
    """A page of the messages that are wanted. Raises ValueError when `after` is not a cursor of ours."""
    condition = listing(await rarest_word_first(database, wanted), after)
    found = await database.messages.find(condition).sort(NEWEST_FIRST).limit(limit + 1).to_list()
    rows = [from_document(MessageRow, document) for document in found]
    return Page(
        rows=rows[:limit],
        next=cursor_behind(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None,
    )


async def messages_known_as(database: Database, session_id: str, wa_ids: Collection[str]) -> list[MessageRow]:
    """The session's messages with these WhatsApp ids; of one that came in there may be several."""
    if not wa_ids:
        return []
    sent: Document = {"_id": {"$in": [f"{session_id}/{wa_id}" for wa_id in wa_ids]}}
    received: Document = {"sessionId": session_id, "waId": {"$in": list(wa_ids)}, "direction": "in"}
    found = await database.messages.find({"$or": [sent, received], **_TELLABLE}).to_list()
    return [from_document(MessageRow, document) for document in found]


async def incoming_up_to(database: Database, row: MessageRow, *, limit: int) -> list[MessageRow]:
    """This message and those that came in before it in its chat, newest first."""
    condition: Document = {
        "customerId": row.customer_id,
        "sessionId": row.session_id,
        "chat": row.chat,
        "direction": "in",
        "createdAt": {"$lte": row.created_at},
        **_TELLABLE,
    }
    found = await database.messages.find(condition).sort(NEWEST_FIRST).limit(limit).to_list()
    return [from_document(MessageRow, document) for document in found]


async def incoming_after(database: Database, row: MessageRow, *, most: int) -> int:
    """How many messages came in after this one in its chat; counted up to `most`."""
    condition: Document = {
        "customerId": row.customer_id,
        "sessionId": row.session_id,
        "chat": row.chat,
        "direction": "in",
        "$or": [{"createdAt": {"$gt": row.created_at}}, {"createdAt": row.created_at, "_id": {"$gt": row.id}}],
        **_TELLABLE,
    }
    return await database.messages.count_documents(condition, limit=most)


async def rarest_word_first(database: Database, wanted: Wanted) -> Wanted:
    """The same, with the word first that the fewest messages have: MongoDB enters the index by the first, unasked."""
    if len(wanted.words) < 2:
        return wanted
    having = [{"customerId": wanted.customer_id, "words": word} for word in wanted.words]
    numbers = await asyncio.gather(*(database.messages.count_documents(each, limit=COMMON) for each in having))
    ordered = sorted(zip(numbers, wanted.words, strict=True), key=itemgetter(0))
    return replace(wanted, words=tuple(word for _, word in ordered))


def listing(wanted: Wanted, after: str | None = None) -> Document:
    """The condition of a list, or of what lies behind a cursor. Raises ValueError when that is not one of ours.

    Each is served by an index that ends in (createdAt, _id), so the keys that are read are those of the page.
    """
    condition: Document = {"customerId": wanted.customer_id, **_TELLABLE}
    if wanted.sessions is not None:
        condition["sessionId"] = wanted.sessions[0] if len(wanted.sessions) == 1 else {"$in": list(wanted.sessions)}
    exact = {"status": wanted.status, "direction": wanted.direction, "type": wanted.type, "chat": wanted.chat}
    condition.update({field: value for field, value in exact.items() if value is not None})
    if wanted.chat_aliases:
        condition["chat"] = {"$in": [wanted.chat, *wanted.chat_aliases]}
    sought: list[Document] = [{"words": word} for word in wanted.words]
    if wanted.prefix is not None:
        sought.append({"words": {"$regex": f"^{re.escape(wanted.prefix)}"}})
    times = [{"createdAt": {operator: at}} for operator, at in (("$gte", wanted.since), ("$lt", wanted.until)) if at]
    later = [] if after is None else behind(after, "createdAt")
    return {**condition, **({"$and": both} if (both := [*sought, *times, *later]) else {})}


class SendStats(msgspec.Struct, frozen=True, kw_only=True):
    """What left a session, and what did not."""

    sent: int
    failed: int
    last_sent_at: datetime | None
    last_failed_at: datetime | None


async def send_stats(database: Database, session_id: str) -> SendStats:
    """How many messages of the session were sent and failed, and when last; counts stop at MOST_COUNTED."""
    sent: Document = {"sessionId": session_id, "status": {"$in": ["sent", "delivered", "read", "played"]}}
    failed: Document = {"sessionId": session_id, "status": "failed"}
    last_sent = await _last(database, sent)
    last_failed = await _last(database, failed)
    return SendStats(
        sent=await database.messages.count_documents(sent, limit=MOST_COUNTED),
        failed=await database.messages.count_documents(failed, limit=MOST_COUNTED),
        last_sent_at=None if last_sent is None else last_sent.get("sentAt") or last_sent["createdAt"],
        last_failed_at=None if last_failed is None else _failed_at(last_failed),
    )


async def _last(database: Database, condition: Document) -> Document | None:
    found = database.messages.find(condition, {"sentAt": 1, "createdAt": 1, "history.status": 1, "history.at": 1})
    documents = await found.sort([("createdAt", -1)]).limit(1).to_list()
    return documents[0] if documents else None


def _failed_at(document: Document) -> datetime:
    """Behind the failure a history may hold reactions and the like."""
    failures = (entry["at"] for entry in reversed(document["history"]) if entry["status"] == "failed")
    return next(failures, document["createdAt"])


# --- How they look ---------------------------------------------------------------------------------------------------


def shown(row: MessageRow) -> dict[str, Any]:
    """The message object of the API, without its history."""
    return msgspec.to_builtins(message_view(row))


def shown_with_history(row: MessageRow) -> dict[str, Any]:
    """The message object with everything that became of it."""
    return {**shown(row), "history": [_entry(entry) for entry in row.history]}


def _entry(entry: HistoryEntry) -> dict[str, Any]:
    reason = {"reason": entry.reason} if entry.reason is not None else {}
    return {"status": entry.status, "at": iso(entry.at), **reason}


def is_message(row: OutboxRow) -> bool:
    """Whether the row is a message of its own, and not something that is done to one."""
    return row.about is None and not isinstance(row.content, Action)


def row_before_status(row: OutboxRow) -> MessageRow:
    """What status will make of a message's outbox row that it has not heard of yet."""
    display = row.to.removesuffix(PERSON)
    content = None if isinstance(row.content, Action) else row.content
    is_scheduled = row.status == "queued" and row.not_before is not None and row.not_before > row.accepted_at
    return MessageRow(
        id=f"{row.session_id}/{row.wa_id}",
        customer_id=row.customer_id,
        session_id=row.session_id,
        shard=row.shard,
        wa_id=row.wa_id,
        direction="out",
        message_id=row.id,
        to=display,
        chat=display,
        chat_jid=row.to,
        **_said(content, row.context),
        status=row.status,
        waiting_for=row.waiting_for or (FOR_SCHEDULE if is_scheduled else None),
        resume_at=row.resume_at or (row.not_before if is_scheduled else None),
        code=row.code,
        detail=row.detail,
        attempts=row.attempts,
        created_at=row.accepted_at,
        history=[HistoryEntry(status="queued", at=row.accepted_at, fact_seq=0)],
    )


def _said(content: Content | None, context: Context | None) -> dict[str, Any]:
    """What a message says, by the fields of its row; a finished one has let go of its content."""
    if content is None:
        return {"type": "text"}
    return {
        "type": type_of(content),
        "text": text_of(content),
        "caption": caption_of(content),
        "file_name": file_name_of(content),
        "media_id": media_id_of(content),
        "mimetype": content.mimetype if isinstance(content, Media) else None,
        "details": details_of(content),
        "reply_to": context.quote.wa_id if context is not None and context.quote is not None else None,
        "mentions": [jid.removesuffix(PERSON) for jid in context.mentions] if context is not None else [],
    }
