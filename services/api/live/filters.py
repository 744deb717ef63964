"""Which frames a listener asked for, and where it stopped: filters and cursors, pure."""

from __future__ import annotations

import re

import msgspec

from libs.contracts.patterns import MOST_CHARACTERS, MOST_PATTERNS, fits

_PATTERN = re.compile(r"[a-z_*]+(?:\.[a-z_*]+)?")
_CURSOR = re.compile(r"([0-9a-f]{1,16})-([0-9]{1,18})")


class Cursor(msgspec.Struct, frozen=True):
    """A place in a log: the log's name, and the sequence of the last frame that was seen."""

    log: str
    position: int

    def __str__(self) -> str:
        return f"{self.log}-{self.position}"


def cursor_of(text: str) -> Cursor | None:
    """The cursor that `text` is, else None."""
    match = _CURSOR.fullmatch(text)
    return Cursor(match[1], int(match[2])) if match else None


def patterns_of(text: str) -> tuple[str, ...] | None:
    """The type patterns in `session.*,message.sent`; empty for all types, None for no pattern, or too many."""
    patterns = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(patterns) > MOST_PATTERNS or not all(map(_is_pattern, patterns)):
        return None
    return () if "*" in patterns else patterns


def _is_pattern(text: str) -> bool:
    return len(text) <= MOST_CHARACTERS and _PATTERN.fullmatch(text) is not None


class Filter:
    """A listener's choice: one customer, some sessions (None: all), some types (empty: all)."""

    def __init__(self, *, customer_id: str, sessions: frozenset[str] | None, patterns: tuple[str, ...]) -> None:
        self.customer_id = customer_id
        self._sessions = sessions
        self._patterns = patterns
        self._known: dict[str, bool] = {}

    def takes(self, session_id: str, frame_type: str) -> bool:
        """Whether a frame of this customer is wanted."""
        if self._sessions is not None and session_id not in self._sessions:
            return False
        return not self._patterns or self._takes_type(frame_type)

    def _takes_type(self, frame_type: str) -> bool:
        known = self._known.get(frame_type)
        if known is None:
            known = any(fits(frame_type, pattern) for pattern in self._patterns)
            self._known[frame_type] = known
        return known
