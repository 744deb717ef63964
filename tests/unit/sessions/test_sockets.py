"""A session's socket waits for its turn to log in, and never holds up the session or the others for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from libs.contracts.records import SessionRecord, SessionState
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.sessions import sockets
from services.sessions.engines import base as engine
from services.sessions.engines.scripted import ScriptedEngine
from services.sessions.engines.scripted_network import ScriptedNetwork
from services.sessions.fitness import Fitness
from services.sessions.sockets import Ports, Socket
from tests.processes import TEST_KEYS, eventually

AT = datetime(2026, 11, 20, tzinfo=UTC)


class Harbour:
    """Sockets of several sessions on one scripted engine, with two login slots."""

    def __init__(self) -> None:
        self.network = ScriptedNetwork()
        self.engine = ScriptedEngine(self.network)
        self.fitness = Fitness()
        self.told: list[engine.Event] = []
        lease = Lease(0, 1, confirmed_at=time.monotonic() + 3600, timing=Timing())
        nothing = cast("Any", None)  # neither stores nor tells
        self.ports = Ports(
            store=nothing,
            teller=nothing,
            engine=self.engine,
            lease=lease,
            logins=asyncio.Semaphore(2),
            fitness=self.fitness,
            ring=KeyRing.parse(TEST_KEYS),
            crash=CrashPoints(""),
            device_name="Merpati",
        )

    async def open(self, name: str) -> Socket:
        state = SessionState(id=name, customer_id="c", network="scripted", shard=0, connection=1, updated_at=AT)
        wish = SessionRecord(
            id=name,
            customer_id="c",
            name=name,
            engine="scripted",
            shard=0,
            live=True,
            created_at=AT,
            updated_at=AT,
        )
        socket = Socket(self.ports, name, self.told.append)
        await socket.open(state, wish)
        return socket

    async def opened(self, number: int) -> set[str]:
        """The sessions that have reached the engine, once there are so many."""

        async def enough() -> bool:
            return len(self.network.sockets) == number

        await eventually(enough, every_s=0.01)
        await asyncio.sleep(0)
        return set(self.network.sockets)


@pytest.fixture
async def harbour() -> AsyncIterator[Harbour]:
    made = Harbour()

    async def handle(_: engine.Event) -> bool:
        return True

    async def down() -> None: ...

    await made.engine.start(handle, down)
    yield made
    await made.engine.stop()


def connected(name: str) -> engine.Connected:
    return engine.Connected(session=name, connection=1, jid="1@s.whatsapp.net", lid="")


async def test_a_login_waits_until_another_is_settled(harbour: Harbour) -> None:
    made = {name: await harbour.open(name) for name in ("a", "b", "c", "d")}
    assert await harbour.opened(2) == {"a", "b"}

    made["a"].heard(connected("a"))
    assert await harbour.opened(3) == {"a", "b", "c"}
    made["b"].heard(engine.Disconnected(session="b", connection=1, reason="connect_failed"))
    assert await harbour.opened(4) == {"a", "b", "c", "d"}

    for socket in made.values():
        await socket.close()


async def test_a_session_is_opened_under_its_lease(harbour: Harbour) -> None:
    socket = await harbour.open("a")
    await harbour.opened(1)

    assert harbour.network.sockets["a"].request.lease == "00-e1"
    await socket.close()


async def test_a_session_that_is_stopped_while_it_waits_never_opens(harbour: Harbour) -> None:
    made = {name: await harbour.open(name) for name in ("a", "b", "c", "d")}
    await harbour.opened(2)

    await made["c"].close()
    await made["a"].close()

    async def next_one_opened() -> bool:
        return "d" in harbour.network.sockets

    await eventually(next_one_opened, every_s=0.01)
    assert set(harbour.network.sockets) == {"b", "d"}
    await made["b"].close()
    await made["d"].close()


async def test_a_login_that_says_nothing_makes_room_in_time(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "LOGIN_WITHIN_S", 0.05)
    made = [await harbour.open(name) for name in ("a", "b", "c")]

    assert await harbour.opened(3) == {"a", "b", "c"}

    for socket in made:
        await socket.close()


async def test_only_an_attempt_that_never_reached_whatsapp_counts_against_the_replica(harbour: Harbour) -> None:
    socket = await harbour.open("a")
    for _ in range(3):
        socket.heard(engine.Qr(session="a", connection=1, codes=["x"]))
        socket.heard(engine.Disconnected(session="a", connection=1, reason="dropped"))
    assert harbour.fitness.is_fit(time.monotonic())
    await socket.close()
    for _ in range(3):
        again = await harbour.open("b")
        again.heard(engine.Disconnected(session="b", connection=1, reason="connect_failed"))
        await again.close()
    assert not harbour.fitness.is_fit(time.monotonic())


async def test_who_is_stopped_while_a_login_is_called_off_stops(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging_in, called_off, gives_up = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow_to_give_up(request: engine.Request, *, timeout_s: float) -> engine.Reply:
        logging_in.set()
        try:
            await asyncio.sleep(timeout_s)
        finally:
            called_off.set()
            await gives_up.wait()
        return engine.Done()

    monkeypatch.setattr(harbour.engine, "call", slow_to_give_up)
    socket = await harbour.open("s1")
    await logging_in.wait()
    opening_anew = asyncio.create_task(socket.close())
    await called_off.wait()
    opening_anew.cancel()
    await asyncio.wait([opening_anew], timeout=60)
    assert opening_anew.cancelled()
    gives_up.set()
