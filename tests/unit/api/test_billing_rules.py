"""What a subscription allows, and how payments look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.api.accounts.records import Transaction
from services.api.billing.terms import (
    month_began,
    standing_of,
    statuses_asked,
    subscription_answer,
    transaction_data,
    transaction_view,
)
from tests.unit.api.builders import AT, HOUR, account, purchase, subscription


@pytest.mark.parametrize(
    ("fields", "status", "limit"),
    [
        (None, "INACTIVE", 0),
        ({}, "ACTIVE", 3),
        ({"ends_at": AT + HOUR}, "ACTIVE", 3),
        ({"ends_at": AT}, "EXPIRED", 0),
        ({"status": "pending"}, "PENDING", 0),
        ({"status": "cancelled"}, "INACTIVE", 0),
    ],
    ids=["none", "endless", "running", "over", "pending", "ended by hand"],
)
def test_only_an_active_subscription_allows_sessions(fields: dict[str, Any] | None, status: str, limit: int) -> None:
    bought = [] if fields is None else [subscription(**fields)]
    standing = standing_of(account(*bought), AT)
    assert (standing.status, standing.max_sessions, standing.active) == (status, limit, limit > 0)


@pytest.mark.parametrize(("used", "fits"), [(0, True), (2, True), (3, False), (4, False)])
def test_one_more_session_fits_below_the_limit(used: int, fits: bool) -> None:
    assert standing_of(account(subscription(), used=used), AT).can_create is fits


def test_an_unknown_customer_has_nothing_and_no_error() -> None:
    standing = standing_of(None, AT)
    assert (standing.package_name, standing.max_sessions, standing.features) == (None, 0, [])


def test_without_a_subscription_the_upper_case_half_is_left_out() -> None:
    body = msgspec.to_builtins(subscription_answer(standing_of(account(), AT), messages_this_month=7))
    assert "subscription" not in body
    assert body["usage"] == {"sessionsUsed": 0, "messagesThisMonth": 7}
    assert body["data"]["hasActiveSubscription"] is False
    assert body["data"]["packageName"] is None


def test_an_expired_subscription_is_shown_as_expired() -> None:
    standing = standing_of(account(subscription(ends_at=AT)), AT)
    body = msgspec.to_builtins(subscription_answer(standing, messages_this_month=0))
    assert body["subscription"]["status"] == "EXPIRED"
    assert body["data"]["status"] == "inactive"
    assert body["data"]["maxSessions"] == 0


def test_what_follows_without_a_gap_is_shown_as_the_end() -> None:
    now_on = subscription(ends_at=AT + HOUR)
    after = subscription(id="sub_2", started_at=AT + HOUR, ends_at=AT + 3 * HOUR)
    standing = standing_of(account(after, now_on), AT)
    assert (standing.subscription, standing.ends_at) == (now_on, AT + 3 * HOUR)


@pytest.mark.parametrize(
    ("status", "upper", "lower"),
    [
        ("success", "SUCCESS", "paid"),
        ("pending", "PENDING", "pending"),
        ("failed", "FAILED", "failed"),
        ("cancelled", "CANCELLED", "failed"),
    ],
)
def test_a_payment_in_both_dialects(status: str, upper: str, lower: str) -> None:
    row = Transaction(
        id="trx_1",
        created_at=AT,
        customer_id="cus_1",
        kind="subscription",
        description="Small",
        amount=1,
        currency="IDR",
        status=status,
        payment_method="bank",
        purchase=purchase(cycles=2),
    )
    assert (transaction_view(row).status, transaction_view(row).type) == (upper, "SUBSCRIPTION")
    data = transaction_data(row, None, AT)
    assert (data.status, data.duration, data.is_active) == (lower, 24, False)


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("SUCCESS", ["success"]),
        ("paid", ["success"]),
        ("failed", ["failed", "cancelled"]),
        ("FAILED", ["failed"]),
        ("other", None),
    ],
)
def test_a_query_takes_either_spelling(text: str, statuses: list[str] | None) -> None:
    assert statuses_asked(text) == statuses


def test_the_month_begins_where_the_customer_lives() -> None:
    at = datetime(2026, 2, 28, 18, 0, tzinfo=UTC)  # 1 March, 01:00 in Jakarta
    assert month_began(at, "Asia/Jakarta") == datetime(2026, 2, 28, 17, 0, tzinfo=UTC)
    assert month_began(at, "no/where") == datetime(2026, 2, 1, tzinfo=UTC)
