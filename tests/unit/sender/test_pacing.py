"""How fast a paced session may send."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.pacing import Bucket, Pace, after_departure, full, next_departure
from tests.unit.sender.builders import NOW, after

PACE = Pace(per_minute=20, burst=5)


@pytest.mark.parametrize(
    ("tokens", "passed_s", "leaves_after_s"),
    [(5.0, 0, 0), (1.0, 0, 0), (0.0, 0, 3), (0.5, 0, 1.5), (0.0, 1, 2), (0.0, 3, 0), (0.0, 3600, 0)],
)
def test_a_message_leaves_when_a_token_is_there(tokens: float, passed_s: float, leaves_after_s: float) -> None:
    now = after(passed_s)
    departure = next_departure(Bucket(tokens=tokens, at=NOW), PACE, now, 0.5)
    assert (departure - now).total_seconds() == pytest.approx(leaves_after_s)


def test_jitter_makes_a_pause_up_to_thirty_percent_longer_and_never_shorter() -> None:
    pace = Pace(per_minute=20, burst=5, jitter=0.3)
    empty = Bucket(tokens=0, at=NOW)
    pauses = [(next_departure(empty, pace, NOW, chance) - NOW).total_seconds() for chance in (0.0, 0.5, 1.0)]
    assert pauses == pytest.approx([3.0, 3.45, 3.9])


@settings(max_examples=50)
@given(st.lists(st.floats(min_value=0, max_value=30), min_size=30, max_size=60))
def test_no_minute_sees_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    bucket, now = full(PACE, NOW), NOW
    departures: list[float] = []
    for pause_s in pauses:
        now = max(next_departure(bucket, PACE, now, 0.0), now)
        bucket = after_departure(bucket, PACE, now)
        departures.append((now - NOW).total_seconds())
        now = after((now - NOW).total_seconds() + pause_s)
    for start in departures:
        assert sum(start <= moment < start + 60 for moment in departures) <= PACE.burst + PACE.per_minute + 1
