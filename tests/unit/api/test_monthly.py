"""When a customer's month begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.api.billing.monthly import Month
from services.api.billing.terms import month_began
from services.api.times import iso


@pytest.mark.parametrize(
    ("at", "time_zone", "row", "resets"),
    [
        (datetime(2026, 2, 28, 18, tzinfo=UTC), "Asia/Jakarta", "cus_1/2026-03", "2026-03-31T17:00:00.000Z"),
        (datetime(2026, 2, 28, 16, tzinfo=UTC), "Asia/Jakarta", "cus_1/2026-02", "2026-02-28T17:00:00.000Z"),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "UTC", "cus_1/2026-12", "2027-01-01T00:00:00.000Z"),
        (datetime(2026, 3, 1, 4, tzinfo=UTC), "America/New_York", "cus_1/2026-02", "2026-03-01T05:00:00.000Z"),
        (datetime(2026, 3, 20, 4, tzinfo=UTC), "America/New_York", "cus_1/2026-03", "2026-04-01T04:00:00.000Z"),
    ],
    ids=["already March in Jakarta", "still February", "over the year", "still February in New York", "summer time"],
)
def test_a_month_is_counted_where_the_customer_lives(at: datetime, time_zone: str, row: str, resets: str) -> None:
    month = Month("cus_1", month_began(at, time_zone), 10)
    assert (month.id, iso(month.next_began)) == (row, resets)
