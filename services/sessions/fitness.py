"""Whether this replica reaches WhatsApp at all, judged by its attempts to connect: pure, with the caller's clock."""

from __future__ import annotations

ENOUGH_FAILURES = 3
"""This many attempts in vain, and no success, before a replica is doubted: one session may fail for its own reasons."""
DOUBTED_FOR_S = 60.0
"""A doubt without new attempts ends after this long: a replica that holds nothing has no other way to be trusted."""
LONGEST_DOUBT_S = 900.0


class Fitness:
    """What the last attempts of this process came to. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._online: set[str] = set()
        self._failures: list[float] = []
        self._doubted_since: float | None = None
        self._doubt_s = DOUBTED_FOR_S

    def reached(self) -> None:
        """WhatsApp answered an attempt, whatever it said: nothing is wrong with this replica."""
        self._failures.clear()
        self._doubted_since = None
        self._doubt_s = DOUBTED_FOR_S

    def online(self, session_id: str) -> None:
        """The session is logged in."""
        self.reached()
        self._online.add(session_id)

    def offline(self, session_id: str) -> None:
        """The session's socket is gone, for whatever reason."""
        self._online.discard(session_id)

    def failed(self, now: float) -> None:
        """An attempt to connect reached nothing."""
        self._failures = [*self._failures[-ENOUGH_FAILURES:], now]
        if self._doubted_since is None and len(self._failures) >= ENOUGH_FAILURES and not self._online:
            self._doubted_since = now

    def is_fit(self, now: float) -> bool:
        """Whether there is no reason to doubt that this replica reaches WhatsApp."""
        if self._doubted_since is None or self._online:
            return True
        if now - self._failures[-1] < self._doubt_s:
            return False
        self._failures.clear()
        self._doubted_since = None
        self._doubt_s = min(self._doubt_s * 2, LONGEST_DOUBT_S)
        return True
