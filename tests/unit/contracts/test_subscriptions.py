"""Whether a customer's subscriptions allow anything, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.records import Allowance, Subscription
from libs.contracts.subscriptions import standing, status_of

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def bought(name: str = "one", **fields: Any) -> Subscription:
    """A subscription that began yesterday and has no end."""
    given: dict[str, Any] = {
        "id": name,
        "customer_id": "cus_1",
        "plan_id": "plan_1",
        "plan_name": "Warung",
        "allowance": Allowance(max_sessions=3),
        "price": 150_000,
        "currency": "IDR",
        "billing_cycle": "monthly",
        "created_at": AT - DAY,
        "started_at": AT - DAY,
    }
    return Subscription(**(given | fields))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "ACTIVE"),
        ({"started_at": AT}, "ACTIVE"),
        ({"ends_at": AT + DAY}, "ACTIVE"),
        ({"ends_at": AT}, "EXPIRED"),
        ({"status": "pending"}, "PENDING"),
        ({"status": "pending", "ends_at": AT}, "PENDING"),
        ({"status": "cancelled"}, "INACTIVE"),
        ({"status": "cancelled", "ends_at": AT}, "INACTIVE"),
        ({"held": True}, "INACTIVE"),
        ({"held": True, "ends_at": AT}, "EXPIRED"),
    ],
    ids=[
        "endless",
        "begins now",
        "running",
        "over now",
        "not paid",
        "not paid and over",
        "cancelled",
        "cancelled and over",
        "held",
        "held and over",
    ],
)
def test_one_subscription_alone(fields: dict[str, Any], status: str) -> None:
    term = standing([bought(**fields)], AT)
    assert (term.status, term.active) == (status, status == "ACTIVE")
    assert term.subscription is not None
    assert status_of(term.subscription, AT) == status


def test_who_has_none_may_nothing_and_never_will() -> None:
    term = standing([], AT)
    assert (term.status, term.subscription, term.until) == ("INACTIVE", None, None)


def test_of_two_that_run_the_newer_counts() -> None:
    term = standing([bought("new", started_at=AT - DAY), bought("old", started_at=AT - 2 * DAY)], AT)
    assert term.subscription is not None
    assert term.subscription.id == "new"


@pytest.mark.parametrize("later", [{"status": "pending"}, {"status": "cancelled"}, {"ends_at": AT}])
def test_one_that_runs_counts_before_a_newer_one_that_does_not(later: dict[str, Any]) -> None:
    term = standing([bought("runs", started_at=AT - 9 * DAY), bought("newer", **later)], AT)
    assert term.active
    assert term.subscription is not None
    assert term.subscription.id == "runs"


def test_one_that_is_yet_to_begin_allows_nothing_but_says_when_to_ask_again() -> None:
    over, next_one = bought("over", ends_at=AT), bought("next", started_at=AT + 2 * DAY)
    term = standing([next_one, over], AT)
    assert (term.status, term.until) == ("EXPIRED", AT + 2 * DAY)
    assert standing([next_one, over], AT + 2 * DAY).active
    assert status_of(next_one, AT) == "PENDING"


@pytest.mark.parametrize(
    ("others", "until"),
    [
        ([], AT + DAY),
        ([{"started_at": AT + DAY, "ends_at": AT + 5 * DAY}], AT + 5 * DAY),
        ([{"started_at": AT + DAY}], None),
        ([{"started_at": AT + 2 * DAY, "ends_at": AT + 5 * DAY}], AT + DAY),
        ([{"started_at": AT + DAY, "ends_at": AT + 5 * DAY, "status": "pending"}], AT + DAY),
        ([{"started_at": AT + DAY, "ends_at": AT + 5 * DAY, "held": True}], AT + DAY),
        (
            [
                {"started_at": AT + 4 * DAY, "ends_at": AT + 9 * DAY},
                {"started_at": AT + DAY, "ends_at": AT + 5 * DAY},
            ],
            AT + 9 * DAY,
        ),
        ([{"started_at": AT - 9 * DAY, "ends_at": AT + 3 * DAY}], AT + 3 * DAY),
    ],
    ids=[
        "alone",
        "followed",
        "followed for ever",
        "a gap",
        "not paid",
        "held",
        "a line of three",
        "an older one runs on",
    ],
)
def test_it_lasts_until_nothing_follows(others: list[dict[str, Any]], until: datetime | None) -> None:
    rows = [bought("first", ends_at=AT + DAY), *(bought(f"other {n}", **each) for n, each in enumerate(others))]
    assert standing(rows, AT).until == until


def test_at_the_time_it_names_the_standing_changes() -> None:
    rows = [bought("first", ends_at=AT + DAY), bought("second", started_at=AT + DAY, ends_at=AT + 3 * DAY)]
    until = standing(rows, AT).until
    assert until is not None
    assert standing(rows, until - timedelta(milliseconds=1)).active
    assert not standing(rows, until).active
