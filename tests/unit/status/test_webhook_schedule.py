"""When a delivery is tried again, and when an endpoint is given up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from libs.contracts.webhooks import DELIVERED, FAILED, MOST_ATTEMPTS_KEPT, PENDING, WebhookStart
from services.status.settings import StatusSettings
from services.status.webhooks.schedule import JITTER, after_attempt, is_given_up, wait_after
from tests.unit.status.deliveries import T0, delivery, outcome, webhook

DELAYS = StatusSettings(nats_url="", mongodb_url="", secret_keys="").delays_s()


def test_the_schedule_is_the_one_that_is_promised() -> None:
    waits = [wait_after(failures, DELAYS, luck=0, retry_after_s=None) for failures in range(1, 9)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 36000, None]


def test_a_wait_is_longer_by_the_jitter_at_most_and_never_shorter() -> None:
    assert wait_after(1, DELAYS, luck=0.999999, retry_after_s=None) == pytest.approx(5 * (1 + JITTER), rel=1e-4)
    assert wait_after(1, DELAYS, luck=0, retry_after_s=None) == 5


@pytest.mark.parametrize(
    ("asked", "wait_s"), [(60.0, 60.0), (1.0, 5.0), (1e9, 3600.0)], ids=["longer", "shorter", "absurd"]
)
def test_an_endpoint_may_ask_for_a_longer_wait_up_to_an_hour(asked: float, wait_s: float) -> None:
    assert wait_after(1, DELAYS, luck=0, retry_after_s=asked) == wait_s


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_delivers(status: int) -> None:
    after = after_attempt(delivery(), outcome(status), DELAYS, luck=0, at=T0)
    assert (after.status, after.settled_at, after.attempts) == (DELIVERED, T0, 1)


@pytest.mark.parametrize("status", [None, 100, 301, 302, 307, 400, 404, 410, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    after = after_attempt(delivery(), outcome(status), DELAYS, luck=0, at=T0)
    assert (after.status, after.failures, after.next_at) == (PENDING, 1, T0 + timedelta(seconds=5))


def test_after_the_last_delay_the_delivery_is_given_up() -> None:
    row = delivery(failures=len(DELAYS))
    after = after_attempt(row, outcome(500), DELAYS, luck=0, at=T0)
    assert (after.status, after.settled_at) == (FAILED, T0)


def test_only_the_last_attempts_are_kept() -> None:
    row = delivery()
    for _ in range(MOST_ATTEMPTS_KEPT + 5):
        row = after_attempt(row, outcome(500), DELAYS, luck=0, at=T0)
    assert (row.attempts, len(row.log)) == (MOST_ATTEMPTS_KEPT + 5, MOST_ATTEMPTS_KEPT)


def test_an_endpoint_is_given_up_after_five_days_without_a_success() -> None:
    late = T0 + timedelta(days=5)
    assert is_given_up(T0, None, late, days=5)
    assert not is_given_up(T0, None, late - timedelta(seconds=1), days=5)
    assert not is_given_up(T0, T0 + timedelta(days=1), late, days=5)
    assert not is_given_up(None, None, late, days=5)


@pytest.mark.parametrize(
    ("fields", "session", "frame_type", "is_wanted"),
    [
        ({}, "s1", "message.sent", True),
        ({}, None, "credits.low", True),
        ({"events": ["message.*"]}, "s1", "message.sent", True),
        ({"events": ["message.*"]}, "s1", "session.qr", False),
        ({"events": ["session.qr", "message.sent"]}, "s1", "session.qr", True),
        ({"session_ids": ["s1"]}, "s1", "message.sent", True),
        ({"session_ids": ["s1"]}, "s2", "message.sent", False),
        ({"session_ids": ["s1"]}, None, "credits.low", False),
    ],
    ids=["all", "notice", "pattern", "other type", "two types", "session", "other session", "notice of a session"],
)
def test_a_webhook_takes_what_it_was_made_for(
    fields: dict[str, list[str]], session: str | None, frame_type: str, is_wanted: bool
) -> None:
    assert webhook(**fields).takes(session, frame_type) is is_wanted


def test_a_webhook_gets_nothing_from_before_its_start_unless_the_log_was_made_anew() -> None:
    made = webhook(start=WebhookStart(number=1, version=1, log="a", since=9))
    assert not made.has_begun("a", 9)
    assert made.has_begun("a", 10)
    assert made.has_begun("b", 1)
