"""Services under test as real processes: started from their module, killed, awaited."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from infra.local.ports import free_port
from infra.local.programs import tethered

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
TEST_KEYS = "t1:" + "A" * 43 + "="
PATIENCE_S = 60.0
"""How long to wait for what must come where its speed is no claim: a busy machine may stand still for many seconds."""


async def eventually(ask: Callable[[], Awaitable[T]], *, within_s: float = PATIENCE_S, every_s: float = 0.05) -> T:
    """The first true answer of `ask`. Raises AssertionError with the last answer after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        answer = await ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s; last answer: {answer!r}")
        await asyncio.sleep(every_s)


class Running:
    """One service process."""

    def __init__(self, process: asyncio.subprocess.Process, health_port: int, log: Path) -> None:
        self._process, self._health_port, self.log = process, health_port, log

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def freeze(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    async def drain(self) -> int:
        """SIGTERM; returns the exit code."""
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), PATIENCE_S)

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """Wait until it has ended; returns the exit code."""
        return await asyncio.wait_for(self._process.wait(), within_s)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ready(self, within_s: float = PATIENCE_S) -> None:
        """Wait until `/readyz` says so."""
        async with httpx.AsyncClient() as client:

            async def ask() -> bool:
                return await self.faults(client) == {}

            await eventually(ask, within_s=within_s)

    async def faults(self, client: httpx.AsyncClient) -> dict[str, str] | None:
        """What `/readyz` names; empty when it is ready, None before it answers."""
        if not self.running:
            raise AssertionError(f"the service ended: {self.log.read_text()[-2000:]}")
        try:
            answer = await client.get(f"http://127.0.0.1:{self._health_port}/readyz")
        except httpx.TransportError:
            return None
        said: dict[str, Any] = answer.json()
        assert said["ready"] == (answer.status_code == 200) == (not said["faults"])
        return said["faults"]


@asynccontextmanager
async def service(
    module: str, tmp_path: Path, *, nats_url: str, mongodb_url: str, replica: str = "r1", **settings: str
) -> AsyncIterator[Running]:
    """Run `python -m module` with these settings (names as in the settings Struct); killed at the end."""
    port = free_port()
    environ = {
        **os.environ,
        "NATS_URL": nats_url,
        "MONGODB_URL": mongodb_url,
        "MERPATI_SECRET_KEYS": TEST_KEYS,
        "MERPATI_REPLICA": replica,
        "MERPATI_HEALTH_PORT": str(port),
        **{f"MERPATI_{name.upper()}": value for name, value in settings.items()},
    }
    log = tmp_path / f"{replica}-{port}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *tethered([sys.executable, "-m", module]), env=environ, cwd=ROOT, stdout=output, stderr=output
        )
    try:
        yield Running(process, port, log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
