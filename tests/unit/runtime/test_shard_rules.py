"""When a lease is free and how shards are shared out."""

from __future__ import annotations

import pytest

from libs.runtime.shard_rules import Row, Seen, Timing, fair_share, is_free, look, surplus

TIMING = Timing()


def row(**fields: object) -> Row:
    return Row(**{"id": "sender/07", "shard": 7, "owner": "a", "epoch": 3, "beat": 9} | fields)  # type: ignore[arg-type]


def test_a_lease_is_free_only_after_three_unbroken_seconds_of_silence() -> None:
    seen = look(None, row(), 100.0)
    assert not is_free(row(), seen, 102.9, TIMING)
    assert is_free(row(), seen, 103.0, TIMING)


def test_a_beat_begins_the_silence_anew() -> None:
    seen = look(look(None, row(), 100.0), row(beat=10), 102.0)
    assert not is_free(row(beat=10), seen, 104.9, TIMING)
    assert seen.first == 100.0


def test_a_lease_that_was_given_back_is_free_at_once() -> None:
    assert is_free(row(owner=None), look(None, row(owner=None), 5.0), 5.0, TIMING)


def test_an_unchanged_row_keeps_its_time() -> None:
    seen = Seen(epoch=3, beat=9, since=1.0, first=0.5)
    assert look(seen, row(), 50.0) is seen


def test_an_owner_is_suspended_before_anybody_may_claim() -> None:
    assert TIMING.suspended_after_s + TIMING.poll_every_s <= TIMING.free_after_s


@pytest.mark.parametrize(("replicas", "share"), [(1, 32), (2, 16), (3, 11), (5, 7), (40, 1), (0, 32)])
def test_shares_cover_every_shard(replicas: int, share: int) -> None:
    assert fair_share(32, replicas) == share


@pytest.mark.parametrize(
    ("held", "share", "others", "given"),
    [(32, 16, 1, 2), (17, 16, 1, 1), (16, 16, 1, 0), (32, 32, 0, 0), (32, 16, 0, 0)],
)
def test_surplus_moves_two_at_a_time_and_only_to_somebody(held: int, share: int, others: int, given: int) -> None:
    assert surplus(held, share, others, TIMING) == given
