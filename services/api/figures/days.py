"""When the hours, days and months of a customer begin: pure calendar, in the customer's time zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR = timedelta(hours=1)


class Run(NamedTuple):
    """Spans that follow each other, all of one length: the first has this number and begins at this time."""

    number: int
    since: datetime
    until: datetime
    step: timedelta


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name; UTC for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def hour_began(at: datetime, zone: ZoneInfo) -> datetime:
    """When the hour began, UTC: at a full hour of the zone's clocks, which may be half past one in UTC."""
    local = at.astimezone(zone)
    within = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return at.astimezone(UTC) - within


def day_began(at: datetime, zone: ZoneInfo) -> datetime:
    """When the day began, UTC."""
    return _midnight(at.astimezone(zone))


def month_began(at: datetime, zone: ZoneInfo) -> datetime:
    """When the month began, UTC."""
    return _midnight(at.astimezone(zone).replace(day=1))


def hours_from(since: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """When the hours begin that hold any of this time, and the end of the last."""
    began = hour_began(since, zone)
    number = -((began - until) // HOUR)
    return [began + HOUR * each for each in range(number + 1)]


def days_from(since: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """When the days begin that hold any of this time, and the end of the last; a day may have 23 or 25 hours."""
    begins = [day_began(since, zone)]
    while begins[-1] < until:
        begins.append(_midnight(begins[-1].astimezone(zone) + timedelta(days=1)))
    return begins


def runs_of(begins: Sequence[datetime]) -> list[Run]:
    """The spans between these times, as runs of equal length: few, for only clocks that are changed end one."""
    spans = [(number, since, until - since) for number, (since, until) in enumerate(pairwise(begins))]
    runs: list[Run] = []
    for step, same in groupby(spans, key=lambda span: span[2]):
        members = list(same)
        number, since, _ = members[0]
        runs.append(Run(number, since, since + step * len(members), step))
    return runs


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
