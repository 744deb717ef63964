"""Statistics of sums in which what is zero is left out."""

from __future__ import annotations

from services.api.figures.statistics import latencies_of


def test_what_took_no_time_at_all_has_a_mean_of_nothing() -> None:
    latencies = latencies_of({"deliveredAfter.number": 2, "deliveredAfter.parts.0": 2})
    assert (latencies.delivered.messages, latencies.delivered.mean_ms) == (2, 0)
    assert latencies.read.mean_ms is None
