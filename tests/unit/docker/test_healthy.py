"""The health check of the images, run as the engine runs it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra.local.ports import LOOPBACK, free_port

HEALTHY = Path(__file__).resolve().parents[3] / "infra" / "docker" / "healthy.py"


@contextmanager
def server(status: int, body: bytes) -> Generator[int]:
    """A server whose `/readyz` answers so, and everything else 404."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    with HTTPServer((LOOPBACK, 0), Answer) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()


def check(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"MERPATI_HEALTH_PORT": str(port)}
    command = [sys.executable, "-IS", str(HEALTHY), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_only_a_200_is_healthy(status: int, code: int) -> None:
    with server(status, b"{}") as port:
        assert check(port).returncode == code


def test_what_is_wrong_stands_in_the_health_log() -> None:
    with server(503, b'{"faults":{"nats":"not connected"}}') as port:
        assert "503" in check(port).stdout
        assert "not connected" in check(port).stdout


def test_another_port_and_path_may_be_asked_for() -> None:
    with server(200, b"{}") as port:
        assert check(1, str(port), "/readyz").returncode == 0
        assert check(1, str(port), "/elsewhere").returncode == 1


def test_a_closed_port_is_unhealthy() -> None:
    assert check(free_port()).returncode == 1
