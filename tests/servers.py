"""Embedded servers for tests: a nats-server and a mongod that can be killed and come back at the same address."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.local import mongod, nats
from infra.local.ports import free_port
from infra.local.programs import Program, tethered
from libs.runtime.mongo import Client, connect
from tests.processes import PATIENCE_S

STOP_TIMEOUT_S = 60


def client_of(mongodb_url: str) -> Client:
    """A client for a test's own hands: it waits for a server that stands still."""
    return connect(mongodb_url, app="tests", timeout_ms=int(PATIENCE_S * 1000))


class Server:
    """One embedded server with its own port and directory; both stay the same over a kill and a start."""

    def __init__(self, directory: Path, make: Callable[[Path, int], Program], wait: Callable[..., None]) -> None:
        self.directory = directory
        self.port = free_port()
        self._make = make
        self._wait = wait
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessLookupError("the server is not running")
        return self._process.pid

    def start(self) -> None:
        """Start it (again) and return when it takes requests."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it (again) and return at once."""
        program = self._make(self.directory, self.port)
        log = self.directory / f"{program.name}.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(tethered(program.command), stdout=output, stderr=output)

    def wait_until_ready(self) -> None:
        try:
            self._wait(self.port, self._still_runs)
        except Exception:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told. Returns when the process is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def stop(self) -> None:
        """SIGTERM, as an operator would."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_TIMEOUT_S)
            self._process = None

    def restart(self) -> None:
        """SIGKILL and start at the same address, on the same files."""
        self.kill()
        self.start()

    def _still_runs(self) -> bool:
        return self._process is not None and self._process.poll() is None


class NatsServer(Server):
    """A nats-server of its own, with JetStream, syncing at every publish."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, nats.program, nats.wait_until_ready)

    @property
    def url(self) -> str:
        return nats.url(self.port)


class MongoServer(Server):
    """A mongod of its own, a replica set of one."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, mongod.program, mongod.wait_until_ready)

    def url(self, database: str = "merpati") -> str:
        return mongod.url(self.port, database)
