"""From when to when a subscription runs, and what is told of its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.billing.cycles import end_after, is_worth_telling, next_notice, place_for
from tests.unit.api.builders import AT, subscription

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "cycle", "cycles", "end"),
    [
        ((2026, 1, 15), "monthly", 1, (2026, 2, 15)),
        ((2026, 1, 31), "monthly", 1, (2026, 2, 28)),
        ((2028, 1, 31), "monthly", 1, (2028, 2, 29)),
        ((2026, 11, 30), "monthly", 3, (2027, 2, 28)),
        ((2026, 12, 1), "monthly", 1, (2027, 1, 1)),
        ((2026, 1, 15), "monthly", 24, (2028, 1, 15)),
        ((2028, 2, 29), "yearly", 1, (2029, 2, 28)),
        ((2026, 3, 4), "yearly", 2, (2028, 3, 4)),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_a_cycle_ends_at_the_same_time_of_a_later_month(
    start: tuple[int, int, int], cycle: str, cycles: int, end: tuple[int, int, int]
) -> None:
    assert end_after(datetime(*start, 5, 6, 7, tzinfo=UTC), cycle, cycles) == datetime(*end, 5, 6, 7, tzinfo=UTC)


def test_there_is_no_end_beyond_the_calendar() -> None:
    with pytest.raises(OverflowError):
        end_after(AT, "yearly", 8_000)


def test_more_of_the_same_plan_follows_what_is_there() -> None:
    first = subscription(ends_at=AT + DAY)
    second = subscription(id="sub_2", started_at=AT + DAY, ends_at=AT + 3 * DAY)
    place = place_for("plan_1", [first, second], AT)
    assert (place.starts_at, place.ended, place.dropped) == (AT + 3 * DAY, [], [])


@pytest.mark.parametrize(
    ("plan_id", "fields"),
    [("plan_2", {"ends_at": AT + DAY}), ("plan_1", {}), ("plan_2", {})],
    ids=["another plan", "the same without end", "another, without end"],
)
def test_anything_else_begins_now_and_takes_the_place_of_what_there_is(plan_id: str, fields: dict[str, Any]) -> None:
    later = subscription(id="sub_2", started_at=AT + DAY)
    over = subscription(id="sub_0", ends_at=AT)
    unpaid = subscription(id="sub_3", status="pending")
    place = place_for(plan_id, [subscription(**fields), *([later] if "ends_at" in fields else []), over, unpaid], AT)
    assert (place.starts_at, place.ended) == (AT, ["sub_1"])
    assert place.dropped == (["sub_2"] if "ends_at" in fields else [])


def test_what_was_bought_of_the_same_plan_for_later_stays() -> None:
    over, later = subscription(ends_at=AT), subscription(id="sub_2", started_at=AT + DAY)
    place = place_for("plan_1", [over, later], AT)
    assert (place.starts_at, place.ended, place.dropped) == (AT, [], [])
    assert place_for("plan_2", [over, later], AT).dropped == ["sub_2"]


@pytest.mark.parametrize(
    ("told", "ends_at", "at", "next_one"),
    [
        ("changed", AT + 9 * DAY, AT, ("expiring", AT + 6 * DAY)),
        ("changed", AT + 2 * DAY, AT, ("expired", AT + 2 * DAY)),
        ("changed", AT, AT + DAY, ("expired", AT)),
        ("changed", None, AT, (None, None)),
        ("expiring", AT + 3 * DAY, AT, ("expired", AT + 3 * DAY)),
        ("expiring", AT + 9 * DAY, AT, ("expired", AT + 9 * DAY)),
        ("expired", AT, AT, (None, None)),
    ],
    ids=["far", "near", "missed", "endless", "warned", "warned early", "told"],
)
def test_a_change_a_warning_and_the_end_are_told_in_turn(
    told: str, ends_at: datetime | None, at: datetime, next_one: tuple[str | None, datetime | None]
) -> None:
    assert next_notice(told, ends_at, at, warned_before=3 * DAY) == next_one


@pytest.mark.parametrize(
    ("notice", "fields", "others", "is_told"),
    [
        ("expired", {}, [], True),
        ("expiring", {}, [], True),
        ("expired", {}, [{"started_at": AT + DAY}], False),
        ("expiring", {}, [{"ends_at": AT + 9 * DAY}], False),
        ("expired", {}, [{"started_at": AT + DAY, "status": "pending"}], True),
        ("expired", {"status": "cancelled"}, [], False),
        ("changed", {"status": "cancelled"}, [], True),
    ],
    ids=["end", "warning", "followed", "outlived", "follower not paid", "cancelled before", "a cancellation itself"],
)
def test_the_end_is_told_only_of_what_nothing_follows(
    notice: str, fields: dict[str, Any], others: list[dict[str, Any]], is_told: bool
) -> None:
    row = subscription(ends_at=AT + DAY, **fields)
    rows = [row, *(subscription(id=f"sub_{n + 2}", **each) for n, each in enumerate(others))]
    assert is_worth_telling(notice, row, rows) is is_told
