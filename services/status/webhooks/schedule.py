"""When a delivery is tried again, when it is given up, and when an endpoint is: pure rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from libs.contracts.webhooks import DELIVERED, FAILED, MOST_ATTEMPTS_KEPT, WebhookAttempt, WebhookDelivery

JITTER = 0.2
"""A wait is longer by up to this share, so that what failed together does not come together again."""
MOST_RETRY_AFTER_S = 3_600.0
"""What an endpoint's `Retry-After` may ask for at most."""
GONE_STATUS = 410


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request. `retry_after_s`: what the endpoint asked for when it refused."""

    attempt: WebhookAttempt
    retry_after_s: float | None = None

    @property
    def is_delivered(self) -> bool:
        """Whether the endpoint has taken it: any 2xx."""
        return self.attempt.status is not None and 200 <= self.attempt.status < 300

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint says that it wants nothing any more."""
        return self.attempt.status == GONE_STATUS


def wait_after(failures: int, delays_s: Sequence[float], *, luck: float, retry_after_s: float | None) -> float | None:
    """Seconds until the next attempt after this many failed ones (1 or more); None: it is given up.

    `luck` is a random number in [0, 1).
    """
    if failures > len(delays_s):
        return None
    wait_s = delays_s[failures - 1] * (1 + JITTER * luck)
    return max(wait_s, min(retry_after_s or 0.0, MOST_RETRY_AFTER_S))


def after_attempt(
    row: WebhookDelivery, outcome: Outcome, delays_s: Sequence[float], *, luck: float, at: datetime
) -> WebhookDelivery:
    """The delivery as it is after this outcome, known at `at`."""
    tried = replace(row, attempts=row.attempts + 1, log=[*row.log, outcome.attempt][-MOST_ATTEMPTS_KEPT:])
    if outcome.is_delivered:
        return replace(tried, status=DELIVERED, settled_at=at)
    failures = row.failures + 1
    wait_s = wait_after(failures, delays_s, luck=luck, retry_after_s=outcome.retry_after_s)
    if wait_s is None:
        return replace(tried, status=FAILED, failures=failures, settled_at=at)
    return replace(tried, failures=failures, next_at=at + timedelta(seconds=wait_s))


def is_given_up(failing_since: datetime | None, last_success_at: datetime | None, at: datetime, *, days: float) -> bool:
    """Whether an endpoint has failed for so long, without one success, that it is disabled."""
    if failing_since is None or (last_success_at is not None and last_success_at >= failing_since):
        return False
    return at - failing_since >= timedelta(days=days)
