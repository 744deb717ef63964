"""Senders are killed again and again while one customer's messages are booked: no credit is lost or taken twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.contracts.commands import GrantCredits
from libs.contracts.ids import new_message_id
from libs.runtime.bus import Bus
from libs.runtime.tasks import end
from libs.runtime.topology import apply
from tests.integration.sender.books import Books, books_of, customer_row, subscription_row
from tests.integration.sender.conftest import Stage, send_message
from tests.integration.sender.network import delivered, refused
from tests.processes import Running, eventually

pytestmark = pytest.mark.slow

CUSTOMER, PRICE = "cus_1", 2
MESSAGES, PER_SECOND, KILLS = 600, 20, 6
"""There is something to send as long as there is somebody to kill: each takes its time to start."""
KILL_EVERY_S = 4.5
"""A successor needs 3 s to take over: so each replica has some seconds of work."""
GRANTED = 900
"""Less than all messages would cost: some are refused for want of credits, while others give theirs back."""
SESSIONS = [f"{n:016x}" for n in range(12)]
REFUSED_EVERY = 7


@pytest.fixture
async def stage(nats_url: str, mongodb_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True)
    yield Stage(bus, client.get_default_database(), nats_url, mongodb_url, tmp_path)
    await client.close()
    await bus.close()


class Fleet:
    """Two replicas, of which one is killed every now and then and replaced."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._started = stage, 0
        self._exits: dict[str, AsyncExitStack] = {}
        self._running: dict[str, Running] = {}
        self.kills = 0

    async def start(self) -> None:
        self._started += 1
        name, exits = f"sender-{self._started}", AsyncExitStack()
        self._running[name] = await exits.enter_async_context(self._stage.sender(name, refusal_held_s="1"))
        self._exits[name] = exits

    async def kill_one(self) -> None:
        """The one that has run longest: SIGKILL. Another takes its place."""
        name = next(iter(self._running))
        running, exits = self._running.pop(name), self._exits.pop(name)
        running.kill()
        assert await running.ended() == -9
        self.kills += 1
        await exits.aclose()
        await self.start()

    async def stop(self) -> None:
        for exits in self._exits.values():
            await exits.aclose()


async def test_no_credit_is_lost_or_taken_twice_however_senders_are_killed(stage: Stage) -> None:
    sent: set[str] = set()

    async def rule(request: Deliver) -> DeliverAnswer:
        await asyncio.sleep(random.uniform(0, 0.02))  # noqa: S311 - to spread the hand-overs
        if request.message_id not in sent and int(request.message_id[-3:], 16) % REFUSED_EVERY == 0:
            return refused("REFUSED", retryable=False)
        sent.add(request.message_id)
        return delivered()

    stage.network.rule = rule
    await stage.network.open()
    await stage.database["customers"].insert_one(customer_row(CUSTOMER))
    await stage.database["subscriptions"].insert_one(subscription_row(CUSTOMER))
    fleet, auditing = Fleet(stage), asyncio.create_task(audited(stage))
    await fleet.start()
    await fleet.start()
    await stage.command(grant_of(GRANTED))
    sending = asyncio.create_task(send_all(stage, fleet))
    while not sending.done():
        await asyncio.sleep(KILL_EVERY_S)
        await fleet.kill_one()
    messages = await sending
    await eventually(lambda: all_ended(stage, len(messages)), within_s=90)
    books = await eventually(lambda: settled(stage))
    await fleet.stop()
    await end(auditing)
    assert auditing.cancelled(), auditing.exception()
    assert books is not None
    rows = {row["_id"]: row async for row in stage.database["outbox"].find()}
    assert {message for message, row in rows.items() if row["status"] == "sent"} == sent
    assert set(rows) == set(messages)
    assert books.balance == GRANTED - PRICE * len(sent)
    assert {message: books.of_message(message) for message in rows} == {
        message: PRICE if message in sent else 0 for message in rows
    }
    unpaid = [row for row in rows.values() if row["code"] == "CREDITS_EXHAUSTED"]
    assert unpaid
    print(f"{len(sent)} sent, {len(unpaid)} not covered, {fleet.kills} kills, {len(books.entries)} rows of the ledger")  # noqa: T201


def grant_of(amount: int) -> GrantCredits:
    return GrantCredits(
        customer_id=CUSTOMER,
        session_id=CUSTOMER,
        grant_id="g1",
        reason="topup",
        amount=amount,
        by="usr_1",
        at=datetime.now(UTC),
    )


async def send_all(stage: Stage, fleet: Fleet) -> list[str]:
    """As api does: each message is in COMMANDS once."""
    messages: list[str] = []
    while len(messages) < MESSAGES or fleet.kills < KILLS:
        message = new_message_id()
        command = send_message(message, session_id=SESSIONS[len(messages) % len(SESSIONS)])
        await stage.command(command, msg_id=message)
        messages.append(message)
        await asyncio.sleep(1 / PER_SECOND)
    return messages


async def audited(stage: Stage) -> None:
    """The books add up at every moment, also right after a kill."""
    while True:
        (await books_of(stage.database, CUSTOMER)).check()
        await asyncio.sleep(0.02)


async def all_ended(stage: Stage, messages: int) -> bool:
    ended = await stage.database["outbox"].count_documents({"finishedAt": {"$ne": None}})
    return ended == messages


async def settled(stage: Stage) -> Books | None:
    books = await books_of(stage.database, CUSTOMER)
    return books if books.held == 0 else None
