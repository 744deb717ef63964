"""A whole stack for a test: `./merpati up` as a person runs it, on a directory of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from infra.local import ready
from infra.local.checkout import CHECKOUT
from infra.local.ports import free_port
from tests.processes import PATIENCE_S

START_TIMEOUT_S = 600.0
"""The first start on a machine builds the Go programs."""
STOP_TIMEOUT_S = 90.0
PATIENT = {"MERPATI_DATABASE_TIMEOUT_MS": "30000", "MERPATI_REPEAT_FOR_S": "30"}
"""As it is shipped, an edge gives MongoDB and NATS up after a few seconds: a machine that stood still for so long would
be answered 503."""


class RunningStack:
    """One started launcher and what it said in ready.json."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path, port: int) -> None:
        self.process = process
        self.data = data
        self.port = port

    @property
    def ready(self) -> ready.Ready:
        """ready.json as it is now."""
        now = ready.read(self.data / "ready.json")
        if now is None:
            raise FileNotFoundError(f"no ready.json in {self.data}: the stack is not ready any more")
        return now

    @property
    def url(self) -> str:
        return self.ready.url

    @property
    def key(self) -> str:
        return self.ready.api_key

    @property
    def simulator_url(self) -> str:
        address = self.ready.simulator_url
        assert address, "this stack has no simulated network"
        return address

    @property
    def pids(self) -> dict[str, int]:
        return self.ready.pids

    @property
    def screen(self) -> str:
        """Everything the launcher has printed."""
        return (self.data / "screen.txt").read_text()

    def log(self, name: str) -> str:
        """What this child has logged."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> int:
        """SIGKILL one process by its name in ready.json; its old process id."""
        pid = self.pids[name]
        os.kill(pid, signal.SIGKILL)
        return pid

    def pause(self, name: str) -> None:
        """SIGSTOP: alive for the kernel, dead for everybody else. `resume` undoes it."""
        os.kill(self.pids[name], signal.SIGSTOP)

    def resume(self, name: str) -> None:
        os.kill(self.pids[name], signal.SIGCONT)

    async def restarted(self, name: str, old_pid: int, timeout_s: float = PATIENCE_S) -> int:
        """Waits until the launcher runs this name as another process; its new process id."""
        await eventually(lambda: self.pids.get(name, old_pid) != old_pid, timeout_s, f"{name} to be started again")
        return self.pids[name]

    async def stop(self) -> int:
        """Ctrl-C; the launcher's exit code."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.process.kill()  # its children die with it
            await self.process.wait()
            raise


@asynccontextmanager
async def running_stack(
    data: Path,
    *options: str,
    port: int | None = None,
    environment: dict[str, str] | None = None,
    hasty: bool = False,
) -> AsyncGenerator[RunningStack]:
    """`./merpati up` on this data directory with these options, ready; stopped at the end.

    Test on the simulated network with `"--networks", "simulator"`, without Go with `"--networks", "scripted"`.
    `hasty`: its edges give MongoDB and NATS up as soon as those that are shipped, for a test that kills one of them.
    """
    stack = await start(data, *options, port=port, environment=({} if hasty else PATIENT) | (environment or {}))
    try:
        await _until_ready(stack)
        yield stack
    finally:
        await stack.stop()


async def start(
    data: Path, *options: str, port: int | None = None, environment: dict[str, str] | None = None
) -> RunningStack:
    """Start the launcher and return at once."""
    port = port or free_port()
    with _screen_file(data).open("ab") as screen:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "infra.local", "up", "--data", str(data), "--port", str(port), *options),
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {}),
            stdout=screen,
            stderr=screen,
        )
    return RunningStack(process, data, port)


def _screen_file(data: Path) -> Path:
    data.mkdir(parents=True, exist_ok=True)
    return data / "screen.txt"


async def _until_ready(stack: RunningStack) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _says_ready(stack):
        if stack.process.returncode is not None:
            raise AssertionError(f"the launcher ended with {stack.process.returncode}:\n{stack.screen}")
        if time.monotonic() > deadline:
            raise AssertionError(f"the stack was not ready within {START_TIMEOUT_S:.0f} s:\n{stack.screen}")
        await asyncio.sleep(0.05)


def _says_ready(stack: RunningStack) -> bool:
    """By this launcher: one that was killed leaves its file behind."""
    said = ready.read(stack.data / "ready.json")
    return said is not None and said.pids["launcher"] == stack.process.pid


async def eventually(holds: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Waits until a condition holds; AssertionError names it when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s in vain for {what}"
        await asyncio.sleep(0.02)
