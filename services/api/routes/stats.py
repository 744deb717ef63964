"""Statistics: what happened to messages, by hour and by day, and how much of it today and this month."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.context import Edge
from services.api.errors import invalid
from services.api.figures import days, store_stats
from services.api.figures.statistics import (
    StatsAnswer,
    StatsData,
    StatsSummary,
    StatsSummaryAnswer,
    counts_of,
    span_of,
    whole_of,
)
from services.api.figures.store_stats import Counted
from services.api.messages.filters import in_utc, sessions_asked
from services.api.times import iso, now

Bucket = Literal["hour", "day"]
SHOWN: dict[Bucket, timedelta] = {"hour": timedelta(hours=23), "day": timedelta(days=29)}
"""How far back a series goes that does not say, before the present hour or day."""
MOST: dict[Bucket, timedelta] = {"hour": timedelta(days=31), "day": timedelta(days=400)}

SessionAsked = Annotated[str | None, QueryParameter(description="A session's id or name; all without one.")]


@get("/stats", operation_id="get_stats")
async def get_stats(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session: SessionAsked = None,
    kind: Annotated[str | None, QueryParameter(name="type", max_length=20, description="As `type` of a send.")] = None,
    since: Annotated[datetime | None, QueryParameter(name="from", description="In the first hour or day.")] = None,
    until: Annotated[
        datetime | None, QueryParameter(name="to", description="The last hour or day begins before.")
    ] = None,
    bucket: FromQuery[Bucket] = "day",
) -> StatsAnswer:
    """Counts and latencies of whole hours (31 days of them at most) or days (400) of the customer's time zone.

    What is counted happened then: `sent` of a day are the messages that were sent on it, whenever they were accepted.
    Kept longer than the messages themselves.
    """
    caller.require("read")
    counted = Counted(
        customer_id=caller.customer_id, sessions=await sessions_asked(edge, caller, session), type=kind or None
    )
    zone = await _zone_of(edge, caller)
    begins = _begins(in_utc(since, "from"), in_utc(until, "to"), bucket, zone)
    sums = await store_stats.sums_by_span(edge.database, counted, begins)
    total: Counter[str] = Counter()
    for each in sums:
        total.update(each)
    return StatsAnswer(
        data=StatsData(
            bucket=bucket,
            time_zone=zone.key,
            from_=iso(begins[0]),
            to=iso(begins[-1]),
            series=[span_of(each, iso(at)) for each, at in zip(sums, begins, strict=False)],
            total=whole_of(total),
        )
    )


@get("/stats/summary", operation_id="get_stats_summary")
async def get_stats_summary(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session: SessionAsked = None
) -> StatsSummaryAnswer:
    """What happened today and this month where the customer lives."""
    caller.require("read")
    counted = Counted(customer_id=caller.customer_id, sessions=await sessions_asked(edge, caller, session))
    zone, at = await _zone_of(edge, caller), now()
    today, month = await asyncio.gather(
        store_stats.sums_since(edge.database, counted, days.day_began(at, zone)),
        store_stats.sums_since(edge.database, counted, days.month_began(at, zone)),
    )
    data = StatsSummary(time_zone=zone.key, today=counts_of(today), this_month=counts_of(month))
    return StatsSummaryAnswer(data=data)


async def _zone_of(edge: Edge, caller: Caller) -> ZoneInfo:
    customer = await store_customers.customer_by_id(edge.database, caller.customer_id)
    return days.zone_of(customer.time_zone if customer else "UTC")


def _begins(since: datetime | None, until: datetime | None, bucket: Bucket, zone: ZoneInfo) -> list[datetime]:
    """When the spans that are asked for begin, and the end of the last. Raises Refusal VALIDATION_FAILED."""
    until = until or now()
    try:
        since = since or until - SHOWN[bucket]
        if not timedelta(0) < until - since <= MOST[bucket]:
            raise invalid("from", f"it lies before `to`, by at most {MOST[bucket].days} days for each {bucket}")
        return (days.hours_from if bucket == "hour" else days.days_from)(since, until, zone)
    except OverflowError as error:
        raise invalid("from", "it is beyond the calendar") from error


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[get_stats, get_stats_summary],
    tags=["Statistics"],
)
