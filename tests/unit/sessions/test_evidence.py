"""Times that could not be written are written later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.sessions.evidence import Evidence

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = AT + timedelta(seconds=5)


def test_what_could_not_be_written_is_written_with_the_next_ones() -> None:
    evidence = Evidence()
    evidence.note("a", "lastAckAt", AT)
    evidence.note("b", "lastSeenAt", AT)
    taken = evidence.take()
    assert evidence.take() == {}
    evidence.note("b", "lastSeenAt", LATER)
    evidence.give_back(taken)
    assert evidence.take() == {"a": {"lastAckAt": AT}, "b": {"lastSeenAt": LATER}}
