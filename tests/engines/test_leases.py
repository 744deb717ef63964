"""The worker writes keys only while its owner's lease is known to hold: it finds that out by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest
from pymongo import MongoClient

from services.sessions.engines import base as engine
from tests.engines.rig import Rig
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

OURS, THEIRS = "6281200000001", "6281300000002"
LEASE, LATER = "07-e1", "07-e2"
LONG_S = 600.0
UNCONFIRMED_FOR_S = 1.0
QUIET_S = 2.0


def hold(rig: Rig, *, for_s: float = LONG_S, lease: str = LEASE) -> None:
    """This lease alone is held, for so long from now."""
    rig.engine.hold({lease: time.monotonic() + for_s})


async def keys(rig: Rig) -> dict[str, tuple[Any, ...]]:
    """What only an owner writes: each key's stamp and version."""

    def read() -> dict[str, tuple[Any, ...]]:
        with MongoClient[dict[str, Any]](rig.mongodb_url) as client:
            found = client.get_default_database()["device_keys"].find({"stamp": {"$exists": True}})
            return {row["_id"]: (row["stamp"], row.get("ver")) for row in found}

    return await asyncio.to_thread(read)


async def settled(rig: Rig) -> dict[str, tuple[Any, ...]]:
    """The keys, once nothing was written for a while: after a link the phone still sends messages of its own."""
    before, since = await keys(rig), time.monotonic()
    while not before or time.monotonic() - since < QUIET_S:
        await asyncio.sleep(0.2)
        if (now := await keys(rig)) != before:
            before, since = now, time.monotonic()
    return before


async def test_what_comes_while_the_lease_is_not_confirmed_is_read_once_it_is(worker: Rig) -> None:
    hold(worker)
    await worker.link("s1", OURS, lease=LEASE)
    await worker.phones.make(THEIRS)
    before = await settled(worker)
    hold(worker, for_s=-0.001)  # this machine stood still: its time ran out meanwhile

    await worker.phones.write(THEIRS, OURS, "in the buffer")
    await asyncio.sleep(UNCONFIRMED_FOR_S)

    assert await keys(worker) == before
    assert worker.seen.all(engine.Message) == []
    hold(worker)
    assert (await worker.seen.next(engine.Message)).text == "in the buffer"


async def test_a_former_owner_writes_nothing_and_the_next_one_hears_the_message(worker: Rig) -> None:
    hold(worker)
    await worker.link("s1", OURS, lease=LEASE)
    await worker.phones.make(THEIRS)
    before = await settled(worker)
    hold(worker, lease="08-e1")

    await worker.phones.write(THEIRS, OURS, "to whoever owns it")
    lost = await worker.seen.next(engine.Disconnected)

    assert lost.reason == "fenced"
    assert await keys(worker) == before
    hold(worker, lease=LATER)
    await worker.reopen("s1", epoch=2, lease=LATER)
    assert (await worker.seen.next(engine.Message)).text == "to whoever owns it"


async def test_nothing_is_opened_under_a_lease_that_is_over(worker: Rig) -> None:
    hold(worker, lease=LATER)

    reply = await worker.engine.call(worker.open_request("s1", lease=LEASE), timeout_s=20)

    assert isinstance(reply, engine.Failed)
    assert reply.code == "fenced"


async def test_a_worker_that_is_started_again_knows_what_is_held(worker: Rig) -> None:
    hold(worker)
    await worker.link("s1", OURS, lease=LEASE)
    assert worker.engine.pid is not None  # type: ignore[attr-defined]
    os.kill(worker.engine.pid, signal.SIGKILL)  # type: ignore[attr-defined]

    async def up_again() -> bool:
        return worker.engine.up and worker.engine.worker_start == 2

    await eventually(up_again)
    await worker.reopen("s1", lease=LEASE)
