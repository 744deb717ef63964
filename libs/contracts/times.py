"""Times as customers see them, in every answer and every frame: ISO-8601 in UTC with milliseconds and `Z`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

Time = Annotated[
    str,
    Meta(description="ISO-8601, UTC, with milliseconds and `Z`.", extra_json_schema={"format": "date-time"}),
]


def iso(at: datetime) -> Time:
    """The time as it is shown; what lies below a millisecond is cut, as MongoDB cuts it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def iso_or_none(at: datetime | None) -> Time | None:
    """`iso`, or None for none."""
    return None if at is None else iso(at)
