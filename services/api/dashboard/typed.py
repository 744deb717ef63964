"""What people type into filters, as the stores want it."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.api.dashboard.rendering import Clock
from services.api.errors import invalid


def day_typed(text: str, name: str, clock: Clock, *, days: int = 0) -> datetime | None:
    """When this day begins where the customer lives, or the one after so many. Raises Refusal VALIDATION_FAILED."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=clock.zone) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise invalid(name, "it is a day such as 2026-11-20") from error
