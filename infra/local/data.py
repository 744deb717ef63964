"""The data directory of a stack: what lies where, who may use it, and what `--fresh` may delete."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from infra.local.screen import CannotRunError

MARK = ".made-by-merpati"
DATABASES = ("nats", "mongod", "simulator")
SOCKET_PATH_BYTES = 100
"""A Unix socket's path may have 107; the longest name below the runtime directory is counted in."""
LONGEST_SOCKET_NAME = "sessions-simulator-32/engine.sock"


class DataDirectory:
    """One stack's files; `open` makes them and keeps every other launcher out."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.ready = self.root / "ready.json"
        self.secrets = self.root / "secrets.env"
        self.ports = self.root / "ports.json"
        self.logs = self.root / "logs"
        self._lock = self.root / "launcher.lock"
        self._held: int | None = None
        self._short_runtime: Path | None = None

    def open(self) -> None:
        """Make the directory and lock it until this process ends; CannotRunError when another launcher has it."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._held = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CannotRunError(
                f"Cannot write to {self.root} ({error.strerror}); choose another with --data."
            ) from error
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotRunError(
                f"Another launcher is using {self.root}; stop it, or choose another directory with --data."
            ) from error
        self.ready.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave nothing that says the stack is running."""
        self.ready.unlink(missing_ok=True)
        if self._short_runtime is not None:
            shutil.rmtree(self._short_runtime, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)

    def database(self, name: str) -> Path:
        """The directory of nats, mongod or simulator; made here, or CannotRunError when it is somebody else's."""
        directory = self.root / name
        if not directory.exists():
            directory.mkdir()
            (directory / MARK).touch()
        elif not (directory / MARK).exists():
            raise CannotRunError(f"{directory} was not made by Merpati; choose another directory with --data.")
        return directory

    def delete_databases(self) -> None:
        """Everything the stack stored, and nothing it did not make."""
        for name in DATABASES:
            directory = self.root / name
            if (directory / MARK).exists():
                shutil.rmtree(directory)

    def runtime(self, replica: str) -> Path:
        """A replica's directory for its Unix socket; under /tmp when the data directory's path is too long for one."""
        parent = self.root / "run"
        if len(os.fsencode(parent / LONGEST_SOCKET_NAME)) > SOCKET_PATH_BYTES:
            self._short_runtime = self._short_runtime or Path(tempfile.mkdtemp(prefix="merpati-"))
            parent = self._short_runtime
        directory = parent / replica
        directory.mkdir(parents=True, exist_ok=True)
        return directory
