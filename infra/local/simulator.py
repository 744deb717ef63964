"""The simulated WhatsApp network as a child: its command and the line it prints when it listens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from infra.local.golang import BINARIES, SIMULATOR
from infra.local.ports import LOOPBACK
from infra.local.programs import STARTS_WITHIN_S, Program


class Listening(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Its one line on standard output."""

    endpoint: str
    root_key: str
    control: str


def program(directory: Path, port: int, control_port: int) -> Program:
    """The simulator on these two ports, its state under `directory`."""
    addresses = ("--listen", f"{LOOPBACK}:{port}", "--control", f"{LOOPBACK}:{control_port}")
    return Program(name="simulator", command=(str(BINARIES / SIMULATOR.name), *addresses, "--data", str(directory)))


async def wait_until_ready(output: Path, still_runs: Callable[[], bool]) -> Listening:
    """What it printed to `output`; raises TimeoutError, or ChildProcessError when it ended."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while (listening := _first_line(output)) is None:
        if not still_runs():
            raise ChildProcessError("the simulator ended while starting")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the simulator was not ready within {STARTS_WITHIN_S:.0f} s")
        await asyncio.sleep(0.02)
    return listening


def _first_line(output: Path) -> Listening | None:
    line, newline, _ = output.read_bytes().partition(b"\n")
    return msgspec.json.decode(line, type=Listening) if newline else None
