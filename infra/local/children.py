"""The launcher's children: started, logged, started again when they crash, stopped in time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from infra.local.backoff import crashes_after, restart_delay_s
from infra.local.checkout import CHECKOUT
from infra.local.programs import Program, tethered
from infra.local.screen import Screen

DRAIN_S = 15.0
LOG_BYTES = 20 * 1024 * 1024


class Child:
    """One supervised program: a crash is named on screen and followed by a restart until it is stopped.

    `changed` is called whenever its process id changes.
    """

    def __init__(
        self, program: Program, *, logs: Path, screen: Screen, changed: Callable[[], None], output: Path | None = None
    ) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self.crashes = 0
        self._screen = screen
        self._changed = changed
        self._output = output
        self._process: asyncio.subprocess.Process | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        """The process id, or None between two runs."""
        return self._process.pid if self._process else None

    def runs(self) -> bool:
        return self._process is not None

    async def start(self) -> None:
        """Start the program once and supervise it from then on."""
        trim_log(self.log)
        await self._spawn()
        self._supervision = asyncio.create_task(self._supervise(), name=f"supervise {self.name}")

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL to its whole group when it has not drained in 15 s."""
        self._stopping.set()
        self._send(signal.SIGTERM)
        if self._supervision is None:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._supervision), DRAIN_S)
        except TimeoutError:
            self._screen.say(f"{self.name} did not drain in {DRAIN_S:.0f} s; killing it")
            self.kill()
            await self._supervision

    def kill(self) -> None:
        """End it and everything it started, at once."""
        self._stopping.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _spawn(self) -> None:
        with self.log.open("ab") as log, (self._output or self.log).open("wb" if self._output else "ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *tethered(self.program.command),
                cwd=CHECKOUT,
                env=os.environ | {"PYTHONUNBUFFERED": "1"} | self.program.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the launcher alone, which drains in order
            )
        self._changed()

    async def _supervise(self) -> None:
        while True:
            started = time.monotonic()
            code = await self._wait()
            if self._stopping.is_set():
                return
            self.crashes = crashes_after(self.crashes, time.monotonic() - started)
            delay_s = restart_delay_s(self.crashes)
            self._screen.say(f"{self.name} died ({how_it_ended(code)}); starting it again in {delay_s:.1f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)
            if self._stopping.is_set():
                return
            await self._spawn()

    async def _wait(self) -> int:
        assert self._process is not None  # noqa: S101 - _spawn always came before
        code = await self._process.wait()
        with suppress(ProcessLookupError):  # what it left behind (an engine worker) must not meet its successor's
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process = None
        self._changed()
        return code


def how_it_ended(code: int) -> str:
    """`exit code 1` or `SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def trim_log(log: Path) -> None:
    """Above 20 MB a log becomes `<name>.log.1` and begins anew. Safe while its program writes: it appends.

    Lines written between the copy and the cut are lost; that is less than a full disk.
    """
    if log.exists() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
