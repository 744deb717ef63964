"""When a crashed child is started again, and when its crashes are forgotten."""

from __future__ import annotations

FIRST_S = 0.2
LONGEST_S = 5.0
STABLE_S = 10.0


def restart_delay_s(crashes_in_a_row: int) -> float:
    """0.2 s after the first crash, then doubled up to 5 s."""
    return min(LONGEST_S, FIRST_S * 2 ** min(crashes_in_a_row - 1, 10))


def crashes_after(crashes_in_a_row: int, ran_s: float) -> int:
    """The count after one more crash: a run of 10 s or more wipes what was before it."""
    return 1 if ran_s >= STABLE_S else crashes_in_a_row + 1
