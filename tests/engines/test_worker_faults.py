"""The worker while MongoDB is away, and after another owner took its session."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from services.sessions.engines import base as engine
from tests.engines.rig import Rig, worker_rig
from tests.processes import PATIENCE_S, eventually
from tests.servers import MongoServer

pytestmark = pytest.mark.needs_go

OURS, THEIRS = "6281200000001", "6281300000002"
FIRST, SECOND = "3EB0000000000000000001", "3EB0000000000000000002"
HIGHER = 2**45


@pytest.fixture
async def frail(tmp_path: Path, mongo_server: MongoServer) -> AsyncIterator[Rig]:
    """A worker on a mongod that the test may kill."""
    async with AsyncExitStack() as stack:
        yield await worker_rig(stack, tmp_path, mongo_server.url("frail"))


async def test_mongodb_may_die_and_come_back_without_a_socket_or_a_message_lost(
    frail: Rig, mongo_server: MongoServer
) -> None:
    await frail.link("s1", OURS)
    await frail.phones.make(THEIRS)
    await frail.send("s1", THEIRS, engine.TextContent(text="before"), FIRST)
    await frail.phones.write(THEIRS, OURS, "before")
    await frail.seen.next(engine.Message)

    mongo_server.kill()
    content = engine.TextContent(text="during")
    sending = asyncio.create_task(frail.send("s1", THEIRS, content, SECOND, within_s=PATIENCE_S))
    await frail.phones.write(THEIRS, OURS, "during")
    await asyncio.to_thread(mongo_server.start)

    assert isinstance(await sending, engine.Sent)
    assert (await frail.seen.next(engine.Message, lambda e: e.text == "during")).push_name
    assert [row["text"] for row in await frail.phones.inbox(THEIRS)] == ["before", "during"]
    assert frail.seen.all(engine.Disconnected) == []


def raise_the_fence(rig: Rig) -> None:
    """What the reads of a new owner do to every document."""
    with MongoClient[dict[str, Any]](rig.mongodb_url) as client:
        client.get_default_database()["device_keys"].update_many({}, {"$max": {"stamp": HIGHER}})


async def test_a_fenced_owner_sends_nothing_and_its_socket_is_closed(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.send("s1", THEIRS, engine.TextContent(text="in time"), FIRST)
    raise_the_fence(worker)

    reply = await worker.send("s1", THEIRS, engine.TextContent(text="too late"), SECOND)

    assert isinstance(reply, engine.NotSent)
    assert reply.reason == "fenced"
    assert (await worker.seen.next(engine.Disconnected)).reason == "fenced"
    assert [row["text"] for row in await worker.phones.inbox(THEIRS)] == ["in time"]


async def test_a_fenced_owner_acknowledges_nothing(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    await worker.phones.write(THEIRS, OURS, "in time")
    await worker.seen.next(engine.Message)
    await worker.confirmed_to(THEIRS)
    raise_the_fence(worker)

    await worker.phones.write(THEIRS, OURS, "for the next owner")
    assert (await worker.seen.next(engine.Disconnected)).reason == "fenced"
    before = len(worker.seen.events)
    await worker.reopen("s1", epoch=HIGHER // 2**20 + 1)

    message = await worker.seen.next(engine.Message, after=before)
    assert message.text == "for the next owner"
    assert worker.seen.all(engine.Undecryptable) == []


async def test_the_network_may_die_and_come_back(worker: Rig) -> None:
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)
    network = worker.network
    assert network is not None

    network.kill()
    await worker.seen.next(engine.Disconnected)
    before = len(worker.seen.events)
    await worker.open("s1")
    failed = await worker.seen.next(engine.Disconnected, after=before)
    await network.start()
    await worker.reopen("s1")

    assert failed.reason == "connect_failed"
    assert isinstance(await worker.send("s1", THEIRS, engine.TextContent(text="back"), FIRST), engine.Sent)


async def test_many_sessions_work_side_by_side(worker: Rig) -> None:
    numbers = {f"s{n}": f"62812000000{n:02d}" for n in range(20)}
    await worker.phones.make(THEIRS)
    await asyncio.gather(*(worker.link(session, number) for session, number in numbers.items()))

    replies = await asyncio.gather(
        *(
            worker.send(session, THEIRS, engine.TextContent(text="hello"), f"3EB0{n:02d}{session.upper()}")
            for session in numbers
            for n in range(5)
        )
    )

    assert all(isinstance(reply, engine.Sent) for reply in replies)
    assert await worker.engine.call(engine.Ping(), timeout_s=30) == engine.Pong(open_sessions=20)


EACH_WAY, KILLS = 60, 4


async def test_nothing_is_lost_when_the_worker_is_killed_again_and_again(worker: Rig) -> None:
    """Both directions at once; the owner opens again after each death and repeats what it is not sure of."""
    await worker.link("s1", OURS)
    await worker.phones.make(THEIRS)

    async def keep_open() -> None:
        for death in range(1, KILLS + 1):
            await eventually(lambda death=death: _is(len(worker.seen.downs) == death and worker.engine.up))
            await worker.reopen("s1")

    async def send_all() -> None:
        for number in range(EACH_WAY):
            await eventually(lambda number=number: _sent(worker, number))

    async def write_all() -> None:
        for number in range(EACH_WAY):
            await worker.phones.write(THEIRS, OURS, f"in {number}")
            await asyncio.sleep(0.02)

    async def kill_now_and_then() -> None:
        for _ in range(KILLS):
            arrived = len(worker.seen.all(engine.Message))
            await eventually(lambda arrived=arrived: _is(len(worker.seen.all(engine.Message)) > arrived + 2))
            deaths = len(worker.seen.downs)
            os.kill(worker.engine.pid, signal.SIGKILL)
            await eventually(lambda deaths=deaths: _is(len(worker.seen.downs) > deaths and worker.engine.up))

    await asyncio.gather(keep_open(), send_all(), write_all(), kill_now_and_then())
    for number in range(EACH_WAY):
        await worker.seen.next(engine.Message, lambda e, number=number: e.text == f"in {number}")

    assert len(worker.seen.downs) == KILLS
    assert [row["text"] for row in await worker.phones.inbox(THEIRS)] == [f"out {n}" for n in range(EACH_WAY)]
    assert worker.seen.all(engine.Undecryptable) == []


async def _sent(worker: Rig, number: int) -> bool:
    content = engine.TextContent(text=f"out {number}")
    try:
        return isinstance(await worker.send("s1", THEIRS, content, f"3EB0{number:018d}"), engine.Sent)
    except engine.EngineDown:
        return False


async def _is(true: bool) -> bool:
    return true
