"""How fast a key may be used: what is left of a minute, and how an answer says so."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

WINDOW_S = 60
REQUESTS, MESSAGES = "requests", "messages"

Headers = list[tuple[bytes, bytes]]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A limit: what is counted (`requests` or `messages`), and how many of it each minute may see."""

    of: str
    per_minute: int


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a rate after this request, and in how many seconds the next window begins.

    Other edges may have used up part of `remaining` meanwhile: what they took is seen when this one takes more.
    """

    rate: Rate
    remaining: int
    resets_in_s: int
    is_over: bool = False
    """Whether this request was one too many."""


def window_at(unix_s: float) -> int:
    """The number of the one-minute window at this time: all edges count in the same ones, by their clocks."""
    return int(unix_s // WINDOW_S)


def resets_in_s(unix_s: float) -> int:
    """Whole seconds until the next window, 1 to 60."""
    return max(1, math.ceil(WINDOW_S - unix_s % WINDOW_S))


def effective(own: int | None, default: int) -> int:
    """What holds for a key whose own limit is this, None for the deployment's; 0: no limit."""
    return default if own is None else own


def headers_of(tallies: Sequence[Tally]) -> Headers:
    """The answer's headers: by draft-ietf-httpapi-ratelimit-headers-11, and in the older spelling that clients read.

    The older one (drafts 03 to 06: three fields) knows one limit: the one of which least is left.
    """
    if not tallies:
        return []
    least = min(tallies, key=lambda tally: tally.remaining)
    return [
        (b"ratelimit-policy", ", ".join(f'"{t.rate.of}";q={t.rate.per_minute};w={WINDOW_S}' for t in tallies).encode()),
        (b"ratelimit", ", ".join(f'"{t.rate.of}";r={t.remaining};t={t.resets_in_s}' for t in tallies).encode()),
        (b"ratelimit-limit", str(least.rate.per_minute).encode()),
        (b"ratelimit-remaining", str(least.remaining).encode()),
        (b"ratelimit-reset", str(least.resets_in_s).encode()),
    ]
