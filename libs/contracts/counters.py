"""Counters: what status counts of the messages and api sums, and the spans of time that it is counted in.

All offsets from UTC in use are multiples of 15 minutes (India +5:30, Nepal +5:45), so sums of quarters of an hour make
the days of every customer; hours would not. Whole days of UTC stand beside them, for all sessions of a customer in one
shard together, so that a month of many sessions is some hundred rows and not a million.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime

import msgspec

from libs.contracts.records import Record

QUARTER, DAY = "quarter", "day"
QUARTER_S = 900
EVERY = "*"
"""`session_id` and `type` of a day's row: it counts the messages of all of them."""

NAMES = ("queued", "sent", "delivered", "read", "failed", "cancelled", "expired", "received", "fromPhone")
"""What is counted; the fields of `Counter`."""
LATENCIES = ("sentAfter", "deliveredAfter", "readAfter")
"""What is measured; the fields of `Counter`, each a `Spread`."""
BOUNDS_MS = (200, 500, 1_000, 2_000, 5_000, 15_000, 60_000, 300_000, 1_800_000, 21_600_000)
"""Upper bounds of a spread's parts; a further part holds what took longer. Never changed: rows lie by them."""


class Spread(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long something took."""

    number: int = 0
    ms: int = 0
    """The sum, milliseconds."""
    parts: dict[str, int] = {}
    """How often it took at most BOUNDS_MS[k], and longer than the bound before, by the part's number k."""


class Counter(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `counters`, written by the owner of the shard in status: what happened in one span of time.

    A quarter's row is of one session and one type of message, a day's of one customer and shard. What is counted are
    rises of the status, at the time of the rise: a message that failed, was queued again and sent counts in both.
    `seq` fences: what facts up to this sequence in EVENTS have raised is in it.
    """

    shard: int
    session_id: str
    type: str
    span: str
    """`quarter` or `day`, of UTC."""
    at: datetime
    """When the span begins."""
    queued: int = 0
    """Messages that were accepted; one that is queued again is not counted again."""
    sent: int = 0
    delivered: int = 0
    """Counts those too of which only a read receipt came."""
    read: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    received: int = 0
    from_phone: int = 0
    """Messages that the number's own phone has sent; their receipts are not counted."""
    sent_after: Spread = Spread()
    """From queued, or the time for which the message was scheduled, to sent."""
    delivered_after: Spread = Spread()
    """From sent to delivered. WhatsApp tells whole seconds."""
    read_after: Spread = Spread()
    """From sent to read."""
    seq: int
    epoch: int


def day_of(at: datetime) -> datetime:
    """When the day began, UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def part_of(took_ms: int) -> int:
    """The number of the part of a spread into which this falls."""
    return bisect_left(BOUNDS_MS, took_ms)


def quantile_ms(parts: list[int], share: float) -> int | None:
    """What this share (0 to 1) of them took at most, evenly spread within a part; None of none.

    Of what took longer than every bound no more is known than the last bound.
    """
    rank, below = sum(parts) * share, 0.0
    lower = 0
    for number, upper in zip(parts, BOUNDS_MS, strict=False):
        if number and below + number >= rank:
            return round(lower + (upper - lower) * (rank - below) / number)
        below, lower = below + number, upper
    return lower if sum(parts) else None
