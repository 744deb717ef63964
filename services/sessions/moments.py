"""When something happened: WhatsApp tells it in whole seconds, by a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
LATELY = timedelta(minutes=1)
"""What was told no longer ago came while we listened; what is older waited for us."""
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Now, by this machine's clock."""
    return datetime.now(UTC)


def moment_of(at_ms: int, now: datetime) -> datetime:
    """The moment that WhatsApp told; of a whole second told lately, the one within it at which we heard of it.

    Its end when we heard of it after that. Else an answer would seem to come before the message it answers, which our
    clock dates to the millisecond, and a second edit before the first.
    """
    told = datetime.fromtimestamp(at_ms / 1000, UTC)
    if at_ms % 1000 or not told <= now < told + LATELY:
        return told
    return min(now, told + SECOND - MILLISECOND)
