"""Whether a customer's subscriptions allow anything at a time, and until when: the one rule of api and sender."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from libs.contracts.records import Subscription

ACTIVE, INACTIVE, PENDING, EXPIRED = "ACTIVE", "INACTIVE", "PENDING", "EXPIRED"


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer's subscriptions come to at one time."""

    status: str = INACTIVE
    """`ACTIVE INACTIVE PENDING EXPIRED`."""
    subscription: Subscription | None = None
    """The one that counts: the newest that runs, else the newest that has begun."""
    until: datetime | None = None
    """When it is to be asked again: the end of all that follows without a gap, or, while none is active, when the next
    one begins. None: never, unless a subscription is changed."""

    @property
    def active(self) -> bool:
        """Whether sessions may be made and started, and messages sent."""
        return self.status == ACTIVE


def standing(subscriptions: Iterable[Subscription], at: datetime) -> Term:
    """What these subscriptions, all of one customer, come to at this time."""
    newest_first = sorted(subscriptions, key=_age, reverse=True)
    running = next((row for row in newest_first if _runs(row, at)), None)
    if running is not None:
        return Term(status=ACTIVE, subscription=running, until=_end_of_the_line(running, newest_first))
    shown = next((row for row in newest_first if row.started_at <= at), None)
    return Term(
        status=INACTIVE if shown is None else _status_of_one_that_rests(shown, at),
        subscription=shown,
        until=min((row.started_at for row in newest_first if _allows(row) and row.started_at > at), default=None),
    )


def status_of(subscription: Subscription, at: datetime) -> str:
    """`ACTIVE INACTIVE PENDING EXPIRED`, of one subscription alone; one that has not begun is PENDING."""
    if _runs(subscription, at):
        return ACTIVE
    if _allows(subscription) and subscription.started_at > at:
        return PENDING
    return _status_of_one_that_rests(subscription, at)


def _age(subscription: Subscription) -> tuple[datetime, datetime, str]:
    return subscription.started_at, subscription.created_at, subscription.id


def _allows(subscription: Subscription) -> bool:
    return subscription.status == "active" and not subscription.held


def _runs(subscription: Subscription, at: datetime) -> bool:
    ends_at = subscription.ends_at
    return _allows(subscription) and subscription.started_at <= at and (ends_at is None or at < ends_at)


def _status_of_one_that_rests(subscription: Subscription, at: datetime) -> str:
    if subscription.status == "pending":
        return PENDING
    if subscription.status == "active" and subscription.ends_at is not None and subscription.ends_at <= at:
        return EXPIRED
    return INACTIVE


def _end_of_the_line(running: Subscription, subscriptions: list[Subscription]) -> datetime | None:
    """When the customer has nothing any more: one that begins before another's end carries on."""
    end = running.ends_at
    for row in sorted((row for row in subscriptions if _allows(row)), key=_age):
        if end is None:
            return None
        if row.started_at <= end and (row.ends_at is None or row.ends_at > end):
            end = row.ends_at
    return end
