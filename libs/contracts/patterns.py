"""Patterns of types as listeners and webhooks write them: `message.*`, where `*` stands for any characters. Pure."""

from __future__ import annotations

MOST_PATTERNS = 100
"""Of one listener or webhook; there are fewer types."""
MOST_CHARACTERS = 64
"""Of one pattern."""


def fits(name: str, pattern: str) -> bool:
    """Whether the whole name is of this pattern. Looks at each part of the pattern once."""
    first, *between = pattern.split("*")
    if not between:
        return name == first
    last = between.pop()
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in between:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
