"""Which message of a session leaves next."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.records import OutboxRow
from services.sender import rows
from services.sender.order import Waiting
from tests.unit.sender.builders import NOW, after, queued_row, sending_row

replace = msgspec.structs.replace


def waiting(*given_rows: OutboxRow) -> Waiting:
    made = Waiting(unknown_limit_s=86_400)
    for row in given_rows:
        made.put(row)
    return made


def drained(lane: Waiting) -> list[str]:
    taken: list[str] = []
    while (row := lane.take(NOW)) is not None:
        taken.append(row.id)
        lane.remove(row.id)
    return taken


@settings(max_examples=60)
@given(st.permutations(range(12)), st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_rows_leave_by_priority_then_order_however_they_came(orders: list[int], priorities: list[int]) -> None:
    given_rows = [queued_row(f"m{order}", order=order, priority=priorities[order]) for order in orders]
    expected = [row.id for row in sorted(given_rows, key=lambda row: (row.priority, row.order))]
    assert drained(waiting(*given_rows)) == expected


def test_a_row_that_is_not_yet_due_lets_others_pass() -> None:
    lane = waiting(queued_row("later", order=1, due_at=after(60)), queued_row("now", order=2))
    assert drained(lane) == ["now"]
    assert lane.next_due() == after(60)


def test_a_row_in_hand_is_not_taken_again_until_it_is_put_back() -> None:
    lane = waiting(queued_row("a"))
    row = lane.take(NOW)
    assert row is not None
    lane.keep(rows.handing_over(row))
    assert lane.take(NOW) is None
    lane.put(rows.handing_over(row))
    again = lane.take(NOW)
    assert again is not None
    assert again.id == "a"


def test_a_row_that_was_put_twice_is_taken_once() -> None:
    lane = waiting(queued_row("a"), queued_row("a"))
    assert lane.take(NOW) is not None
    assert lane.take(NOW) is None


def test_a_row_put_back_goes_first_again() -> None:
    lane = waiting(queued_row("a", order=1), queued_row("b", order=2))
    row = lane.take(NOW)
    assert row is not None
    lane.put(replace(row, attempts=1))
    assert drained(lane) == ["a", "b"]


def test_a_row_that_steps_behind_lets_all_others_go_first() -> None:
    lane = waiting(*(queued_row(f"m{order}", order=order) for order in (1, 2, 3)))
    row = lane.take(NOW)
    assert row is not None
    lane.put(rows.behind_others(replace(row, attempts=10), last_order=lane.last_order, due_at=NOW))
    assert drained(lane) == ["m2", "m3", "m1"]


def test_a_removed_row_never_comes_up() -> None:
    lane = waiting(queued_row("a", order=1), queued_row("b", order=2))
    lane.remove("a")
    assert drained(lane) == ["b"]


def test_a_row_that_awaits_a_receipt_is_not_tried() -> None:
    lane = waiting(rows.awaiting_receipt(sending_row("a"), "REFUSED", "no", after(-1), NOW), queued_row("b", order=2))
    assert drained(lane) == ["b"]


def test_a_row_put_back_that_awaits_a_receipt_is_not_tried() -> None:
    lane = waiting(queued_row("a"))
    row = lane.take(NOW)
    assert row is not None
    lane.put(rows.awaiting_receipt(rows.handing_over(row), "REFUSED", "no", after(600), NOW))
    assert lane.take(after(601)) is None
    assert [found.id for found in lane.overdue(after(601))] == ["a"]


def test_overdue_rows_are_found_once() -> None:
    lane = waiting(queued_row("a", expires_at=after(5)), queued_row("b", order=2, expires_at=after(50)))
    assert lane.next_deadline() == after(5)
    assert [row.id for row in lane.overdue(after(6))] == ["a"]
    assert lane.overdue(after(6)) == []


def test_the_row_in_hand_is_not_overdue_before_it_is_put_back() -> None:
    lane = waiting(queued_row("a", expires_at=after(5)))
    row = lane.take(NOW)
    assert row is not None
    assert lane.overdue(after(6)) == []
    lane.put(row)
    assert [found.id for found in lane.overdue(after(6))] == ["a"]


def test_a_chat_that_is_held_lets_the_others_pass_and_keeps_its_order() -> None:
    lane = waiting(*(queued_row(f"{to}{order}", order=order, to=to) for order, to in enumerate("ababa")))
    lane.hold("a", after(10))
    assert drained(lane) == ["b1", "b3"]
    assert lane.next_due() == after(10)
    assert lane.take(after(9)) is None
    assert [row.id for row in iter(lambda: lane.take(after(10)), None)] == ["a0", "a2", "a4"]


def test_a_chat_that_is_held_for_longer_is_not_free_at_the_first_end() -> None:
    lane = waiting(queued_row("a", to="x"))
    lane.hold("x", after(10))
    lane.hold("x", after(20))
    assert lane.take(after(15)) is None
    assert lane.take(after(20)) is not None


def test_a_chat_that_is_freed_goes_on_at_once_and_a_removed_row_does_not_come_back() -> None:
    lane = waiting(queued_row("a", order=1, to="x"), queued_row("b", order=2, to="x"), queued_row("c", order=3, to="y"))
    lane.hold("x", after(10))
    lane.hold("y", after(10))
    assert lane.take(NOW) is None
    lane.remove("a")
    lane.free("x")
    assert drained(lane) == ["b"]
    lane.free_all()
    assert drained(lane) == ["c"]


def test_what_rows_wait_for_is_counted() -> None:
    lane = waiting(queued_row("a"), queued_row("b", waiting_for="lookup", resume_at=after(9)))
    assert (lane.waits, lane.first_end("lookup")) == ({"lookup": 1}, after(9))
    lane.keep(queued_row("a", waiting_for="lookup", resume_at=after(5)))
    assert (lane.waits, lane.first_end("lookup")) == ({"lookup": 2}, after(5))
    lane.remove("b")
    lane.keep(queued_row("a"))
    assert lane.waits == {}
