"""When a session asks about new numbers again."""

from __future__ import annotations

from services.sessions.lookups import LookUps


def test_a_session_that_was_not_limited_asks_at_once() -> None:
    assert LookUps().paused_for("s1", 100.0) == 0


def test_each_pause_is_twice_as_long_as_the_one_before_up_to_a_limit() -> None:
    look_ups, now, pauses = LookUps(first_s=10, longest_s=50), 0.0, list[float]()
    for _ in range(5):
        pauses.append(look_ups.limited("s1", now))
        now += pauses[-1]
    assert pauses == [10, 20, 40, 50, 50]


def test_questions_that_were_on_their_way_together_lengthen_the_pause_once() -> None:
    look_ups = LookUps(first_s=10)
    assert look_ups.limited("s1", 100.0) == 10
    assert look_ups.limited("s1", 103.0) == 7
    assert look_ups.paused_for("s1", 104.0) == 6
    assert look_ups.paused_for("s1", 110.0) == 0


def test_an_answer_ends_the_pause_and_its_growth() -> None:
    look_ups = LookUps(first_s=10)
    look_ups.limited("s1", 0.0)
    look_ups.answered("s1")
    assert look_ups.paused_for("s1", 1.0) == 0
    assert look_ups.limited("s1", 2.0) == 10


def test_a_limit_of_one_session_is_its_own() -> None:
    look_ups = LookUps()
    look_ups.limited("s1", 0.0)
    assert look_ups.paused_for("s2", 1.0) == 0
