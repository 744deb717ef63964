"""A session's runner between what it has stored and what it knows itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from libs.contracts.calls import AskFailed, GroupsFound, ListGroups
from libs.contracts.records import SessionRecord, SessionState
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.sessions.asks import Asks
from services.sessions.engines import base as engine
from services.sessions.engines.scripted import ScriptedEngine
from services.sessions.engines.scripted_network import ScriptedNetwork
from services.sessions.fitness import Fitness
from services.sessions.lookups import LookUps
from services.sessions.runner import Reconcile, Runner
from services.sessions.sockets import Ports
from tests.processes import PATIENCE_S, TEST_KEYS

AT = datetime(2026, 11, 20, tzinfo=UTC)
WISH = SessionRecord(
    id="s",
    customer_id="c",
    name="s",
    engine="scripted",
    shard=0,
    live=True,
    running=True,
    starts=1,
    created_at=AT,
    updated_at=AT,
)


class Rows:
    """What others read; the runner hears that it is stored that the session is connected when `answered` is set."""

    def __init__(self) -> None:
        self.states: asyncio.Queue[SessionState] = asyncio.Queue()
        self.answered = asyncio.Event()

    async def wish_of(self, _: str) -> SessionRecord:
        return WISH

    async def save(self, state: SessionState) -> None:
        self.states.put_nowait(state)
        if state.status == "connected":
            await self.answered.wait()

    async def tell(self, _: Any) -> None:
        return

    async def until(self, status: str) -> SessionState:
        """The first state with this status, once it can be read."""
        async with asyncio.timeout(PATIENCE_S):
            while (state := await self.states.get()).status != status:
                pass
            return state


class Desk:
    """One session on a scripted network, whose owner is asked."""

    def __init__(self) -> None:
        self.rows, self.network = Rows(), ScriptedNetwork()
        self.engine = ScriptedEngine(self.network)
        self.ports = Ports(
            store=cast("Any", self.rows),
            teller=cast("Any", self.rows),
            engine=self.engine,
            lease=Lease(0, 1, confirmed_at=time.monotonic() + 3600, timing=Timing()),
            logins=asyncio.Semaphore(1),
            fitness=Fitness(),
            ring=KeyRing.parse(TEST_KEYS),
            crash=CrashPoints(""),
            device_name="Merpati",
        )

    async def open(self) -> None:
        await self.engine.start(self._heard, self._nothing)
        self.runner = Runner(self.ports, wish=WISH, state=None, shard=0)
        self.asks = Asks(self.ports, lambda _: self.runner, LookUps())

    async def _heard(self, event: engine.Event) -> bool:
        self.runner.submit(event)
        return True

    async def _nothing(self) -> None:
        return


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.open()
    yield made
    await made.runner.stop()
    await made.engine.stop()


async def test_who_has_read_that_it_is_connected_is_answered(desk: Desk) -> None:
    code = (await desk.rows.until("qr_ready")).qr
    assert code is not None
    early = await desk.asks.answer(ListGroups(session_id="s"))
    assert isinstance(early, AskFailed)
    assert early.code == "NOT_CONNECTED"

    await desk.network.scan(code, "6281200000001")
    await desk.rows.until("connected")
    asking = asyncio.create_task(desk.asks.answer(ListGroups(session_id="s")))
    await asyncio.sleep(0)
    desk.rows.answered.set()
    assert isinstance(await asking, GroupsFound)


async def test_a_link_that_is_wanted_while_a_stopped_session_is_unlinked_begins_afterwards(desk: Desk) -> None:
    desk.rows.answered.set()
    code = (await desk.rows.until("qr_ready")).qr
    assert code is not None
    await desk.network.scan(code, "6281200000001")
    await desk.rows.until("connected")
    stopped = msgspec.structs.replace(WISH, running=False)
    desk.runner.submit(Reconcile(stopped))
    await desk.rows.until("stopped")

    out = msgspec.structs.replace(stopped, logouts=1)  # it connects for the sake of unlinking
    desk.runner.submit(Reconcile(out))
    desk.runner.submit(Reconcile(msgspec.structs.replace(out, running=True, starts=2)))
    await desk.rows.until("logged_out")
    assert (await desk.rows.until("qr_ready")).link == 2
