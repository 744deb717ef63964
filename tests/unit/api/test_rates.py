"""Windows of rate limits, and the headers that tell of them."""

from __future__ import annotations

import pytest

from services.api.access.rates import Rate, Tally, effective, headers_of, resets_in_s, window_at

REQUESTS = Rate(of="requests", per_minute=600)
MESSAGES = Rate(of="messages", per_minute=60)


@pytest.mark.parametrize(
    ("at", "window", "left_s"),
    [(0.0, 0, 60), (0.5, 0, 60), (1.0, 0, 59), (59.9, 0, 1), (60.0, 1, 60), (125.2, 2, 55)],
)
def test_windows_are_minutes_of_the_clock(at: float, window: int, left_s: int) -> None:
    assert (window_at(at), resets_in_s(at)) == (window, left_s)


@pytest.mark.parametrize(
    ("own", "default", "expected"),
    [(None, 0, 0), (None, 600, 600), (60, 600, 60), (0, 600, 0)],
    ids=["neither", "the deployment's", "its own", "expressly none"],
)
def test_a_keys_own_limit_comes_before_the_deployments(own: int | None, default: int, expected: int) -> None:
    assert effective(own, default) == expected


def test_both_spellings_tell_the_same() -> None:
    tally = Tally(rate=REQUESTS, remaining=599, resets_in_s=42)
    assert dict(headers_of([tally])) == {
        b"ratelimit-policy": b'"requests";q=600;w=60',
        b"ratelimit": b'"requests";r=599;t=42',
        b"ratelimit-limit": b"600",
        b"ratelimit-remaining": b"599",
        b"ratelimit-reset": b"42",
    }


def test_of_two_limits_the_older_spelling_tells_the_one_that_is_nearer() -> None:
    requests = Tally(rate=REQUESTS, remaining=599, resets_in_s=42)
    headers = dict(headers_of([requests, Tally(rate=MESSAGES, remaining=3, resets_in_s=42)]))
    assert headers[b"ratelimit-policy"] == b'"requests";q=600;w=60, "messages";q=60;w=60'
    assert headers[b"ratelimit"] == b'"requests";r=599;t=42, "messages";r=3;t=42'
    assert (headers[b"ratelimit-limit"], headers[b"ratelimit-remaining"]) == (b"60", b"3")


def test_without_a_limit_nothing_is_told() -> None:
    assert headers_of([]) == []
