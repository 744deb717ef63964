"""When something happened, by WhatsApp's clock and by ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.sessions.moments import moment_of

NOW = datetime(2026, 7, 14, 8, 15, 30, 650_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told_s", "moment_s"),
    [
        pytest.param(-0.65, 0, id="this second"),
        pytest.param(-1.65, -0.651, id="the second before: its end"),
        pytest.param(-59.65, -58.651, id="lately"),
        pytest.param(0.35, 0.35, id="a clock that is ahead"),
        pytest.param(-86_400.65, -86_400.65, id="while we were away"),
        pytest.param(-0.64, -0.64, id="told to the millisecond"),
    ],
)
def test_what_was_told_lately_happened_within_its_second_when_we_heard_of_it(told_s: float, moment_s: float) -> None:
    assert moment_told(told_s, NOW) == NOW + timedelta(seconds=moment_s)


def test_what_we_heard_of_later_in_the_same_second_happened_no_earlier() -> None:
    heard = [NOW + timedelta(milliseconds=ms) for ms in (0, 340, 349, 350, 900, 5_000)]
    moments = [moment_told(-0.65, at) for at in heard]
    assert moments == sorted(moments)


def moment_told(told_s: float, heard: datetime) -> datetime:
    told = NOW + timedelta(seconds=told_s)
    return moment_of(round(told.timestamp() * 1000), heard)
