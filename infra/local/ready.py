"""`ready.json`: what a running stack tells the programs around it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra.local.keys import write_private


class Ready(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Written last, when every service is ready; rewritten when a process id changes; removed at the end."""

    url: str
    email: str
    password: str
    api_key: str
    customer_id: str
    admin_email: str
    admin_password: str
    simulator_url: str | None
    """Control API of the simulated network; without one, the scripted engine's, which answers the same calls."""
    scripted_url: str | None = None
    networks: tuple[str, ...] = ()
    default_engine: str = ""
    nats_url: str = ""
    mongodb_url: str = ""
    pids: dict[str, int] = {}
    """Absent while a crashed child is not running."""


def write(path: Path, ready: Ready) -> None:
    """Atomic and private: it holds passwords."""
    write_private(path, msgspec.json.format(msgspec.json.encode(ready), indent=2) + b"\n")


def read(path: Path) -> Ready | None:
    """What the running stack wrote, or None when none is ready there."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ready)
    except FileNotFoundError:
        return None


def of_running_stack(path: Path) -> Ready | None:
    """What the stack there wrote, unless its launcher is gone: one that was killed could not remove its file."""
    said = read(path)
    return said if said and Path(f"/proc/{said.pids.get('launcher', 0)}").exists() else None
