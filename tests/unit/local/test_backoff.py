"""When a crashed child is started again."""

import pytest

from infra.local.backoff import crashes_after, restart_delay_s


@pytest.mark.parametrize(
    ("crashes", "delay_s"), [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6), (5, 3.2), (6, 5.0), (7, 5.0), (5000, 5.0)]
)
def test_the_delay_doubles_from_200_ms_to_5_s(crashes: int, delay_s: float) -> None:
    assert restart_delay_s(crashes) == pytest.approx(delay_s)


@pytest.mark.parametrize(("ran_s", "expected"), [(0.0, 5), (9.9, 5), (10.0, 1), (3600.0, 1)])
def test_ten_stable_seconds_forget_the_crashes_before(ran_s: float, expected: int) -> None:
    assert crashes_after(4, ran_s) == expected
