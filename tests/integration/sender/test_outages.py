"""NATS and MongoDB die and come back under a working sender."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.runtime.bus import Bus, BusDown, PublishUnclear
from libs.runtime.topology import apply
from tests.integration.sender.conftest import Stage, send_message
from tests.integration.sender.network import delivered
from tests.processes import PATIENCE_S, eventually
from tests.servers import MongoServer, NatsServer


@pytest.fixture
async def stage(nats_server: NatsServer, mongo_server: MongoServer, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on servers that may be killed."""
    bus = Bus(nats_server.url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(mongo_server.url(), tz_aware=True)
    yield Stage(bus, client.get_default_database(), nats_server.url, mongo_server.url(), tmp_path)
    await client.close()
    await bus.close()


async def send_despite_outages(stage: Stage, messages: list[str]) -> None:
    """Publish these messages, repeating what was not stored, as api does."""
    for message in messages:
        while True:
            try:
                await stage.command(send_message(message, session_id=f"{int(message[-1], 16):016x}"), msg_id=message)
                break
            except (BusDown, PublishUnclear):
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("victim", ["nats", "mongod"])
async def test_every_message_is_sent_and_told_although_a_server_is_killed(
    stage: Stage, victim: str, nats_server: NatsServer, mongo_server: MongoServer
) -> None:
    messages = [f"0190a0a0-0000-7000-8000-{number:012x}" for number in range(120)]
    await stage.network.open()
    async with stage.sender(answer_timeout_s="3") as sender:
        await sender.ready()
        sending = asyncio.create_task(send_despite_outages(stage, messages))
        await eventually(lambda: asked(stage, 20))
        await asyncio.to_thread((nats_server if victim == "nats" else mongo_server).restart)
        await asyncio.wait_for(sending, PATIENCE_S)
        await stage.until_all("sent", len(messages))
        await eventually(lambda: all_told(stage, messages))
    first_asked = list(dict.fromkeys(stage.network.ids()))
    for digit in "0123456789abcdef":
        of_session = [message for message in messages if message[-1] == digit]
        assert [message for message in first_asked if message[-1] == digit] == of_session


async def test_an_answer_that_died_with_nats_is_not_waited_for(stage: Stage, nats_server: NatsServer) -> None:
    async def lose_the_first(_: Deliver) -> DeliverAnswer | None:
        return None if len(stage.network.asked) == 1 else delivered()

    stage.network.rule = lose_the_first
    await stage.network.open()
    async with stage.sender(answer_timeout_s=str(10 * PATIENCE_S)) as sender:
        await sender.ready()
        message = await stage.send()
        await eventually(lambda: asked(stage, 1))
        await asyncio.to_thread(nats_server.restart)
        await stage.until(message, "sent")
    assert {request.message_id for request in stage.network.asked} == {message}
    assert len({request.wa_id for request in stage.network.asked}) == 1


async def asked(stage: Stage, number: int) -> bool:
    return len(stage.network.asked) >= number


async def all_told(stage: Stage, messages: list[str]) -> bool:
    told = [await stage.told(message) for message in (messages[0], messages[60], messages[-1])]
    return all(statuses[:1] == ["queued"] and statuses[-1:] == ["sent"] for statuses in told)
