"""The present, and times as the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime

from libs.contracts.times import Time, iso, iso_or_none

__all__ = ["Time", "iso", "iso_or_none", "now"]


def now() -> datetime:
    """The present, UTC, cut to the milliseconds that MongoDB keeps."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
