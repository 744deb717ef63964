"""When a session may ask WhatsApp about new numbers again, after WhatsApp said that it asks too often: pure."""

from __future__ import annotations

import msgspec

FIRST_S = 15.0
LONGEST_S = 1800.0


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """No look-ups before `until` (monotonic seconds); it lasted `length_s`."""

    until: float
    length_s: float


class LookUps:
    """The pauses of sessions. Each is twice as long as the one before, until WhatsApp answers a look-up."""

    def __init__(self, *, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._pauses: dict[str, Pause] = {}

    def paused_for(self, session_id: str, now: float) -> float:
        """Seconds until the session may look numbers up again; 0: now."""
        pause = self._pauses.get(session_id)
        return max(0.0, pause.until - now) if pause is not None else 0.0

    def limited(self, session_id: str, now: float) -> float:
        """WhatsApp refused a look-up: seconds until the next one. Several that were on their way lengthen it once."""
        if (left_s := self.paused_for(session_id, now)) > 0:
            return left_s
        before = self._pauses.get(session_id)
        length_s = min(self._longest_s, before.length_s * 2) if before is not None else self._first_s
        self._pauses[session_id] = Pause(until=now + length_s, length_s=length_s)
        return length_s

    def answered(self, session_id: str) -> None:
        """WhatsApp answered a look-up."""
        self._pauses.pop(session_id, None)
