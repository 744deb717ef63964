"""What the person at the terminal sees: steps with their times, crashes by name, one sentence for what is wrong."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TextIO


class CannotRunError(Exception):
    """Something the person has to mend; the message is one sentence with the cure."""


class Screen:
    """Lines on a terminal; on a pipe or a file the same lines without anything that moves."""

    def __init__(self, output: TextIO = sys.stdout) -> None:
        self._output = output
        self._moves = output.isatty()

    def say(self, line: str = "") -> None:
        self._write(f"{line}\n")

    def loudly(self, line: str) -> None:
        """For what must not be overlooked."""
        frame = "!" * min(100, len(line) + 4)
        self._write(f"\n{frame}\n! {line}\n{frame}\n\n")

    @contextmanager
    def step(self, label: str) -> Generator[Callable[[], None]]:
        """Shows what is being done and, at its end, how long it took; call what it yields while waiting."""
        started = time.monotonic()

        def tick() -> None:
            if self._moves:
                self._write(f"\r  ... {label} {time.monotonic() - started:.0f} s")

        tick()
        yield tick
        back = "\r" if self._moves else ""
        self._write(f"{back}  ok  {label} ({time.monotonic() - started:.1f} s)\n")

    def _write(self, text: str) -> None:
        try:
            self._output.write(text)
            self._output.flush()
        except OSError:  # the terminal went away: the stack goes on without it
            self._moves = False
