"""Which facts about a session count: each once, and none from a connection that was already followed by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from libs.contracts.events import SessionChanged
from libs.contracts.records import Record

Mark = tuple[int, int]
"""(epoch, connection number) of a session's owner and socket."""


class SessionLogEntry(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `session_log`, written by status alone: one fact about a session that was told to its customer.

    `id` is the fact's. Holds neither the QR code nor the pairing code.
    """

    session_id: str
    shard: int
    update: str
    status: str
    reason: str | None
    epoch: int
    connection: int
    at: datetime
    fact_seq: int
    """The sequence in EVENTS with which the fact came first."""


def entry_of(fact: SessionChanged, seq: int, shard: int) -> SessionLogEntry:
    """The fact as it is logged."""
    return SessionLogEntry(
        id=fact.id,
        customer_id=fact.customer_id,
        session_id=fact.session_id,
        shard=shard,
        update=fact.update,
        status=fact.status.value,
        reason=fact.reason,
        epoch=fact.epoch,
        connection=fact.connection,
        at=fact.at,
        fact_seq=seq,
    )


class SessionsAfter(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch of facts about sessions comes to."""

    added: list[SessionLogEntry]
    marks: dict[str, Mark]
    """The highest mark of each session that the batch names; true for the facts up to the batch's last."""


def sessions_after(
    marks: Mapping[str, Mark],
    logged: Mapping[str, SessionLogEntry],
    facts: Sequence[tuple[int, SessionChanged]],
    shard: int,
) -> SessionsAfter:
    """What these facts, with their sequences and in order, add to the log.

    `marks` holds what facts before this batch have shown, so the answer is the same when the batch is handled again;
    `logged` the entries, by fact id, that are there already.
    """
    highest = dict(marks)
    added: dict[str, SessionLogEntry] = {}
    for seq, fact in facts:
        mark = (fact.epoch, fact.connection)
        before = highest.get(fact.session_id, mark)
        if mark >= before and fact.id not in logged and fact.id not in added:
            added[fact.id] = entry_of(fact, seq, shard)
        highest[fact.session_id] = max(mark, before)
    return SessionsAfter(added=list(added.values()), marks=highest)
