"""Commands are stored together when they come together, each once, and never said to be stored when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.contracts.commands import SendMessage
from libs.contracts.content import Text
from libs.contracts.ids import COMMANDS, new_message_id, send_subject
from libs.runtime import topology
from libs.runtime.bus import Bus, BusDown, PublishUnclear
from services.api.messages import publishing
from services.api.messages.publishing import CommandPublisher
from tests.integration.api.commands import everything
from tests.servers import NatsServer


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    """A bus to a server that the test may kill."""
    bus = Bus(nats_server.url, name="test")
    await bus.connect()
    await topology.apply(bus.jetstream)
    yield bus
    await bus.close()


async def publish(publisher: CommandPublisher, message_id: str, *, repeat_for_s: float = 5.0) -> None:
    command = SendMessage(
        customer_id="cus_1",
        session_id="5e55",
        message_id=message_id,
        engine="scripted",
        to="6281234567890@s.whatsapp.net",
        content=Text(text="Halo"),
        accepted_at=datetime.now(UTC),
    )
    await publisher.publish(
        send_subject("5e55", 32), command, msg_id=message_id, headers={"Request-Id": "r"}, repeat_for_s=repeat_for_s
    )


async def stored(bus: Bus) -> list[str]:
    return [(message.headers or {})["Nats-Msg-Id"] for message in await everything(bus, COMMANDS, "cmd.send.>")]


async def test_commands_that_come_together_are_stored_together(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    publish_batch = bus.publish_batch

    async def counted(batch: Any, **more: Any) -> int:
        sizes.append(len(batch))
        return await publish_batch(batch, **more)

    monkeypatch.setattr(bus, "publish_batch", counted)
    publisher, ids = CommandPublisher(bus), [new_message_id() for _ in range(250)]
    await asyncio.gather(*(publish(publisher, one) for one in ids))
    assert sorted(await stored(bus)) == sorted(ids)
    assert sum(sizes) == 250
    assert len(sizes) < 10


@pytest.mark.parametrize("batches", [1, 2])
async def test_no_command_is_left_waiting(bus: Bus, monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    monkeypatch.setattr(publishing, "BATCHES_IN_FLIGHT", batches)
    publisher = CommandPublisher(bus)

    async def one_after_another() -> None:
        for _ in range(20):
            await publish(publisher, new_message_id())

    async with asyncio.timeout(120):
        for clients in (1, 2, 20):
            await asyncio.gather(*(one_after_another() for _ in range(clients)))
    assert len(await stored(bus)) == 20 * 23


async def test_a_command_that_is_given_twice_is_stored_once(bus: Bus) -> None:
    publisher, ids = CommandPublisher(bus), [new_message_id() for _ in range(40)]
    await publish(publisher, ids[0])
    await asyncio.gather(*(publish(publisher, one) for one in [*ids, *ids]))
    assert sorted(await stored(bus)) == sorted(ids)


async def test_without_nats_nothing_is_accepted(bus: Bus, nats_server: NatsServer) -> None:
    nats_server.kill()
    await _until_lost(bus)
    with pytest.raises(BusDown):
        await publish(CommandPublisher(bus), new_message_id())


@pytest.mark.parametrize("together", [1, 60], ids=["alone", "in a batch"])
async def test_a_publish_without_an_answer_is_unclear(
    bus: Bus, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    async def unanswered(subject: str, payload: bytes, headers: dict[str, str]) -> int:
        nats_server.kill()
        await _until_lost(bus)
        raise PublishUnclear(subject)

    monkeypatch.setattr(bus, "_publish_once", unanswered)
    publisher = CommandPublisher(bus)
    publishes = (publish(publisher, new_message_id(), repeat_for_s=1.0) for _ in range(together))
    outcomes = await asyncio.gather(*publishes, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {PublishUnclear}


@pytest.mark.parametrize("together", [1, 60], ids=["alone", "in a batch"])
async def test_an_unclear_publish_is_repeated_until_nats_is_back(
    bus: Bus, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    publish_once = bus._publish_once  # pyright: ignore[reportPrivateUsage]
    restarting = asyncio.Lock()
    restarted = False

    async def answer_lost(subject: str, payload: bytes, headers: dict[str, str]) -> int:
        nonlocal restarted
        seq = await publish_once(subject, payload, headers)  # stored
        async with restarting:
            if restarted:
                return seq
            await asyncio.to_thread(nats_server.restart)
            restarted = True
        raise PublishUnclear(subject)

    monkeypatch.setattr(bus, "_publish_once", answer_lost)
    publisher, ids = CommandPublisher(bus), [new_message_id() for _ in range(together)]
    await asyncio.gather(*(publish(publisher, one, repeat_for_s=60.0) for one in ids))
    assert set(await stored(bus)) == set(ids)


async def _until_lost(bus: Bus) -> None:
    async with asyncio.timeout(60):
        while bus.connected:  # noqa: ASYNC110 - the bus tells it by this property only
            await asyncio.sleep(0.01)
