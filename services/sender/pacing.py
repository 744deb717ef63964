"""How fast a session may send: a token bucket, and how many new contacts a young link may reach in a day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The speed of one session."""

    per_minute: float
    """Messages per minute in the long run."""
    burst: int
    """Messages that may leave at once after a rest."""
    jitter: float = 0.0
    """How much longer a pause may become at random, as a part of it."""


YOUNG_LINK_LIMITS = ((timedelta(days=1), 20), (timedelta(days=3), 50), (timedelta(days=7), 200))
"""First contacts in 24 hours while the link is younger than this."""
DAY = timedelta(days=1)


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """What a session may still send: `tokens` at the time `at`."""

    tokens: float
    at: datetime


def full(pace: Pace, now: datetime) -> Bucket:
    """The bucket of a session that has rested."""
    return Bucket(tokens=float(pace.burst), at=now)


def next_departure(bucket: Bucket, pace: Pace, now: datetime, chance: float) -> datetime:
    """When the next message may leave: now, or later. `chance` is a random number, 0 to 1, that sets the jitter."""
    missing = 1.0 - _filled(bucket, pace, now)
    if missing <= 0:
        return now
    pause_s = missing * 60.0 / pace.per_minute
    return now + timedelta(seconds=pause_s * (1 + pace.jitter * chance))


def after_departure(bucket: Bucket, pace: Pace, now: datetime) -> Bucket:
    """The bucket after one message has left."""
    return Bucket(tokens=max(0.0, _filled(bucket, pace, now) - 1.0), at=now)


def expected_departure(bucket: Bucket, pace: Pace, now: datetime, ahead: int) -> datetime:
    """When a message with `ahead` others before it will leave, if nothing else holds them up."""
    missing = max(0.0, ahead + 1.0 - _filled(bucket, pace, now))
    return now + timedelta(seconds=missing * 60.0 / pace.per_minute)


def first_contacts_a_day(linked_at: datetime | None, now: datetime) -> int | None:
    """How many new contacts a link of this age may reach in 24 hours; None: any number. No known age is a new link."""
    age = now - linked_at if linked_at is not None else timedelta()
    return next((most for younger_than, most in YOUNG_LINK_LIMITS if age < younger_than), None)


def next_first_contact(reached: Sequence[datetime], most: int, now: datetime) -> datetime:
    """When the next new contact may be reached: now, or when enough of those `reached` (oldest first) are a day old."""
    recent = [at for at in reached if at > now - DAY]
    return now if len(recent) < most else recent[len(recent) - most] + DAY


def _filled(bucket: Bucket, pace: Pace, now: datetime) -> float:
    passed_s = max(0.0, (now - bucket.at).total_seconds())
    return min(float(pace.burst), bucket.tokens + passed_s * pace.per_minute / 60.0)
