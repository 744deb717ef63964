"""When hours, days and months begin where a customer lives: with half hours, and with clocks that are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.counters import QUARTER_S
from services.api.figures.days import day_began, days_from, hour_began, hours_from, month_began, runs_of, zone_of

JAKARTA, DELHI, KATHMANDU, BERLIN = map(ZoneInfo, ("Asia/Jakarta", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin"))
PRESENT = datetime(2026, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "hour", "day", "month"),
    [
        pytest.param(JAKARTA, "2026-10-31T20:00", "2026-10-31T17:00", "2026-10-31T17:00", id="seven hours ahead"),
        pytest.param(DELHI, "2026-10-31T19:30", "2026-10-31T18:30", "2026-10-31T18:30", id="half an hour"),
        pytest.param(KATHMANDU, "2026-10-31T20:15", "2026-10-31T18:15", "2026-10-31T18:15", id="three quarters"),
        pytest.param(BERLIN, "2026-10-31T20:00", "2026-10-30T23:00", "2026-09-30T22:00", id="over a change of clocks"),
    ],
)
def test_spans_begin_by_the_clocks_of_the_zone(zone: ZoneInfo, hour: str, day: str, month: str) -> None:
    at = utc("2026-10-31T20:20")
    if zone is BERLIN:
        assert day_began(at, zone) == utc("2026-10-30T23:00")
    assert (hour_began(at, zone), day_began(at, zone), month_began(at, zone)) == (utc(hour), utc(day), utc(month))


def test_a_day_has_as_many_hours_as_its_clocks_say() -> None:
    begins = days_from(utc("2026-03-28T12:00"), utc("2026-03-30T12:00"), BERLIN)
    assert begins == [
        utc("2026-03-27T23:00"),
        utc("2026-03-28T23:00"),
        utc("2026-03-29T22:00"),
        utc("2026-03-30T22:00"),
    ]
    assert [(run.number, run.step // timedelta(hours=1)) for run in runs_of(begins)] == [(0, 24), (1, 23), (2, 24)]


def test_hours_hold_all_that_is_asked_for() -> None:
    begins = hours_from(utc("2026-01-01T10:20"), utc("2026-01-01T12:01"), JAKARTA)
    assert begins == [utc(f"2026-01-01T{hour}:00") for hour in (10, 11, 12, 13)]
    assert hours_from(utc("2026-01-01T10:00"), utc("2026-01-01T11:00"), JAKARTA) == begins[:2]


def test_a_year_without_changes_is_one_run() -> None:
    begins = days_from(PRESENT, PRESENT + timedelta(days=365), JAKARTA)
    (run,) = runs_of(begins)
    assert (run.since, run.until, run.step) == (begins[0], begins[-1], timedelta(days=1))


def test_an_unknown_zone_is_utc() -> None:
    assert zone_of("Mars/Olympus").key == zone_of("../etc/passwd").key == "UTC"


@given(
    zone=st.sampled_from(sorted(available_timezones())).map(ZoneInfo),
    at=st.datetimes(PRESENT.replace(tzinfo=None), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is given apart
)
def test_days_of_every_zone_begin_on_a_quarter_of_an_hour(zone: ZoneInfo, at: datetime) -> None:
    """So quarters make every customer's day."""
    began = day_began(at, zone)
    assert began <= at < began + timedelta(hours=25)
    assert began.timestamp() % QUARTER_S == hour_began(at, zone).timestamp() % QUARTER_S == 0
