"""The status service as real processes on a real NATS and MongoDB: killed, frozen, replaced, told twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
import nats.js.errors
import pytest

from libs.contracts.ids import EVENTS
from libs.contracts.updates import Frame, MessageView
from libs.runtime.bus import Bus
from libs.runtime.feeds import ACK_WAIT_S
from libs.runtime.mongo import Database
from libs.runtime.topology import apply
from tests.integration.status.proxy import proxy_to
from tests.integration.status.stream import (
    SESSIONS,
    SHARDS,
    WAY,
    assert_each_once_and_in_order,
    expected_frames,
    frames_in,
    message_id,
    publish,
    told,
)
from tests.processes import PATIENCE_S, eventually, service
from tests.servers import MongoServer, NatsServer

STATUS = "services.status.app"


@pytest.fixture
def common(nats_url: str, mongodb_url: str) -> dict[str, Any]:
    return {"nats_url": nats_url, "mongodb_url": mongodb_url, "shards": str(SHARDS), "log_level": "warning"}


async def all_are_told(bus: Bus, frames: int, within_s: float = PATIENCE_S) -> None:
    """Wait for this many frames, and a moment longer for one too many: the last fact is acknowledged by then."""

    async def enough() -> bool:
        try:
            return await frames_in(bus) >= frames and await _all_acknowledged(bus)
        except (nats.errors.Error, nats.js.errors.Error):
            return False  # the server is away

    await eventually(enough, within_s=within_s)


async def _all_acknowledged(bus: Bus) -> bool:
    consumers = await bus.jetstream.consumers_info(EVENTS)
    return bool(consumers) and all(each.num_ack_pending == 0 and each.num_pending == 0 for each in consumers)


@pytest.mark.parametrize("point", ["status.after_write", "status.after_publish"])
async def test_a_process_that_dies_there_tells_each_frame_once_after_all(
    point: str, bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, replica="one", **common) as first:
        await first.ready()
        await publish(bus, range(5))
        await all_are_told(bus, expected_frames(5))
        await first.drain()
    async with service(STATUS, tmp_path, replica="two", crash_at=point, **common) as second:
        await second.ready()
        await publish(bus, range(5, 10))
        assert await second.ended() != 0
    assert await frames_in(bus) < expected_frames(10, 2)
    async with service(STATUS, tmp_path, replica="three", **common):
        await all_are_told(bus, expected_frames(10, 2))
        assert_each_once_and_in_order(await told(bus), 10)
        read = {"status": "read", "text": "baru", "reactions.emoji": "+", "editedAt": {"$ne": None}}
        revoked = {"status": "received", "text": None, "revokedAt": {"$ne": None}, "reactions.emoji": ""}
        for expected in (read, revoked):
            assert await db["messages"].count_documents(expected) == 10 * len(SESSIONS)


async def test_a_hand_over_in_the_middle_repeats_nothing_and_loses_nothing(
    bus: Bus, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, replica="one", **common) as first:
        await first.ready()
        async with service(STATUS, tmp_path, replica="two", **common):
            publishing = asyncio.create_task(publish(bus, range(30)))
            await eventually(lambda: frames_in(bus))
            await first.drain()
            await publishing
            await all_are_told(bus, expected_frames(30))
            assert_each_once_and_in_order(await told(bus), 30)


async def test_an_owner_that_wakes_after_its_shards_were_claimed_repeats_nothing(
    bus: Bus, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, replica="one", **common) as first:
        await first.ready()
        publishing = asyncio.create_task(publish(bus, range(15)))
        await eventually(lambda: frames_in(bus))
        first.freeze()
        await publishing
        told_when_frozen = await frames_in(bus)
        await publish(bus, range(15, 20))  # at the latest here it has left something to its successor
        async with service(STATUS, tmp_path, replica="two", **common):

            async def goes_on() -> bool:
                return await frames_in(bus) > told_when_frozen

            await eventually(goes_on)
            first.thaw()
            await publish(bus, range(20, 30))
            await all_are_told(bus, expected_frames(30, 3))
            assert_each_once_and_in_order(await told(bus), 30)


async def test_facts_that_are_published_twice_are_told_once(
    bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, **common):
        await publish(bus, range(10), twice=True)
        await all_are_told(bus, expected_frames(10))
        assert_each_once_and_in_order(await told(bus), 10)
        row = await db["messages"].find_one({"messageId": message_id(SESSIONS[0], 3)})
        assert row is not None
        assert [entry["status"] for entry in row["history"]] == list(WAY)


async def test_what_a_frame_says_is_readable_when_it_comes(
    bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, **common) as status:
        await status.ready()
        subscription = await bus.jetstream.subscribe("updates.*.*.*.message.*", ordered_consumer=True)
        publishing = asyncio.create_task(publish(bus, range(3)))
        for _ in range(expected_frames(3) - len(SESSIONS)):
            message = await subscription.next_msg(timeout=PATIENCE_S)
            frame = msgspec.json.decode(message.data, type=Frame[MessageView])
            row = await db["messages"].find_one({"messageId": frame.data.message_id})
            assert row is not None
            assert frame.type.removeprefix("message.") in [entry["status"] for entry in row["history"]]
        await publishing
        await subscription.unsubscribe()


async def test_a_kill_of_nats_and_of_mongodb_loses_nothing_and_repeats_nothing(
    nats_server: NatsServer, mongo_server: MongoServer, tmp_path: Path
) -> None:
    common = {"nats_url": nats_server.url, "mongodb_url": mongo_server.url(), "log_level": "warning"}
    bus = Bus(nats_server.url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    async with service(STATUS, tmp_path, shards=str(SHARDS), **common) as status:
        await status.ready()
        for numbers, server in ((range(20), nats_server), (range(20, 40), mongo_server)):
            before = await frames_in(bus)
            await publish(bus, numbers)
            await eventually(lambda before=before: _more_than(bus, before), every_s=0.001)
            server.restart()
            await all_are_told(bus, expected_frames(numbers.stop, 1 + numbers.start // 20))
        assert status.running
        assert_each_once_and_in_order(await told(bus), 40)
    await bus.close()


async def test_facts_that_were_lost_on_the_way_from_nats_come_before_later_ones(
    bus: Bus, common: dict[str, Any], tmp_path: Path
) -> None:
    """The server believes to have delivered them; they must come again at once, and before what follows."""
    async with (
        proxy_to(common["nats_url"]) as proxy,
        service(STATUS, tmp_path, **{**common, "nats_url": proxy.url}) as status,
    ):
        await status.ready()
        await publish(bus, range(5))
        await all_are_told(bus, expected_frames(5))
        proxy.losing = True
        await publish(bus, range(5, 10))

        async def delivered_into_the_void() -> bool:
            return proxy.lost_bytes > 10_000

        await eventually(delivered_into_the_void)
        proxy.cut()
        proxy.losing = False
        await publish(bus, range(10, 15))
        await all_are_told(bus, expected_frames(15, 3), within_s=ACK_WAIT_S - 3)
        assert_each_once_and_in_order(await told(bus), 15)


async def _more_than(bus: Bus, frames: int) -> bool:
    return await frames_in(bus) > frames
