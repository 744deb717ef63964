"""Which of a session's numbers something belongs to, also where an older version noted none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.numbers import (
    BEFORE_ALL,
    MOST_NOTED,
    NOT_NOTED,
    is_of_another_number,
    number_at,
    numbers_of,
    present_number,
    with_number,
)
from libs.contracts.records import LinkedNumber, SessionState

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
A, B = "6281111111111", "6282222222222"
BEFORE, AFTER = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)


def linked(number: str, since: datetime = NOW) -> LinkedNumber:
    return LinkedNumber(number=number, since=since)


def state(**fields: Any) -> SessionState:
    return SessionState(id="s", customer_id="c", network="simulator", shard=0, updated_at=NOW, **fields)


@pytest.mark.parametrize(
    ("stored", "numbers"),
    [
        pytest.param(None, [], id="no state"),
        pytest.param(state(), [], id="never linked"),
        pytest.param(state(numbers=[linked(A)], phone=B, linked=True), [linked(A)], id="noted"),
        pytest.param(state(linked=True, phone=A, linked_at=NOW), [linked(A)], id="the first link, not noted"),
        pytest.param(
            state(linked=True, phone=B, linked_at=NOW, link=2),
            [linked(NOT_NOTED, BEFORE_ALL), linked(B)],
            id="a later link, not noted",
        ),
        pytest.param(state(link=2), [linked(NOT_NOTED, BEFORE_ALL)], id="logged out, not noted"),
    ],
)
def test_the_numbers_of_a_state(stored: SessionState | None, numbers: list[LinkedNumber]) -> None:
    assert numbers_of(stored) == numbers


def test_the_same_number_linked_again_is_no_change() -> None:
    assert with_number([linked(A)], A, AFTER) == [linked(A)]
    assert with_number([linked(A)], B, AFTER) == [linked(A), linked(B, AFTER)]


def test_nothing_from_before_a_link_is_of_its_number_although_times_are_stored_in_milliseconds() -> None:
    accepted, link = NOW + timedelta(microseconds=300), NOW + timedelta(microseconds=900)
    numbers = with_number([linked(A, BEFORE)], B, link)
    assert numbers == [linked(A, BEFORE), linked(B, NOW + timedelta(milliseconds=1))]
    assert number_at(numbers, accepted) == A
    assert number_at(numbers, NOW + timedelta(milliseconds=1)) == B


def test_numbers_are_bounded_and_what_is_forgotten_is_no_number_of_today() -> None:
    numbers: list[LinkedNumber] = []
    for change in range(3 * MOST_NOTED):
        numbers = with_number(numbers, f"62{change}", NOW + timedelta(days=change))
    assert len(numbers) == MOST_NOTED
    assert number_at(numbers, NOW) == NOT_NOTED
    assert present_number(numbers) == f"62{3 * MOST_NOTED - 1}"


@pytest.mark.parametrize(
    ("number", "at", "numbers", "another"),
    [
        pytest.param(None, BEFORE, [], False, id="none was ever linked"),
        pytest.param(None, BEFORE, [linked(A)], False, id="before the first link"),
        pytest.param(None, BEFORE, [linked(A, BEFORE), linked(B)], True, id="while another was linked"),
        pytest.param(None, NOW, [linked(A, BEFORE), linked(B)], False, id="from the link on"),
        pytest.param(A, AFTER, [linked(A, BEFORE), linked(B)], True, id="the number itself counts"),
        pytest.param(B, BEFORE, [linked(A, BEFORE), linked(B)], False, id="released to the present one"),
        pytest.param(A, BEFORE, [linked(A, BEFORE), linked(B), linked(A, AFTER)], False, id="the former one again"),
        pytest.param(None, BEFORE, [linked(NOT_NOTED, BEFORE_ALL), linked(B)], True, id="not noted, and linked anew"),
        pytest.param(None, AFTER, [linked(NOT_NOTED, BEFORE_ALL), linked(B)], False, id="not noted, and since then"),
    ],
)
def test_what_belongs_to_another_number(
    number: str | None, at: datetime, numbers: list[LinkedNumber], another: bool
) -> None:
    assert is_of_another_number(number, at, numbers) is another
