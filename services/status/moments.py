"""Times as MongoDB keeps them, so that a row in memory equals the row that is read back."""

from __future__ import annotations

from datetime import datetime


def as_stored(at: datetime) -> datetime:
    """The time, cut to milliseconds."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
