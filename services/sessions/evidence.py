"""When sessions were last seen and acknowledged, between two writes. Pure."""

from __future__ import annotations

from datetime import datetime

Times = dict[str, dict[str, datetime]]
"""By session, then by field (`EVIDENCE` of store.py)."""


class Evidence:
    """Times that are still to be written."""

    def __init__(self) -> None:
        self._times: Times = {}

    def note(self, session_id: str, field: str, at: datetime) -> None:
        """The session was seen at this time."""
        times = self._times.setdefault(session_id, {})
        times[field] = max(at, times.get(field, at))

    def take(self) -> Times:
        """All that is to be written; nothing is kept of it."""
        taken, self._times = self._times, {}
        return taken

    def give_back(self, taken: Times) -> None:
        """It could not be written; what was noted since is newer."""
        for session_id, times in taken.items():
            for field, at in times.items():
                self.note(session_id, field, at)
