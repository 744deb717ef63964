"""Times as customers see them: always three digits and `Z`, whatever the time was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.contracts.times import iso, iso_or_none

WHOLE_SECOND = datetime(2025, 11, 20, 9, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        pytest.param(WHOLE_SECOND, "2025-11-20T09:00:03.000Z", id="a whole second"),
        pytest.param(WHOLE_SECOND.replace(microsecond=7_999), "2025-11-20T09:00:03.007Z", id="microseconds"),
        pytest.param(
            WHOLE_SECOND.astimezone(timezone(timedelta(hours=7))), "2025-11-20T09:00:03.000Z", id="another time zone"
        ),
    ],
)
def test_a_time_is_shown_in_utc_with_exactly_milliseconds(at: datetime, shown: str) -> None:
    assert iso(at) == iso_or_none(at) == shown


def test_no_time_is_shown_as_none() -> None:
    assert iso_or_none(None) is None
