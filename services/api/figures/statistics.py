"""Statistics as customers see them: counts and latencies of spans of time. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from libs.contracts.counters import BOUNDS_MS, quantile_ms
from services.api.times import Time

PARTS = range(len(BOUNDS_MS) + 1)
Sums = Mapping[str, int]
"""What counters come to, by the path of the field; what is missing is zero."""


class Counts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened, each at its own time: a message that failed, was queued again and sent counts in both."""

    queued: int = 0
    """Messages that were accepted."""
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    received: int = 0
    from_phone: int = 0
    """Messages that the number's own phone has sent."""


class Latency(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long something took, milliseconds; null of nothing. Shares are estimated within a few bounds."""

    messages: int
    mean_ms: int | None
    p50_ms: int | None
    p95_ms: int | None


class Latencies(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """From queued (or when it was due) to sent, and from sent to delivered and to read."""

    sent: Latency
    delivered: Latency
    read: Latency


class Span(Counts, frozen=True, kw_only=True, rename="camel"):
    """What happened in an hour or a day."""

    at: Time
    """When it begins."""
    latency: Latencies


class Whole(Counts, frozen=True, kw_only=True, rename="camel"):
    """What happened in the whole time."""

    latency: Latencies


class StatsData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Statistics of whole hours or days of the customer's time zone; spans without anything are there, with zeros."""

    bucket: str
    time_zone: str
    from_: Time = msgspec.field(name="from")
    to: Time
    series: list[Span]
    total: Whole


class StatsAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /stats."""

    data: StatsData
    success: bool = True


class StatsSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The present day and month where the customer lives."""

    time_zone: str
    today: Counts
    this_month: Counts


class StatsSummaryAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /stats/summary."""

    data: StatsSummary
    success: bool = True


def counts_of(sums: Sums) -> Counts:
    """The counts alone."""
    return Counts(**_counts(sums))


def span_of(sums: Sums, at: Time) -> Span:
    """One span of the series."""
    return Span(at=at, latency=latencies_of(sums), **_counts(sums))


def whole_of(sums: Sums) -> Whole:
    """All spans together."""
    return Whole(latency=latencies_of(sums), **_counts(sums))


def latencies_of(sums: Sums) -> Latencies:
    """All three."""
    return Latencies(
        sent=_latency(sums, "sentAfter"),
        delivered=_latency(sums, "deliveredAfter"),
        read=_latency(sums, "readAfter"),
    )


def _latency(sums: Sums, field: str) -> Latency:
    number = sums.get(f"{field}.number", 0)
    parts = [sums.get(f"{field}.parts.{part}", 0) for part in PARTS]
    return Latency(
        messages=number,
        mean_ms=round(sums.get(f"{field}.ms", 0) / number) if number else None,
        p50_ms=quantile_ms(parts, 0.5),
        p95_ms=quantile_ms(parts, 0.95),
    )


def _counts(sums: Sums) -> dict[str, int]:
    return {field.name: sums.get(field.encode_name, 0) for field in msgspec.structs.fields(Counts)}
