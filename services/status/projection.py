"""What a fact makes of a message's row: pure, and the same for every replay of the stream.

A row remembers the sequence of the last fact that changed it (`fact_seq`), so a fact that is delivered again changes
nothing; and the ids of the facts that raised it (`history`), so a fact that was published twice changes nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from libs.contracts.events import (
    AboutMessage,
    ActionFailed,
    AnyFact,
    ChatRead,
    CustomerNotified,
    Fact,
    MessageEdited,
    MessageHeld,
    MessageProgressed,
    MessageQueued,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    MessageUndecryptable,
    PollVoted,
    ReceiptReceived,
    SessionChanged,
)
from libs.contracts.records import HistoryEntry, MessageRow
from services.status.amendments import amended, awaiting, completed, is_amendment
from services.status.contents import address_of, content_of, incoming_of
from services.status.moments import as_stored
from services.status.ranks import (
    generation_of,
    has_left,
    is_final,
    rank_after,
    rank_of,
    rank_reopened,
    was_delivered,
    was_read,
)
from services.status.reached import number_reached

FOR_TIME = "schedule"
"""What a message waits for whose time has not come."""


def rows_of(fact: AnyFact) -> Sequence[str]:
    """The ids of the rows that the fact names, each once, in its order.

    Of one that is about a message that exists already it is the id that the message has if this number sent it.
    """
    match fact:
        case MessageQueued() | MessageProgressed() | MessageHeld() | AboutMessage() | ActionFailed():
            return (row_id(fact.session_id, fact.wa_id),)
        case ReceiptReceived():
            return tuple(dict.fromkeys(row_id(fact.session_id, wa_id) for wa_id in fact.wa_ids))
        case MessageReceived():
            if fact.from_me:
                return (row_id(fact.session_id, fact.wa_id),)
            return (f"{fact.session_id}/in/{fact.id}",)
        case SessionChanged() | MessageUndecryptable() | ChatRead() | CustomerNotified():
            return ()


def row_id(session_id: str, wa_id: str) -> str:
    """`_id` of a message that the session's number sent."""
    return f"{session_id}/{wa_id}"


def project(
    before: MessageRow | None,
    fact: AnyFact,
    seq: int,
    *,
    row: str,
    shard: int,
    pending: MessageRow | None = None,
) -> MessageRow | None:
    """The row after the fact with the sequence `seq`; the same object when nothing changes.

    `before` is None for a row that does not exist yet, and the answer None when the fact does not make one. `pending`
    is, for a message that comes in, the row that holds what was done to it before.
    """
    if before is not None and (seq <= before.fact_seq or _has_raised(before, fact.id)):
        return before
    rule = RULES.get(type(fact))
    if rule is None:
        return before
    if before is None and pending is not None and pending.message_id is None:
        before = awaiting(pending, row)
    return rule(before or _blank(fact, row, shard), fact, seq)


def _has_raised(row: MessageRow, fact_id: str) -> bool:
    return any(entry.fact_id == fact_id for entry in row.history)


def _blank(fact: Fact, row: str, shard: int) -> MessageRow:
    return MessageRow(
        id=row,
        customer_id=fact.customer_id,
        session_id=fact.session_id,
        shard=shard,
        wa_id=row.rpartition("/")[2],
        direction="out",
        created_at=as_stored(fact.at),
    )


# --- One rule for each kind of fact ----------------------------------------------------------------------------------


def _queued(row: MessageRow, fact: MessageQueued, seq: int) -> MessageRow:
    if row.message_id is None:
        return _with_content(row, _entry("queued", fact, seq, attempts=fact.attempts), content_of(fact))
    if is_final(row.status):
        entry = _entry("queued", fact, seq, attempts=fact.attempts)
        return replace(_raised(row, rank_reopened(row.rank), entry), attempts=fact.attempts)
    return row


def _progressed(row: MessageRow, fact: MessageProgressed, seq: int) -> MessageRow:
    if _is_of_an_earlier_generation(row, fact):
        return row
    row = _in_chat_reached(row, fact, seq)
    rank = rank_after(row.rank, fact.status)
    attempts = max(row.attempts, fact.attempts)
    known = _sent_by(row, fact.number)
    if rank is None:
        is_known = known is row and attempts == row.attempts
        return row if is_known else replace(known, attempts=attempts, fact_seq=seq)
    entry = _entry(fact.status, fact, seq, reason=fact.code, detail=fact.detail, attempts=attempts)
    return replace(_raised(known, rank, entry), attempts=attempts)


def _sent_by(row: MessageRow, number: str | None) -> MessageRow:
    """The row with the number that sent it, as the first who knew it said."""
    return row if number is None or row.number is not None else replace(row, number=number)


def _in_chat_reached(row: MessageRow, fact: MessageProgressed | ReceiptReceived, seq: int) -> MessageRow:
    """The row in the chat of the recipient's own number; `row.to` stays as it was dialled."""
    reached = number_reached(fact, row)
    if reached is None or row.chat_jid == reached:
        return row
    return replace(row, chat=address_of(reached), chat_jid=reached, fact_seq=seq)


