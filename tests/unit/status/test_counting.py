"""What each rise counts, by the whole way of a message: once, at its own time, with how long it took."""

from __future__ import annotations

from collections import Counter as Sums
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.counters import BOUNDS_MS, DAY, EVERY, NAMES, QUARTER, part_of, quantile_ms
from libs.contracts.events import AnyFact
from libs.contracts.records import MessageRow
from services.status.counters.counting import tallies_of
from services.status.frames import Step
from services.status.projection import project
from tests.unit.status.builders import (
    CUSTOMER,
    PHONE,
    ROW,
    SESSION,
    T0,
    WA_ID,
    at,
    edited,
    held,
    progressed,
    queued,
    receipt,
    received,
)


def steps_of(*facts: AnyFact, row: str = ROW) -> list[Step]:
    """The facts, each with the row as it is after it."""
    rows: list[MessageRow] = []
    steps: list[Step] = []
    for seq, fact in enumerate(facts, start=1):
        after = project(rows[-1] if rows else None, fact, seq, row=row, shard=7)
        assert after is not None
        rows.append(after)
        steps.append(Step(seq, fact, [after]))
    return steps


def counted(*facts: AnyFact) -> dict[str, int]:
    """What they count in all quarters together, without how long it took."""
    sums: Sums[str] = Sums()
    for tally in tallies_of(steps_of(*facts)):
        if tally.place.span == QUARTER:
            sums.update({name: number for name, number in tally.sums().items() if name in NAMES})
    return dict(sums)


def mine(**more: Any) -> AnyFact:
    """A message that the phone itself has sent, with the WhatsApp id of the tests' row."""
    return received("own", from_me=True, wa_id=WA_ID, **more)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param([queued()], {"queued": 1}, id="queued"),
        pytest.param(
            [queued(), progressed("sending"), progressed("sent"), receipt("delivered"), receipt("read")],
            {"queued": 1, "sent": 1, "delivered": 1, "read": 1},
            id="the whole way",
        ),
        pytest.param(
            [queued(), progressed("sent"), receipt("read"), receipt("delivered"), receipt("read", "again")],
            {"queued": 1, "sent": 1, "delivered": 1, "read": 1},
            id="a late and a repeated receipt change nothing",
        ),
        pytest.param(
            [queued(), progressed("sent"), receipt("read"), receipt("played")],
            {"queued": 1, "sent": 1, "delivered": 1, "read": 1},
            id="what was played was read once",
        ),
        pytest.param(
            [receipt("delivered"), queued(), progressed("sent")],
            {"queued": 1, "sent": 1, "delivered": 1},
            id="a receipt that outran its message",
        ),
        pytest.param(
            [queued(), progressed("failed"), queued("q2", attempts=1), progressed("sent", "s2", attempts=2)],
            {"queued": 1, "failed": 1, "sent": 1},
            id="queued again, accepted once",
        ),
        pytest.param(
            [queued(), progressed("failed"), receipt("delivered")],
            {"queued": 1, "failed": 1, "sent": 1, "delivered": 1},
            id="evidence after a failure",
        ),
        pytest.param([queued(), progressed("cancelled")], {"queued": 1, "cancelled": 1}, id="cancelled"),
        pytest.param([queued(), progressed("expired")], {"queued": 1, "expired": 1}, id="expired"),
        pytest.param([received()], {"received": 1}, id="received"),
        pytest.param([mine(), receipt("delivered"), receipt("read")], {"fromPhone": 1}, id="from the phone"),
        pytest.param([queued(), edited(from_me=True), held("session")], {"queued": 1}, id="what is no rise"),
    ],
)
def test_rises_are_counted_once(facts: list[AnyFact], expected: dict[str, int]) -> None:
    assert counted(*facts) == expected


def test_a_rise_is_counted_in_the_quarter_and_the_day_in_which_it_happened() -> None:
    late = datetime(2026, 3, 1, 23, 59, 59, 999_000, tzinfo=UTC)
    facts = [queued(accepted_at=late, at=late), progressed("sent", at=late + timedelta(seconds=1))]
    places = {tally.place: tally.sums() for tally in tallies_of(steps_of(*facts))}
    assert {(place.span, place.type, place.at): sums for place, sums in places.items() if "queued" in sums} == {
        (QUARTER, "text", datetime(2026, 3, 1, 23, 45, tzinfo=UTC)): {"queued": 1},
        (DAY, EVERY, datetime(2026, 3, 1, tzinfo=UTC)): {"queued": 1},
    }
    assert {place.at for place, sums in places.items() if "sent" in sums} == {datetime(2026, 3, 2, tzinfo=UTC)}
    assert len({place.id for place in places}) == 4
    assert {(place.customer_id, place.session_id) for place in places} == {(CUSTOMER, SESSION), (CUSTOMER, EVERY)}


