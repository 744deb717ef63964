"""A clock for tests of limits: time passes when it is read, so a slow machine changes nothing."""

from __future__ import annotations


class Clock:
    """Stands in for `time.monotonic`; each reading is `step_s` later than the one before."""

    def __init__(self, step_s: float) -> None:
        self._step_s, self._now_s = step_s, 0.0

    def __call__(self) -> float:
        self._now_s += self._step_s
        return self._now_s
