"""From when to when a subscription runs: its cycles, what it follows or replaces, what is told of its end. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import MAXYEAR, datetime, timedelta

import msgspec

from libs.contracts.records import Subscription
from libs.contracts.subscriptions import standing

MONTHS = {"monthly": 1, "yearly": 12}
CHANGED, EXPIRING, EXPIRED = "changed", "expiring", "expired"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a new subscription of a customer goes."""

    starts_at: datetime
    ended: list[str] = []
    """Ids of those that run and end where it begins."""
    dropped: list[str] = []
    """Ids of those that were to begin later, and shall not."""


def place_for(plan_id: str, subscriptions: Sequence[Subscription], at: datetime) -> Place:
    """A subscription to the plan that runs already follows it; one to another plan takes its place at once.

    What was bought of the same plan for a later time stays.
    """
    term = standing(subscriptions, at)
    if term.active and term.subscription is not None and term.subscription.plan_id == plan_id and term.until:
        return Place(starts_at=term.until)
    bought = [row for row in subscriptions if row.status == "active"]
    return Place(
        starts_at=at,
        ended=[row.id for row in bought if row.started_at <= at and (row.ends_at is None or row.ends_at > at)],
        dropped=[row.id for row in bought if row.started_at > at and row.plan_id != plan_id],
    )


def end_after(start: datetime, billing_cycle: str, cycles: int) -> datetime:
    """The same time of day so many months or years later; the last day of a month that has no such day.

    Raises OverflowError beyond the year 9999.
    """
    months = start.year * 12 + start.month - 1 + MONTHS[billing_cycle] * cycles
    year, month = months // 12, months % 12 + 1
    if year > MAXYEAR:
        raise OverflowError(f"the year {year}")
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))


def next_notice(
    told: str, ends_at: datetime | None, at: datetime, *, warned_before: timedelta
) -> tuple[str | None, datetime | None]:
    """What is to be told of a subscription after `told` was, and when: first a change, then a warning, then the end."""
    if ends_at is None or told == EXPIRED:
        return None, None
    if told == CHANGED and at < ends_at - warned_before:
        return EXPIRING, ends_at - warned_before
    return EXPIRED, ends_at


def is_worth_telling(notice: str, subscription: Subscription, subscriptions: Sequence[Subscription]) -> bool:
    """Whether the customer is to hear of it: not of the end of one that another one follows or outlives."""
    if notice == CHANGED:
        return True
    if subscription.status != "active" or subscription.ends_at is None:
        return False
    return not standing(subscriptions, subscription.ends_at).active
