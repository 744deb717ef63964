"""A session's proxy on the operator's own machine: refused unless the worker's settings allow it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.sessions.engines import base as engine
from services.sessions.engines.worker import WorkerEngine
from tests.engines.rig import Recorder, Rig
from tests.forbidden import forbidden_listener
from tests.integration.status.proxy import proxy_to

pytestmark = pytest.mark.needs_go


class Worker:
    """A worker with settings of the test's own, and what it tells."""

    def __init__(self, made: WorkerEngine) -> None:
        self.engine, self.seen = made, Recorder()
        self._connections = 0

    async def start(self) -> None:
        async def down() -> None:
            raise AssertionError("the worker ended")

        await self.engine.start(self.seen.handle, down)

    async def open(self, proxy: str) -> int:
        """Opens the session through this proxy; the connection's number."""
        self._connections += 1
        fence = 2**20 + self.engine.worker_start
        request = engine.Open(session="s1", link=1, fence=fence, connection=self._connections, proxy=proxy)
        assert await self.engine.call(request, timeout_s=30) == engine.Done()
        return self._connections


Start = Callable[[dict[str, str]], Awaitable[Worker]]


@pytest.fixture
async def start(worker: Rig, tmp_path: Path) -> AsyncGenerator[Start]:
    """Starts a worker with these settings on the simulated network."""
    async with AsyncExitStack() as stack:

        async def started(settings: dict[str, str]) -> Worker:
            environment = worker.environment | settings
            made = WorkerEngine(binary=worker.binary, runtime_dir=tmp_path / "own", environment=environment)
            stack.push_async_callback(made.stop)
            own = Worker(made)
            await own.start()
            return own

        yield started


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_on_this_machine_is_refused_and_sees_nothing(start: Start, scheme: str) -> None:
    own = await start({"MERPATI_PROXY_ALLOWED": "10.0.0.0/8,proxy.internal"})
    async with forbidden_listener() as listener:
        for _ in range(2):  # a reconnect looks again
            number = await own.open(f"{scheme}://user:secret@127.0.0.1:{listener.port}")
            ended = await own.seen.next(engine.Disconnected, lambda e, number=number: e.connection == number)
            assert (ended.reason, ended.cause) == ("connect_failed", "proxy_not_allowed")
        listener.assert_untouched()
    assert own.seen.all(engine.Qr) == []


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"MERPATI_PROXY_ALLOWED": "127.0.0.0/8"}, id="by network"),
        pytest.param({"MERPATI_PROXY_ALLOWED": "localhost"}, id="by name"),
        pytest.param({"MERPATI_PRIVATE_TARGETS": "1"}, id="as everything private"),
    ],
)
async def test_an_allowed_proxy_carries_the_session(worker: Rig, start: Start, settings: dict[str, str]) -> None:
    own = await start(settings)
    async with proxy_to(worker.environment["MERPATI_WA_ENDPOINT"]) as proxy:
        await own.open(proxy.url.replace("127.0.0.1", "localhost"))
        await own.seen.next(engine.Qr)
        proxy.cut()
        await own.seen.next(engine.QrEnded)
