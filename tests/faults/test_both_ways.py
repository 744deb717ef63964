"""Both sides of a conversation write at once, as fast as they can: each message arrives once, readable.

Two linked sessions of ours write to each other. That the library alone fails at this, and that a test sees it, shows
`race_test.go` of the engine worker: the same traffic with the lock of `ratchet_lock.go` turned off.

A session of ours and a person whose phone has no such lock write to each other: the phone uses half of its keys twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults.shop import Shop
from tests.faults.simulated import SimulatedNetwork
from tests.faults.told import facts_of_received, frames_of_received
from tests.faults.witness import Witness
from tests.processes import eventually
from tests.stack import RunningStack, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.needs_go]

IN_FLIGHT = 16
BACK_WITHIN_S = 120


class Pair:
    """Two sessions, each the other's only contact."""

    def __init__(self, stack: RunningStack, network: SimulatedNetwork, witness: Witness) -> None:
        self._network, self._witness = network, witness
        self._nats_url = stack.ready.nats_url
        self.shop = Shop(stack)

    async def open(self) -> None:
        """Link both."""
        await self.shop.open(sessions=2, contacts=0)
        self.shop.contacts = self.shop.numbers[::-1]  # message n goes from session n % 2 to the other

    async def write(self, messages: int) -> None:
        """Send this many, in turns, as fast as they are accepted."""
        numbers = iter(range(messages))

        async def writer() -> None:
            for number in numbers:
                await self.shop.send(number)

        await asyncio.gather(*(writer() for _ in range(IN_FLIGHT)))

    async def have_sent(self, messages: int) -> bool:
        """Whether so many have left."""
        outbox = self._witness.database["outbox"]
        return await outbox.count_documents({"status": "sent"}, limit=messages) == messages

    async def have_arrived(self, messages: int) -> bool:
        """Whether so many were delivered and shown, and as many heard by the session that they were sent to."""
        delivered = {"direction": "out", "status": "delivered"}
        return (
            await self._witness.database["messages"].count_documents(delivered) >= messages
            and await self._witness.database["messages"].count_documents({"direction": "in"}) >= messages
            and sum([len(await self._network.shown(number)) for number in self.shop.numbers]) >= messages
        )

    async def are_told(self, messages: int) -> bool:
        """Whether customers saw so many come in: a message is told once it is stored."""
        return len(await frames_of_received(self._nats_url)) >= messages

    async def assert_each_arrived_once_and_readable(self) -> None:
        """Counted on both phones, in the outbox, and on what the sessions told the broker of what they read."""
        messages = len(self.shop.accepted)
        await self._witness.assert_outbox_settles(set(self.shop.accepted), within_s=BACK_WITHIN_S)
        for number in self.shop.numbers:
            shown = Counter(row["text"] for row in await self._network.shown(number))
            assert set(shown.values()) == {1}, f"{sum(shown.values()) - len(shown)} messages are shown twice"
            assert len(shown) == messages // 2
        facts = await facts_of_received(self._nats_url)
        assert Counter(fact["kind"] for fact in facts.values()) == {"MessageReceived": messages}
        frames = Counter(frame["data"]["waId"] for frame in await frames_of_received(self._nats_url))
        assert set(frames.values()) == {1}, f"{frames.total() - len(frames)} messages were told twice"
        assert len(frames) == messages
        assert (await self._network.stats())["undecryptable"] == 0


