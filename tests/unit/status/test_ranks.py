"""The table of ranks."""

from __future__ import annotations

import itertools

import pytest

from libs.contracts.updates import MESSAGE_UPDATES
from services.status import ranks

RISING = ("queued", "sending", "sent", "delivered", "read", "played")


@pytest.mark.parametrize(("lower", "higher"), list(itertools.combinations(RISING, 2)))
def test_a_status_rises_to_a_later_one_and_never_back(lower: str, higher: str) -> None:
    assert ranks.rank_after(ranks.rank_of(lower), higher) == ranks.rank_of(higher)
    assert ranks.rank_after(ranks.rank_of(higher), lower) is None


@pytest.mark.parametrize("status", list(ranks.LEVELS))
def test_no_status_rises_to_itself(status: str) -> None:
    assert ranks.rank_after(ranks.rank_of(status), status) is None


@pytest.mark.parametrize("final", sorted(ranks.FINALS))
@pytest.mark.parametrize("evidence", ["sent", "delivered", "read", "played"])
def test_evidence_raises_a_final_status_and_is_never_undone(final: str, evidence: str) -> None:
    assert ranks.rank_after(ranks.rank_of(final), evidence) == ranks.rank_of(evidence)
    assert ranks.rank_after(ranks.rank_of(evidence), final) is None


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(sorted(ranks.FINALS), 2)))
def test_the_first_final_status_stays(first: str, second: str) -> None:
    assert ranks.rank_after(ranks.rank_of(first), second) is None


@pytest.mark.parametrize("final", sorted(ranks.FINALS))
def test_a_retry_ranks_above_everything_before_it(final: str) -> None:
    reopened = ranks.rank_reopened(ranks.rank_of(final, generation=3))
    assert reopened == ranks.rank_of("queued", generation=4)
    assert reopened > ranks.rank_of("played", generation=3)
    assert ranks.rank_after(reopened, "sending") == ranks.rank_of("sending", generation=4)


def test_every_status_of_the_table_has_a_frame_type() -> None:
    assert set(ranks.LEVELS) <= set(MESSAGE_UPDATES)


def test_a_status_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError):
        ranks.rank_after(0, "teleported")
