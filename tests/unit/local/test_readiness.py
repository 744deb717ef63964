"""How long the launcher waits for a service, and what the person hears meanwhile."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from infra.local import readiness
from infra.local.children import Child
from infra.local.programs import Program
from infra.local.screen import CannotRunError, Screen
from tests.unit.local.clocks import Clock

NOT_YET = "NATS is not connected"


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def child(tmp_path: Path, shown: io.StringIO) -> Child:
    program = Program(name="api-1", command=("true",))
    return Child(program, logs=tmp_path, screen=Screen(shown), changed=lambda: None)


class Service:
    """Says it is ready from the given question on."""

    def __init__(self) -> None:
        self.asked, self.ready_at = 0, 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(200) if self.asked >= self.ready_at else httpx.Response(503, text=NOT_YET)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
async def client(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(service)) as opened:
        yield opened


async def test_nothing_is_said_of_one_that_is_ready_soon(
    child: Child, service: Service, client: httpx.AsyncClient, shown: io.StringIO
) -> None:
    service.ready_at = 3
    await readiness.wait_until_ready(child, 1, client, Screen(shown))
    assert (service.asked, shown.getvalue()) == (3, "")


async def test_a_slow_one_is_named_once_with_what_it_lacks(
    child: Child, service: Service, client: httpx.AsyncClient, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "monotonic", Clock(readiness.SLOW_S + 1))
    service.ready_at = 4
    await readiness.wait_until_ready(child, 1, client, Screen(shown))
    assert shown.getvalue().count("api-1 is not ready after") == 1


async def test_one_that_never_is_ready_ends_the_start(
    child: Child, service: Service, client: httpx.AsyncClient, shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "monotonic", Clock(readiness.SLOW_S))
    service.ready_at = 1_000_000
    with pytest.raises(CannotRunError, match=rf"api-1 was not ready .*{NOT_YET}.*{child.log}"):
        await readiness.wait_until_ready(child, 1, client, Screen(shown))
    assert f"({NOT_YET}); waiting on; its log is {child.log}" in shown.getvalue()


def test_a_server_that_is_only_slow_is_not_said_to_die(child: Child) -> None:
    slow = readiness.why_not_started(child, TimeoutError("mongod on port 1 did not become primary within 240 s"))
    assert slow == f"mongod on port 1 did not become primary within 240 s; its log is {child.log}."
    assert "api-1 dies while starting" in readiness.why_not_started(child, ChildProcessError("it ended"))
