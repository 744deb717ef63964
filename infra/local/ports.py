"""Ports on loopback: free ones, and the ones a data directory used last time."""

from __future__ import annotations

import os
import random
import re
import socket
from collections import deque
from pathlib import Path

import msgspec

from infra.local.screen import CannotRunError

LOOPBACK = "127.0.0.1"
FIRST, LAST = 20_000, 31_999
"""Below the kernel's ephemeral range: no outgoing connection can take a port while its owner restarts."""

_chosen: deque[int] = deque(maxlen=200)


def is_free(port: int) -> bool:
    """True when a server could listen on this port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(taken: frozenset[int | None] = frozenset()) -> int:
    """A port that nobody listens on; chosen at random, so stacks that start side by side rarely meet.

    None that was chosen lately: its program may not listen yet, or be away for a moment.
    """
    first, last = allowed()
    for port in random.sample(range(first, last + 1), k=min(500, last + 1 - first)):
        if port not in taken and port not in _chosen and is_free(port):
            _chosen.append(port)
            return port
    raise OSError(f"no free port between {first} and {last} on {LOOPBACK}")


def allowed() -> tuple[int, int]:
    """The first and the last port that may be chosen; `MERPATI_PORTS=20000-22999` narrows them.

    A port is chosen seconds before its program listens: launchers that start side by side need ranges of their own.
    Raises CannotRunError when that is no range of ports.
    """
    given = os.environ.get("MERPATI_PORTS")
    if not given:
        return FIRST, LAST
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", given)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1024 <= first <= last <= 65_535:
        raise CannotRunError(f"MERPATI_PORTS is {given}; it is a first and a last port, such as 20000-22999.")
    return first, last


class PortBook:
    """Remembers which name had which port, in one JSON file; a name keeps its port while that is free.

    `reserved` is given to nobody: the port that a person has chosen, on which nobody listens yet.
    """

    def __init__(self, path: Path, *, reserved: int | None = None) -> None:
        self._path = path
        self._last = _read(path)
        self._given: dict[str, int] = {}
        self._reserved = reserved

    def port(self, name: str) -> int:
        """The port of this name; the same for the life of this book. Asked before its program starts."""
        if name not in self._given:
            last = self._last.get(name)
            others = frozenset({*self._given.values(), self._reserved})
            self._given[name] = last if last and last not in others and is_free(last) else free_port(others)
        return self._given[name]

    def save(self) -> None:
        """Keep what was given out for the next start."""
        self._path.write_bytes(msgspec.json.encode(self._last | self._given))


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
