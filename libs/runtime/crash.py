"""Crash points for tests: places at which a process kills itself when it is told to, as a power cut would."""

from __future__ import annotations

import os
import signal
from pathlib import Path


class CrashPoints:
    """`at(name)` kills this process when `name` is the armed point; otherwise it does nothing.

    The armed point is `<name>`; or `<name>@<file>`: the process dies only once, for the file is made first; or
    `@<file>`: the file, when it is there, names the point, and is removed before the process dies.
    """

    def __init__(self, armed: str) -> None:
        self._name, _, once = armed.partition("@")
        self._once = Path(once) if once else None

    def at(self, name: str) -> None:
        """Die here, by SIGKILL, when this point is armed."""
        if self._name == "" and self._once is not None:
            armed = self._is_named_by(self._once, name)
        else:
            armed = name == self._name and self._is_first_time()
        if armed:
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_first_time(self) -> bool:
        if self._once is None:
            return True
        if self._once.exists():
            return False
        self._once.touch()
        return True

    @staticmethod
    def _is_named_by(file: Path, name: str) -> bool:
        try:
            if file.read_text().strip() != name:
                return False
        except FileNotFoundError:
            return False
        file.unlink(missing_ok=True)
        return True
