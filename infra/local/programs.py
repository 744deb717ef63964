"""A program to run: its name, command and settings, and how it is tied to the life of its parent."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

TETHER = Path(__file__).with_name("tether.py")
STARTS_WITHIN_S = 240.0
"""For what does not come up; where it crashes, that is noticed at once. A small machine that is busy with something
else needs more than a minute for all the services together."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One program of the stack, not yet running."""

    name: str
    """As in ready.json: `api-1`, `nats`, `engine-simulator-1`."""
    command: tuple[str, ...]
    environment: dict[str, str] = {}
    """What is added to the launcher's own environment."""


def tethered(command: tuple[str, ...]) -> tuple[str, ...]:
    """The same command, killed by the kernel when this process ends, however it ends.

    Start it from the main thread: the kernel watches the thread that forked.
    """
    return (sys.executable, "-SIB", str(TETHER), str(os.getpid()), str(int(signal.SIGKILL)), *command)
