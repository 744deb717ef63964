"""What facts make of a session's chats: who writes with it, the last words, and what is unread. Pure.

A row remembers the sequence of the last fact that changed it, so a fact that is delivered again changes nothing; and a
message counts with the fact that brought it (`MessageRow.history`), so one that was published twice counts once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from libs.contracts.events import (
    AnyFact,
    ChatRead,
    MessageEdited,
    MessageProgressed,
    MessageQueued,
    MessageReceived,
    MessageRevoked,
    ReceiptReceived,
)
from libs.contracts.records import ChatLine, ChatRow, MessageRow
from services.status.contents import PHONE_JID
from services.status.frames import Step
from services.status.moments import as_stored
from services.status.reached import addresses_reached

Line = TypeVar("Line", ChatLine, ChatLine | None)

EXCERPT = 200
"""Characters of a message that a list shows."""
LID, GROUP = "@lid", "@g.us"
NO_LINE = frozenset({"reaction"})
"""Types of messages that stand at another one and not in the chat."""


class ChatChange(NamedTuple):
    """A chat as it was read (None: it did not exist) and as it shall be, under the epoch of its shard's owner."""

    before: ChatRow | None
    after: ChatRow
    epoch: int


class Chats:
    """The chats of one shard's batch: as they were found, and as the facts so far have made them."""

    def __init__(self, found: Iterable[ChatRow], shard: int) -> None:
        self.before: dict[str, ChatRow] = {row.id: row for row in found}
        self._after: dict[str, ChatRow] = {}
        self._shard = shard
        self._by_key: dict[str, set[str]] = {}
        for row in self.before.values():
            self._note_keys(row)

    def apply(self, step: Step) -> None:
        """The chats after this fact."""
        match step.fact:
            case MessageQueued() | MessageReceived() as fact:
                for row in step.rows:
                    if _is_brought(row, step):
                        self._add(row, fact, step.seq)
            case MessageEdited() | MessageRevoked():
                for row in step.rows:
                    self._reword(row, step.seq)
            case MessageProgressed() | ReceiptReceived() as fact:
                for row in step.rows:
                    self._move(row, addresses_reached(fact, row), step.seq)
            case ChatRead() as fact:
                self._read(fact, step.seq)
            case _:
                pass

    def changes(self, epoch: int) -> list[ChatChange]:
        """What is to be stored."""
        return [ChatChange(self.before.get(row_id), row, epoch) for row_id, row in self._after.items()]

    def _add(self, message: MessageRow, fact: MessageQueued | MessageReceived, seq: int) -> None:
        jids = addresses_of(fact)
        row = self._row_of(fact.session_id, jids, seq)
        if row is None:
            self._put(_with_names(_begun(message, jids, seq, self._shard), fact))
        elif row.fact_seq < seq:
            row = row if isinstance(fact, MessageQueued) and _is_known_as(row, fact.to) else _with_addresses(row, jids)
            self._put(_with_names(_with_line(row, message, fact, seq), fact))

    def _reword(self, message: MessageRow, seq: int) -> None:
        row = None if message.chat_jid is None else self._row_of(message.session_id, (message.chat_jid,), seq)
        if row is None or row.fact_seq >= seq:
            return
        after = replace(row, last=_reworded(row.last, message), last_incoming=_reworded(row.last_incoming, message))
        if after != row:
            self._put(replace(after, fact_seq=seq))

    def _move(self, message: MessageRow, jids: Sequence[str], seq: int) -> None:
        """The chat is known under another number as well, WhatsApp's own, and written to under that."""
        row = self._row_of(message.session_id, jids, seq) if jids else None
        if row is None or row.fact_seq >= seq:
            return
        after = _with_addresses(row, jids)
        if after != self.before.get(row.id):
            self._put(replace(after, fact_seq=seq))

    def _read(self, fact: ChatRead, seq: int) -> None:
        row = self._row_of(fact.session_id, (fact.chat_jid,), seq)
        if row is not None and row.fact_seq < seq:
            left = min(row.unread, max(row.incoming - fact.incoming, 0))
            self._put(replace(row, unread=left, read_at=as_stored(fact.at), fact_seq=seq))

    def _row_of(self, session_id: str, jids: Sequence[str], seq: int) -> ChatRow | None:
        """The row of whoever has these addresses. Rows that turn out to be the same person's become one.

        Either of the two may have been stored before a death, and the other not: what is merged keeps what it holds,
        and who has taken it over has its keys.
        """
        own = jids[0].removesuffix(PHONE_JID)
        rows = sorted(
            self._holding([key_of(session_id, jid) for jid in jids]), key=lambda row: _precedence(row, own_number=own)
        )
        if not rows:
            return None
        into, *others = rows
        for other in others:
            if not _has_taken_over(into, other) and into.fact_seq < seq:
                into = merged(into, other)
            if _has_taken_over(into, other) and other.merged_into is None:
                self._put(replace(other, merged_into=into.id))
        return into

    def _holding(self, keys: Iterable[str]) -> list[ChatRow]:
        ids = {row_id for key in keys for row_id in self._by_key.get(key, ())}
        return [self._after.get(row_id) or self.before[row_id] for row_id in ids]

    def _put(self, row: ChatRow) -> None:
        self._after[row.id] = row
        self._note_keys(row)

    def _note_keys(self, row: ChatRow) -> None:
        for key in row.keys:
            self._by_key.setdefault(key, set()).add(row.id)


# --- Which chat ------------------------------------------------------------------------------------------------------


