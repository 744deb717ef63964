"""Cursors of lists that are in the order of a time, and of ids within a millisecond; the newest first."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any


def cursor_behind(at: datetime, row_id: str) -> str:
    """Where the page after this row begins."""
    text = f"{round(at.timestamp() * 1000)}/{row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def behind(cursor: str, field: str) -> list[dict[str, Any]]:
    """The conditions on what lies behind a cursor, in the order of the time in `field`. Raises ValueError: not ours.

    The bound on the time is what an index is entered by; the rest concerns what happened in the same millisecond.
    """
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        milliseconds, _, row_id = text.partition("/")
        at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(milliseconds))
    except (binascii.Error, UnicodeError, ValueError, OverflowError) as error:
        raise ValueError("not a cursor of this list") from error
    return [{field: {"$lte": at}}, {"$or": [{field: {"$lt": at}}, {"_id": {"$lt": row_id}}]}]
