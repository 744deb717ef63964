"""When a shard is free, and how many a replica shall hold: pure rules over what one replica has seen of the rows."""

from __future__ import annotations

import math

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The clock of ownership, in seconds. No clocks of two machines are compared: each measures with its own."""

    poll_every_s: float = 0.5
    """How often leases are renewed and read."""
    suspended_after_s: float = 2.0
    """An owner does nothing that counts, this long after the start of its last confirmed beat. Below `free_after_s`."""
    free_after_s: float = 3.0
    """A lease is free when it was seen unchanged this long, in unbroken contact."""
    wait_after_break_s: float = 10.0
    """A replica whose own contact broke claims nothing for this long: an election of MongoDB shuffles nothing."""
    joiner_counts_after_s: float = 10.0
    """A replica counts for the others' fair share once it was seen alive this long."""
    unfit_after_s: float = 4.0
    """A replica that is unfit this long, while another is fit, gives everything back."""
    surplus_at_once: int = 2
    """Shards given back per poll when others hold fewer."""
    give_back_every_s: float = 0.25
    """A replica that leaves gives `surplus_at_once` shards back, and the next so much later at the earliest."""
    taken_within_s: float = 1.0
    """It waits no longer than this for somebody to take them."""
    ends_within_s: float = 30.0
    """Work that has not ended this long after it was told to is left to its fences, and its shard given back."""
    forgotten_after_s: float = 60.0
    """Rows of replicas that are gone are removed after this long."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A lease row, or a replica's own row (`shard` is None), as it was read."""

    id: str
    shard: int | None
    owner: str | None
    epoch: int
    beat: int
    fit: bool = True


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What this replica knows of a row: unchanged since `since`, known since `first` (its own monotonic seconds)."""

    epoch: int
    beat: int
    since: float
    first: float


def look(seen: Seen | None, row: Row, now: float) -> Seen:
    """What is known of the row after reading it at `now`."""
    if seen is None:
        return Seen(epoch=row.epoch, beat=row.beat, since=now, first=now)
    if (seen.epoch, seen.beat) == (row.epoch, row.beat):
        return seen
    return Seen(epoch=row.epoch, beat=row.beat, since=now, first=seen.first)


def is_free(row: Row, seen: Seen, now: float, timing: Timing) -> bool:
    """Whether anybody may claim this lease: it was given back, or its owner was silent for `free_after_s`."""
    return row.owner is None or now - seen.since >= timing.free_after_s


def is_alive(seen: Seen, now: float, timing: Timing) -> bool:
    """Whether the replica of this row has beaten lately."""
    return now - seen.since < timing.free_after_s


def fair_share(shards: int, fit_replicas: int) -> int:
    """The most shards that one of `fit_replicas` shall hold."""
    return math.ceil(shards / max(1, fit_replicas))


def surplus(held: int, share: int, others: int, timing: Timing) -> int:
    """How many shards to give back now, so that `others` fit replicas get theirs."""
    return min(timing.surplus_at_once, max(0, held - share)) if others else 0
