"""Chats as customers read them. Only reads: status writes them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from libs.contracts.records import ChatRow
from libs.runtime.mongo import Database, Document, from_document, from_documents
from services.api.chats.seeking import Sought
from services.api.web.cursors import behind, cursor_behind

NEWEST_FIRST = [("movedAt", -1), ("_id", -1)]
MOST_MERGES = 5
"""A LID's chat becomes a number's, and that number's that of WhatsApp's own spelling."""
LIVE: Document = {"mergedInto": None}


class ChatsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which chats are listed; None lets all through. `sessions`: ids; `sought`: whose name or number holds it.

    `groups`: JIDs of groups whose name holds what is sought.
    """

    customer_id: str
    sessions: Sequence[str] | None = None
    is_read: bool | None = None
    sought: Sought | None = None
    groups: Sequence[str] = ()


class ChatPage(msgspec.Struct, frozen=True, kw_only=True):
    """Chats, the one that moved last first, and where the next page begins; None at the end."""

    rows: list[ChatRow]
    next: str | None


async def chats_newest_first(database: Database, wanted: ChatsWanted, *, after: str | None, limit: int) -> ChatPage:
    """A page of the chats that are wanted. Raises ValueError when `after` is not a cursor of ours."""
    found = database.chats.find(listing(wanted, after)).sort(NEWEST_FIRST).limit(limit + 1)
    rows = from_documents(ChatRow, await found.to_list())
    return ChatPage(
        rows=rows[:limit],
        next=cursor_behind(rows[limit - 1].moved_at, rows[limit - 1].id) if len(rows) > limit else None,
    )


async def chats_by_page(database: Database, wanted: ChatsWanted, *, page: int, limit: int) -> list[ChatRow]:
    """The page with this number, from 1."""
    found = database.chats.find(listing(wanted)).sort(NEWEST_FIRST).skip((page - 1) * limit).limit(limit)
    return from_documents(ChatRow, await found.to_list())


async def count_chats(
    database: Database, wanted: ChatsWanted, *, most: int, moved_before: datetime | None = None
) -> int:
    """How many chats are wanted, and have been quiet since `moved_before`; counted up to `most`."""
    quiet = {} if moved_before is None else {"movedAt": {"$lt": moved_before}}
    return await database.chats.count_documents({**listing(wanted), **quiet}, limit=most)


async def chat_by_id(database: Database, customer_id: str, chat_id: str) -> ChatRow | None:
    """The customer's chat with this id, or the one with which it has become one."""
    wanted: str | None = chat_id
    for _ in range(MOST_MERGES):
        found = await database.chats.find_one({"_id": wanted, "customerId": customer_id})
        wanted = None if found is None else found["mergedInto"]
        if wanted is None:
            return None if found is None else from_document(ChatRow, found)
    return None


async def chat_with(database: Database, customer_id: str, session_id: str, jid: str) -> ChatRow | None:
    """The session's chat with this address."""
    query = {"keys": f"{session_id}/{jid}", "customerId": customer_id, **LIVE}
    found = await database.chats.find_one(query)
    return None if found is None else from_document(ChatRow, found)


async def names_under(database: Database, customer_id: str, keys: Sequence[str]) -> dict[str, str]:
    """What the contacts under these keys (`<session>/<JID>`) call themselves, by key, where that is known."""
    query: Document = {"keys": {"$in": list(keys)}, "customerId": customer_id, "name": {"$type": "string"}}
    found = database.chats.find(query, {"keys": 1, "name": 1})
    return {key: row["name"] async for row in found for key in row["keys"] if row["name"]}


async def chats_with(database: Database, customer_id: str, sessions: Sequence[str], jid: str) -> list[ChatRow]:
    """The chats of these sessions with this address, also those that have become one with another."""
    return from_documents(ChatRow, await database.chats.find(having(customer_id, sessions, jid)).to_list())


async def known_among(database: Database, customer_id: str, sessions: Sequence[str], jids: Collection[str]) -> set[str]:
    """Those of the addresses with which one of these sessions has a chat."""
    asked = {f"{session_id}/{jid}": jid for session_id in sessions for jid in jids}
    query: Document = {"keys": {"$in": list(asked)}, "customerId": customer_id}
    found = database.chats.find(query, {"keys": 1})
    return {asked[key] async for row in found for key in row["keys"] if key in asked}


def having(customer_id: str, sessions: Sequence[str], jid: str) -> Document:
    """The condition of the chats of these sessions with this address."""
    return {"keys": {"$in": [f"{session_id}/{jid}" for session_id in sessions]}, "customerId": customer_id}


def listing(wanted: ChatsWanted, after: str | None = None) -> Document:
    """The condition of a list; each is served by an index that ends in (movedAt, _id). Raises ValueError."""
    condition: Document = {"customerId": wanted.customer_id, **LIVE}
    if wanted.sessions is not None:
        condition["sessionId"] = wanted.sessions[0] if len(wanted.sessions) == 1 else {"$in": list(wanted.sessions)}
    if wanted.is_read is not None:
        condition["unread"] = 0 if wanted.is_read else {"$gt": 0}
    held = [] if wanted.sought is None else [_holding(wanted.sought, wanted.groups)]
    later = [] if after is None else behind(after, "movedAt")
    return {**condition, "$and": both} if (both := [*held, *later]) else condition


def _holding(sought: Sought, groups: Sequence[str]) -> Document:
    """Looked up in the rows, in the order of the list: parts of names and numbers have no index."""
    named: Document = {"name": {"$regex": re.escape(sought.text), "$options": "i"}}
    called: list[Document] = [{"chatJid": {"$in": list(groups)}}] if groups else []
    return {"$or": [named, *called, *({"phone": {"$regex": digits}} for digits in sought.digits)]}
