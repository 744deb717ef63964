"""The four JetStream streams as every deployment must have them."""

from __future__ import annotations

import msgspec

from libs.contracts.ids import COMMANDS, DEAD, EVENTS, UPDATES

WEEK_S = 7 * 24 * 3600


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream: file storage, one replica unless the deployment asks for more."""

    name: str
    subjects: tuple[str, ...]
    work_queue: bool = False
    """Each message is gone once it is acknowledged."""
    max_age_s: int = 0
    """0 keeps for ever."""
    max_bytes: int = -1
    discard_new: bool = False
    """Refuse what does not fit (else the oldest goes)."""
    atomic_batches: bool = False
    duplicate_window_s: int = 120


STREAMS = (
    Stream(
        name=COMMANDS,
        subjects=("cmd.>",),
        work_queue=True,
        max_bytes=4 << 30,
        discard_new=True,
        atomic_batches=True,
    ),
    Stream(name=EVENTS, subjects=("fact.>",), max_age_s=WEEK_S, atomic_batches=True),
    Stream(name=UPDATES, subjects=("updates.>",), max_age_s=WEEK_S, atomic_batches=True),
    Stream(name=DEAD, subjects=("dead.>",)),
)
