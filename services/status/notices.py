"""Which facts about a customer are told: each once, however often it is published."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from libs.contracts.events import CustomerNotified
from libs.contracts.records import Record


class NoticeLogEntry(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `notice_log`, written by status alone: one fact about a customer that was told to them.

    `id` is the fact's.
    """

    shard: int
    update: str
    at: datetime
    fact_seq: int
    """The sequence in EVENTS with which the fact came first."""


def entry_of(fact: CustomerNotified, seq: int, shard: int) -> NoticeLogEntry:
    """The fact as it is logged."""
    return NoticeLogEntry(
        id=fact.id, customer_id=fact.customer_id, shard=shard, update=fact.update, at=fact.at, fact_seq=seq
    )


def notices_to_log(
    logged: Collection[str], facts: Sequence[tuple[int, CustomerNotified]], shard: int
) -> list[NoticeLogEntry]:
    """What these facts, with their sequences and in order, add to the log; `logged` are the ids that are in it."""
    added: dict[str, NoticeLogEntry] = {}
    for seq, fact in facts:
        if fact.id not in logged and fact.id not in added:
            added[fact.id] = entry_of(fact, seq, shard)
    return list(added.values())
