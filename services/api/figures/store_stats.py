"""Sums over the counters of status: of the present month, and by hours and days. Only reads."""

from __future__ import annotations

from collections import Counter as Added
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from libs.contracts.counters import DAY, LATENCIES, NAMES, QUARTER, day_of
from libs.runtime.mongo import Database, Document
from services.api.figures.days import Run, runs_of
from services.api.figures.statistics import PARTS, Sums

MEASURED = [f"{field}.{part}" for field in LATENCIES for part in ("number", "ms", *(f"parts.{each}" for each in PARTS))]
ONE_DAY = timedelta(days=1)


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Whose counters; None lets all through."""

    customer_id: str
    sessions: tuple[str, ...] | None = None
    type: str | None = None


async def messages_sent_and_failed(database: Database, customer_id: str, since: datetime) -> tuple[int, int]:
    """How many messages of the customer have left since then, and how many have failed."""
    sums = await sums_since(database, Counted(customer_id=customer_id), since)
    return sums["sent"], sums["failed"]


async def sums_since(database: Database, counted: Counted, since: datetime) -> Sums:
    """What was counted from the quarter of an hour on that begins then; of all types, and without latencies.

    Of all sessions together, what lies behind the first hours is summed by days of UTC.
    """
    quarters = {**_whose(counted), "span": QUARTER, "at": {"$gte": since}}
    if counted.sessions is not None:
        return Added((await _summed(database, quarters, None, NAMES)).get(0, {}))
    whole_days = day_of(since) if day_of(since) == since else day_of(since) + ONE_DAY
    days = {**_whose(counted), "span": DAY, "at": {"$gte": whole_days}}
    before = {**quarters, "at": {"$gte": since, "$lt": whole_days}}
    return Added((await _summed(database, {"$or": [days, before]}, None, NAMES)).get(0, {}))


async def sums_by_span(database: Database, counted: Counted, begins: Sequence[datetime]) -> list[Sums]:
    """What was counted between each two of these times, which are quarters of an hour."""
    condition: Document = {**_whose(counted), "span": QUARTER, "at": {"$gte": begins[0], "$lt": begins[-1]}}
    if counted.type is not None:
        condition["type"] = counted.type
    by_number = await _summed(database, condition, _number_of_span(runs_of(begins)), [*NAMES, *MEASURED])
    return [by_number.get(number, {}) for number in range(len(begins) - 1)]


def _whose(counted: Counted) -> Document:
    sessions = {} if counted.sessions is None else {"sessionId": {"$in": list(counted.sessions)}}
    return {"customerId": counted.customer_id, **sessions}


async def _summed(database: Database, condition: Document, key: Any, fields: Sequence[str]) -> dict[int, Sums]:
    """The sums of these fields, by what the key comes to."""
    group: Document = {"_id": key, **{f"f{place}": {"$sum": f"${field}"} for place, field in enumerate(fields)}}
    rows = await database.counters.aggregate([{"$match": condition}, {"$group": group}])
    return {
        int(row["_id"] or 0): {field: row[f"f{place}"] for place, field in enumerate(fields) if row[f"f{place}"]}
        async for row in rows
    }


def _number_of_span(runs: Sequence[Run]) -> Document:
    """MongoDB's expression for the number of the span in which a counter lies."""
    return {"$switch": {"branches": [{"case": {"$lt": ["$at", run.until]}, "then": _within(run)} for run in runs]}}


def _within(run: Run) -> Document:
    ms = run.step // timedelta(milliseconds=1)
    return {"$add": [run.number, {"$floor": {"$divide": [{"$subtract": ["$at", run.since]}, ms]}}]}