class Conversation:
    """A session of ours, and a person whose phone uses each second key twice."""

    def __init__(self, stack: RunningStack, network: SimulatedNetwork, witness: Witness) -> None:
        self._network, self._witness = network, witness
        self._nats_url = stack.ready.nats_url
        self.shop = Shop(stack)
        self.written: dict[str, str] = {}
        """WhatsApp id -> the text that the person wrote."""

    async def open(self) -> None:
        """Link the session, and break the person's phone."""
        await self.shop.open(sessions=1, contacts=1)
        self.ours, self.theirs = self.shop.numbers[0], self.shop.contacts[0]
        await self._network.behave(self.ours, deliver=False)  # what the person is told, our device has said
        await self._network.breaks("reuseKeys", phone=self.theirs, to=self.ours, every=2)

    async def write(self, each_way: int) -> None:
        """Write this many each way, both at once."""
        numbers = iter(range(each_way))

        async def writer() -> None:
            for number in numbers:
                await asyncio.gather(self.shop.send(number), self._person_writes(f"text {number}"))

        await asyncio.gather(*(writer() for _ in range(IN_FLIGHT)))

    async def _person_writes(self, text: str) -> None:
        self.written[await self._network.write(self.theirs, self.ours, text)] = text

    async def is_over(self) -> bool:
        """Whether both sides were told that all they wrote was delivered."""
        delivered = {"direction": "out", "status": "delivered"}
        return await self._witness.database["messages"].count_documents(delivered) == len(self.shop.accepted) and all(
            [row["status"] == "delivered" for row in await self._network.sent(self.theirs)]
        )

    async def assert_each_arrived_once(self) -> None:
        """Counted on the phone, and on what customers saw: the right text in the right chat."""
        await self._witness.assert_outbox_settles(set(self.shop.accepted), within_s=BACK_WITHIN_S)
        shown = Counter(row["text"] for row in await self._network.shown(self.theirs))
        assert len(shown) == shown.total() == len(self.shop.accepted)
        frames = [frame["data"] for frame in await self._frames_of_all()]
        lost = self.written.keys() - {frame["waId"] for frame in frames}
        assert not lost, f"{len(lost)} of {len(self.written)} texts were lost, and their writer was told delivered"
        assert len(frames) == len(self.written), f"{len(frames) - len(self.written)} texts were told twice"
        assert {frame["waId"]: frame["text"] for frame in frames} == self.written
        assert {frame["chat"] for frame in frames} == {self.theirs}

    async def _frames_of_all(self) -> list[dict[str, Any]]:
        """The frames, once there are as many as texts; those that are there when that takes too long."""

        async def told() -> bool:
            return len(await frames_of_received(self._nats_url)) >= len(self.written)

        with contextlib.suppress(AssertionError):
            await eventually(told, within_s=10, every_s=0.2)
        return await frames_of_received(self._nats_url)

    async def used_twice(self) -> int:
        """How many texts could not be read when they came first."""
        kinds = Counter(fact["kind"] for fact in (await facts_of_received(self._nats_url)).values())
        return kinds["MessageUndecryptable"]


async def _both_ways(tmp_path: Path, messages: int, drops: int) -> None:
    async with (
        running_stack(tmp_path, "--networks", "simulator") as stack,
        SimulatedNetwork(stack.simulator_url) as network,
        Witness(stack.ready) as witness,
    ):
        pair = Pair(stack, network, witness)
        await pair.open()
        started = time.monotonic()
        writing = asyncio.create_task(pair.write(messages))
        for drop in range(drops):
            due = (drop + 1) * messages // (drops + 1)
            await eventually(partial(pair.have_sent, due), within_s=messages / 10 + BACK_WITHIN_S, every_s=0.2)
            await network.breaks("drop")
        await writing
        await eventually(partial(pair.have_arrived, messages), within_s=messages / 10 + BACK_WITHIN_S, every_s=0.2)
        took_s = time.monotonic() - started
        await eventually(partial(pair.are_told, messages), within_s=BACK_WITHIN_S, every_s=0.2)
        await pair.assert_each_arrived_once_and_readable()
        await pair.shop.close()
        print(f"both ways: {messages} messages, {drops} drops, {took_s:.0f} s, {messages / took_s:.0f}/s")  # noqa: T201


async def test_two_sessions_write_to_each_other_and_nothing_is_lost(tmp_path: Path) -> None:
    await _both_ways(tmp_path, messages=300, drops=0)


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("drops", [0, 6], ids=["steady", "dropping"])
async def test_ten_thousand_both_ways_lose_nothing(tmp_path: Path, drops: int) -> None:
    await _both_ways(tmp_path, messages=10_000, drops=drops)


async def _keys_used_twice(tmp_path: Path, each_way: int) -> None:
    async with (
        running_stack(tmp_path, "--networks", "simulator") as stack,
        SimulatedNetwork(stack.simulator_url) as network,
        Witness(stack.ready) as witness,
    ):
        talk = Conversation(stack, network, witness)
        await talk.open()
        await talk.write(each_way)
        await eventually(talk.is_over, within_s=each_way / 10 + BACK_WITHIN_S, every_s=0.2)
        await talk.assert_each_arrived_once()
        unread = await talk.used_twice()
        assert unread > each_way / 10, "the phone used hardly any key twice: the run shows nothing"
        await talk.shop.close()
        print(f"keys used twice: {each_way} each way, {unread} not read when they came first")  # noqa: T201


async def test_a_peer_that_uses_keys_twice_loses_nothing(tmp_path: Path) -> None:
    await _keys_used_twice(tmp_path, each_way=50)


@pytest.mark.soak
@pytest.mark.timeout(3000)
async def test_thousands_of_texts_with_a_peer_that_uses_keys_twice_lose_nothing(tmp_path: Path) -> None:
    await _keys_used_twice(tmp_path, each_way=2_000)