def test_what_took_how_long_is_measured_from_the_step_before() -> None:
    facts = [queued(), progressed("sent", seconds=0.3), receipt("delivered", seconds=2), receipt("read", seconds=65)]
    sums: Sums[str] = Sums()
    for tally in tallies_of(steps_of(*facts)):
        sums.update(tally.sums())
    took = {name: number for name, number in sums.items() if "After" in name}
    assert took == {
        **{"sentAfter.number": 1, "sentAfter.ms": 300, "sentAfter.parts.1": 1},
        **{"deliveredAfter.number": 1, "deliveredAfter.ms": 1_700, "deliveredAfter.parts.3": 1},
        **{"readAfter.number": 1, "readAfter.ms": 64_700, "readAfter.parts.7": 1},
    }


@pytest.mark.parametrize(
    ("facts", "ms"),
    [
        pytest.param([queued(), progressed("sent", seconds=1)], 1_000, id="since it was queued"),
        pytest.param(
            [queued(), progressed("failed", seconds=9), queued("q2", 50, attempts=1), progressed("sent", seconds=52)],
            2_000,
            id="since it was queued again",
        ),
        pytest.param(
            [queued(), held("schedule", resume_at=at(3600)), progressed("sent", seconds=3603)],
            3_000,
            id="since its time had come",
        ),
        pytest.param(
            [queued(), held("session"), held("restriction", "h2", resume_at=at(9)), progressed("sent", seconds=10)],
            10_000,
            id="with what it waited for else",
        ),
    ],
)
def test_a_message_is_late_by_the_time_that_it_could_have_been_sent(facts: list[AnyFact], ms: int) -> None:
    (took,) = [tally.sums()["sentAfter.ms"] for tally in tallies_of(steps_of(*facts)) if "sentAfter.ms" in tally.sums()]
    assert took == ms


def test_facts_behind_a_sequence_are_what_is_left_of_a_tally() -> None:
    facts = [queued(), progressed("sent"), receipt("delivered")]
    (quarter,) = [tally for tally in tallies_of(steps_of(*facts)) if tally.place.span == QUARTER]
    assert (quarter.first_seq, quarter.last_seq) == (1, 3)
    left = quarter.behind(2)
    assert left is not None
    assert {name: number for name, number in left.sums().items() if name in NAMES} == {"delivered": 1}
    assert quarter.behind(3) is None


def test_two_types_and_two_sessions_have_rows_of_their_own() -> None:
    other = steps_of(received("in9", session_id="other", content_class="image", chat=PHONE), row="other/in/in9")
    places = [tally.place for tally in tallies_of([*steps_of(queued()), *other])]
    quarters = {(place.session_id, place.type) for place in places if place.span == QUARTER}
    assert quarters == {(SESSION, "text"), ("other", "image")}
    assert len([place for place in places if place.span == DAY]) == 1, "of all sessions together"
    assert all(place.at <= T0 < place.at + timedelta(minutes=15) for place in places if place.span == QUARTER)


@pytest.mark.parametrize(
    ("took_ms", "share", "expected"),
    [
        pytest.param([], 0.5, None, id="of none"),
        pytest.param([100] * 10, 0.5, 100, id="within the first part"),
        pytest.param([100] * 95 + [30_000] * 5, 0.95, 200, id="the last of the first part"),
        pytest.param([100] * 50 + [30_000] * 50, 0.75, 37_500, id="half of a later part"),
        pytest.param([10**9] * 3, 0.5, BOUNDS_MS[-1], id="beyond every bound"),
    ],
)
def test_a_share_is_told_from_the_parts(took_ms: list[int], share: float, expected: int | None) -> None:
    parts = [0] * (len(BOUNDS_MS) + 1)
    for ms in took_ms:
        parts[part_of(ms)] += 1
    assert quantile_ms(parts, share) == expected
