"""When things are due, and that what is over stays in no memory."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.sender.due_times import MOST_OUTDATED, DueTimes
from services.sender.order import Waiting
from tests.unit.sender.builders import after, queued_row

KEYS, TIMES = st.sampled_from("abcd"), st.integers(0, 9)
CHANGES = st.lists(st.tuples(KEYS, st.none() | TIMES) | TIMES, max_size=200)


@given(CHANGES)
def test_it_is_a_table_of_one_time_for_each_key(changes: list[tuple[str, int | None] | int]) -> None:
    times, table = DueTimes(), dict[str, int]()
    for change in changes:
        match change:
            case (key, None):
                times.drop(key)
                table.pop(key, None)
            case (key, second):
                times.set(key, after(second))
                table[key] = second
            case now:
                due = sorted((second, key) for key, second in table.items() if second <= now)
                assert list(times.due(after(now))) == [key for _, key in due]
                table = {key: second for key, second in table.items() if second > now}
        assert sorted(times.all()) == sorted(table)
        assert times.first() == (after(min(table.values())) if table else None)
        assert times.size <= 2 * len(table) + MOST_OUTDATED


def test_a_lane_forgets_the_times_of_what_has_left_and_of_what_was_tried_again() -> None:
    waiting = Waiting(unknown_limit_s=600)
    for number in range(1_000):
        one = queued_row(f"m{number}", order=number, expires_at=after(7 * 24 * 3600))
        for second in range(3):
            waiting.put(msgspec.structs.replace(one, due_at=after(3600 + second)))
        if number:
            waiting.remove(one.id)
    assert waiting.times_in_memory <= 2 * (MOST_OUTDATED + 2)
    assert waiting.next_deadline() == after(7 * 24 * 3600)