def keys_named(step: Step) -> list[str]:
    """The keys of the chats that the fact may change."""
    match step.fact:
        case MessageQueued() | MessageReceived() as fact:
            jids = addresses_of(fact) if any(_is_brought(row, step) for row in step.rows) else ()
        case MessageEdited() | MessageRevoked():
            jids = tuple(row.chat_jid for row in step.rows if row.chat_jid is not None)
        case MessageProgressed() | ReceiptReceived() as fact:
            jids = tuple(jid for row in step.rows for jid in addresses_reached(fact, row))
        case ChatRead() as fact:
            jids = (fact.chat_jid,)
        case _:
            jids = ()
    return [key_of(step.fact.session_id, jid) for jid in jids]


def key_of(session_id: str, jid: str) -> str:
    """An entry of `ChatRow.keys`."""
    return f"{session_id}/{jid}"


def chat_id(session_id: str, jid: str) -> str:
    """`_id` of the chat that was first met under this address; safe in URLs."""
    return "chat_" + hashlib.sha256(key_of(session_id, jid).encode()).hexdigest()[:24]


def addresses_of(fact: MessageQueued | MessageReceived) -> tuple[str, ...]:
    """The JIDs of the fact's chat: the number's first, when it is known."""
    if isinstance(fact, MessageQueued):
        return (fact.to,)
    return tuple(dict.fromkeys(jid for jid in (fact.chat_jid, fact.chat_lid) if jid))


def _is_known_as(row: ChatRow, jid: str) -> bool:
    return row.phone is not None and key_of(row.session_id, jid) in row.keys


def _is_brought(row: MessageRow, step: Step) -> bool:
    """Whether this very fact brought the message, and the message stands in its chat."""
    if row.message_id is None or row.type in NO_LINE:
        return False
    first = row.history[0]
    return (first.fact_seq, first.fact_id) == (step.seq, step.fact.id)


def _precedence(row: ChatRow, *, own_number: str) -> tuple[bool, bool, bool, str]:
    """Of several rows of one person the number's stays, by which people know it: WhatsApp's own, if there are two."""
    return row.merged_into is not None, row.phone is None, row.phone != own_number, row.id


def _has_taken_over(into: ChatRow, other: ChatRow) -> bool:
    return set(other.keys) <= set(into.keys)


def merged(into: ChatRow, other: ChatRow) -> ChatRow:
    """One row with what both have seen."""
    return replace(
        into,
        keys=[*into.keys, *(key for key in other.keys if key not in into.keys)],
        lid=into.lid or other.lid,
        name=into.name or other.name,
        last=max(into.last, other.last, key=_place_of),
        last_incoming=max((into.last_incoming, other.last_incoming), key=_place_of),
        incoming=into.incoming + other.incoming,
        unread=into.unread + other.unread,
        read_at=max((at for at in (into.read_at, other.read_at) if at is not None), default=None),
        moved_at=max(into.moved_at, other.moved_at),
        created_at=min(into.created_at, other.created_at),
    )


def _place_of(line: ChatLine | None) -> int:
    return 0 if line is None else line.fact_seq


# --- What it says ----------------------------------------------------------------------------------------------------


def _begun(message: MessageRow, jids: Sequence[str], seq: int, shard: int) -> ChatRow:
    line = line_of(message, seq)
    is_in = message.direction == "in"
    row = ChatRow(
        id=chat_id(message.session_id, jids[0]),
        customer_id=message.customer_id,
        session_id=message.session_id,
        shard=shard,
        keys=[],
        chat_jid=jids[0],
        last=line,
        last_incoming=line if is_in else None,
        incoming=int(is_in),
        unread=int(is_in),
        moved_at=line.at,
        created_at=line.at,
        fact_seq=seq,
    )
    return _with_addresses(row, jids)


def _with_addresses(row: ChatRow, jids: Sequence[str]) -> ChatRow:
    """Known under these too; written to under the number, as soon as there is one."""
    new = [key for key in (key_of(row.session_id, jid) for jid in jids) if key not in row.keys]
    number = next((jid for jid in jids if jid.endswith(PHONE_JID)), None)
    if not new and number in (None, row.chat_jid):
        return row
    return replace(
        row,
        keys=[*row.keys, *new],
        chat_jid=number or row.chat_jid,
        phone=row.phone if number is None else number.removesuffix(PHONE_JID),
        lid=next((jid for jid in jids if jid.endswith(LID)), row.lid),
    )


def _with_line(row: ChatRow, message: MessageRow, fact: MessageQueued | MessageReceived, seq: int) -> ChatRow:
    """With one message more. Who answers at the phone has read there what had come."""
    line = line_of(message, seq)
    row = replace(row, last=line, moved_at=max(row.moved_at, line.at), merged_into=None, fact_seq=seq)
    if message.direction == "in":
        return replace(row, last_incoming=line, incoming=row.incoming + 1, unread=row.unread + 1)
    if isinstance(fact, MessageReceived):
        return replace(row, unread=0, read_at=as_stored(fact.at))
    return row


def _with_names(row: ChatRow, fact: AnyFact) -> ChatRow:
    """As the contact calls itself; in a group a message's name is its sender's."""
    if not isinstance(fact, MessageReceived) or fact.from_me or not fact.push_name or row.chat_jid.endswith(GROUP):
        return row
    return row if row.name == fact.push_name else replace(row, name=fact.push_name)


def line_of(message: MessageRow, seq: int) -> ChatLine:
    """The message as a list of chats shows it. Only of a message with content."""
    return ChatLine(
        message_id=message.message_id or "",
        direction=message.direction,
        type=message.type or "",
        text=_excerpt_of(message),
        at=message.created_at,
        fact_seq=seq,
    )


def _excerpt_of(message: MessageRow) -> str | None:
    words = message.text or message.caption or message.file_name
    return words[:EXCERPT] if words else None


def _reworded(line: Line, message: MessageRow) -> Line:
    if line is None or line.message_id != message.message_id:
        return line
    return replace(line, text=_excerpt_of(message))
