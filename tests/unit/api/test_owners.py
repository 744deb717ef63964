"""When the owner of a session counts as gone."""

from __future__ import annotations

from services.api.sessions.owners import GONE_AFTER_S, OwnerLease, Owners


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def lease(beat: int, *, epoch: int = 1, owner: str | None = "sessions-1") -> OwnerLease:
    return OwnerLease(id="sessions/scripted/03", owner=owner, epoch=epoch, beat=beat)


def test_a_shard_without_a_lease_or_an_owner_is_away() -> None:
    assert Owners().is_away(None)
    assert Owners().is_away(lease(7, owner=None))


def test_an_owner_is_away_only_when_its_beat_stood_still_for_long() -> None:
    clock = Clock()
    owners = Owners(clock)
    assert not owners.is_away(lease(7))
    clock.at += GONE_AFTER_S
    assert not owners.is_away(lease(7))
    clock.at += 0.1
    assert owners.is_away(lease(7))
    assert not owners.is_away(lease(8))


def test_a_new_epoch_is_a_sign_of_life() -> None:
    clock = Clock()
    owners = Owners(clock)
    owners.is_away(lease(7))
    clock.at += 2 * GONE_AFTER_S
    assert not owners.is_away(lease(7, epoch=2))
