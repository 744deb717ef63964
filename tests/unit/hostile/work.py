"""How the work of a parser grows with the length of its text.

Measured is the CPU time of this thread, of one length and of an eighth of it: linear work takes eight times as long,
quadratic sixty-four times. Whatever else the machine does only adds to a measurement, so the least of several counts,
and only a text for which every attempt shows growth is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

GROWTH = 8
MOST_GROWTH = 24
"""Between linear (8) and quadratic (64), as far from both."""
NOTHING_S = 0.010
"""So little is no harm at the greatest length, and too little to compare."""
MOST_AT_ONCE_S = 0.25
"""For up to 2,048 characters: exponential work shows there, before the lengths at which it would never end."""
HOPELESS_S = 2.0
"""No comparison is needed: nothing that is fed here takes a tenth of it."""
SHORT = (24, 256, 2_048)
ATTEMPTS = 3
MOST_TOLD = 2

Parse = Callable[[Any], object]


def growth_fault(parse: Parse, text_of: Callable[[int], Any], limit: int) -> str | None:
    """How the work grows where it grows faster than the text, up to `limit`; else None."""
    for length in (each for each in SHORT if each < limit):
        if (took := _least(parse, text_of(length), MOST_AT_ONCE_S)) > MOST_AT_ONCE_S:
            return f"{length} characters take {took:.2f} s"
    large = text_of(limit)
    took = _cost(parse, large)
    if took > HOPELESS_S:
        return f"{limit} characters take {took:.1f} s"
    if min(took, _least(parse, large, NOTHING_S)) < NOTHING_S:
        return None
    small = text_of(limit // GROWTH)
    grown = 0.0
    for _ in range(ATTEMPTS):
        lesser = min(_cost(parse, small) for _ in range(ATTEMPTS))
        greater = _least(parse, large, lesser * MOST_GROWTH)
        grown = greater / lesser
        if grown < MOST_GROWTH:
            return None
    return f"{GROWTH} times the text takes {grown:.0f} times as long"


def _least(parse: Parse, text: Any, enough: float) -> float:
    """The least CPU time of a few, no more of them once one was below `enough`."""
    least = float("inf")
    for _ in range(ATTEMPTS):
        least = min(least, _cost(parse, text))
        if least < enough:
            break
    return least


def _cost(parse: Parse, text: Any) -> float:
    began = time.thread_time()
    parse(text)
    return time.thread_time() - began


def first_faults(parse: Parse, named_texts: Iterable[tuple[str, Callable[[int], Any]]], limit: int) -> dict[str, str]:
    """The first few texts for which the work grows too fast, and how: one says what is wrong, and takes its time."""
    found = ((name, growth_fault(parse, text_of, limit)) for name, text_of in named_texts)
    return dict(islice(((name, fault) for name, fault in found if fault is not None), MOST_TOLD))