def _is_of_an_earlier_generation(row: MessageRow, fact: MessageProgressed) -> bool:
    """An attempt that began before the message was queued again, told twice; its number was reached before."""
    return fact.status == "sending" and generation_of(row.rank) > 0 and fact.attempts <= row.attempts


def _held(row: MessageRow, fact: MessageHeld, seq: int) -> MessageRow:
    if row.rank and (is_final(row.status) or has_left(row.status)):
        return row
    resume_at = None if fact.resume_at is None else as_stored(fact.resume_at)
    if (row.waiting_for, row.resume_at) == (fact.waiting_for, resume_at):
        return row
    due_at = resume_at if fact.waiting_for == FOR_TIME else row.due_at
    return replace(row, waiting_for=fact.waiting_for, resume_at=resume_at, due_at=due_at, fact_seq=seq)


def _receipt(row: MessageRow, fact: ReceiptReceived, seq: int) -> MessageRow:
    """A receipt proves that the message was sent: where it outruns the sender's word, `sent` is told with it."""
    row = _in_chat_reached(row, fact, seq)
    sent_rank = rank_after(row.rank, "sent")
    if sent_rank is not None:
        row = _raised(row, sent_rank, _entry("sent", fact, seq, attempts=row.attempts))
    rank = rank_after(row.rank, fact.receipt)
    if rank is None:
        return row
    return _raised(_sent_by(row, fact.number), rank, _entry(fact.receipt, fact, seq, attempts=row.attempts))


def _received(row: MessageRow, fact: MessageReceived, seq: int) -> MessageRow:
    if row.message_id is not None:
        return row
    return _with_content(row, _entry("sent" if fact.from_me else "received", fact, seq), incoming_of(fact))


RULES: dict[type[Fact], Callable[[MessageRow, Any, int], MessageRow]] = {
    MessageQueued: _queued,
    MessageProgressed: _progressed,
    MessageHeld: _held,
    ReceiptReceived: _receipt,
    MessageReceived: _received,
    MessageEdited: amended,
    MessageRevoked: amended,
    MessageReacted: amended,
    PollVoted: amended,
    ActionFailed: amended,
}


# --- What the rules share --------------------------------------------------------------------------------------------


def _entry(
    status: str, fact: Fact, seq: int, *, reason: str | None = None, detail: str | None = None, attempts: int = 0
) -> HistoryEntry:
    return HistoryEntry(
        status=status,
        at=as_stored(fact.at),
        fact_seq=seq,
        fact_id=fact.id,
        reason=reason,
        detail=detail,
        attempts=attempts,
        due_seq=seq,
    )


def _raised(row: MessageRow, rank: int, entry: HistoryEntry) -> MessageRow:
    """The row with one more rise. It is told at once when customers know the message, else with its content."""
    entry = _not_before(row, entry)
    due_seq = entry.fact_seq if row.message_id is not None else 0
    return replace(
        _dated(row, entry),
        status=entry.status,
        rank=rank,
        waiting_for=None,
        resume_at=None,
        code=entry.reason,
        detail=entry.detail,
        history=[*row.history, replace(entry, due_seq=due_seq)],
        fact_seq=entry.fact_seq,
    )


def _not_before(row: MessageRow, entry: HistoryEntry) -> HistoryEntry:
    """The rise, no earlier than the one it follows: WhatsApp tells whole seconds, by a clock of its own."""
    former = next((each for each in reversed(row.history) if not is_amendment(each)), entry)
    return entry if entry.at >= former.at else replace(entry, at=former.at)


def _dated(row: MessageRow, entry: HistoryEntry) -> MessageRow:
    """With the times that the rise proves: what was read was delivered, what was delivered was sent."""
    if not has_left(entry.status) or entry.status == "received":
        return row
    return replace(
        row,
        sent_at=row.sent_at or entry.at,
        delivered_at=row.delivered_at or (entry.at if was_delivered(entry.status) else None),
        read_at=row.read_at or (entry.at if was_read(entry.status) else None),
    )


def _with_content(row: MessageRow, entry: HistoryEntry, content: dict[str, Any]) -> MessageRow:
    """The row with its content, from which moment customers know the message.

    What receipts that outran it have raised stays, and is told now, after the status that should have come first; so
    is what was done to it.
    """
    filled = completed(row, replace(row, **content))
    told_now = [replace(e, due_seq=entry.fact_seq) for e in filled.history if e.status != entry.status]
    if not row.rank:
        risen = _raised(replace(filled, history=[]), rank_of(entry.status), entry)
        return replace(risen, history=[*risen.history, *told_now]) if told_now else risen
    return replace(
        filled,
        history=[entry, *told_now],
        attempts=max(row.attempts, entry.attempts),
        sent_at=entry.at if entry.status == "sent" else row.sent_at,
        fact_seq=entry.fact_seq,
    )
