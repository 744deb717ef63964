"""The power goes in the middle of load: every message that was accepted is there afterwards, and arrives once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.faults.audience import Audience
from tests.faults.disk import Disk, disk
from tests.faults.shop import Shop
from tests.faults.witness import Witness
from tests.faults.writers import Writers
from tests.processes import eventually
from tests.servers import MongoServer, NatsServer, Server
from tests.stack import RunningStack, running_stack

CUTS = int(os.environ.get("MERPATI_POWER_CUTS", "6"))
pytestmark = [
    pytest.mark.needs_go,
    pytest.mark.needs_root,
    pytest.mark.soak,
    pytest.mark.timeout(180 + 45 * CUTS),
]

SESSIONS, CONTACTS = 10, 10
OUT_PER_S, IN_PER_S = 12.0, 6.0
LOAD_BEFORE_S, HELD_FOR_S, LOAD_AFTER_S = 3.0, 1.5, 3.0
OUTSIDE = ("launcher", "simulator")
"""What has power of its own: the network of WhatsApp, and who switches everything on again."""


class House:
    """NATS and MongoDB on one disk, and the services beside them: everything that loses its power at once."""

    def __init__(self, disk: Disk, servers: list[Server], stack: RunningStack) -> None:
        self._disk, self._servers, self._stack = disk, servers, stack

    def lose_power(self) -> None:
        """Everything stands still, the disk is cut off, and only then everything is gone: no last word, no last ack."""
        pids = [pid for name, pid in self._stack.pids.items() if name not in OUTSIDE]
        pids += [server.pid for server in self._servers]
        _signal(pids, signal.SIGSTOP)
        self._disk.lose_power()
        _signal(pids, signal.SIGKILL)
        for server in self._servers:
            server.kill()

    async def power_returns(self) -> None:
        """The disk with what is on it, then the servers; the launcher starts the services by itself."""
        self._disk.unplug()
        self._disk.plug_in()
        for server in self._servers:
            await asyncio.to_thread(server.start)

    async def hold_senders(self) -> None:
        """The sender stands still, so that accepted messages lie in NATS alone."""
        os.kill(self._stack.pids["sender-1"], signal.SIGSTOP)
        await asyncio.sleep(HELD_FOR_S)


def _signal(pids: list[int], number: signal.Signals) -> None:
    """One that waits for its servers may just be ending by itself."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@contextmanager
def _servers_on(place: Path) -> Generator[tuple[NatsServer, MongoServer]]:
    nats, mongo = NatsServer(place / "nats"), MongoServer(place / "mongod")
    try:
        nats.start()
        mongo.start()
        yield nats, mongo
    finally:
        nats.kill()
        mongo.kill()


@asynccontextmanager
async def _house(tmp_path: Path) -> AsyncGenerator[tuple[House, RunningStack]]:
    with disk(tmp_path) as own_disk, _servers_on(own_disk.place) as (nats, mongo):
        environment = {"NATS_URL": nats.url, "MONGODB_URL": mongo.url()}
        options = ("--networks", "simulator")
        async with running_stack(tmp_path / "stack", *options, environment=environment, hasty=True) as stack:
            yield House(own_disk, [nats, mongo], stack), stack


async def test_what_was_accepted_survives_the_loss_of_power(tmp_path: Path) -> None:
    async with _house(tmp_path) as (house, stack), AsyncExitStack() as closing:
        shop = Shop(stack)
        closing.push_async_callback(shop.close)
        await shop.open(sessions=SESSIONS, contacts=CONTACTS)
        writers = Writers(shop, stack.simulator_url)
        closing.push_async_callback(writers.close)
        audience = await closing.enter_async_context(Audience(stack.url, stack.key))
        over, in_nats_alone = asyncio.Event(), 0
        async with asyncio.TaskGroup() as load:
            load.create_task(shop.send_on(OUT_PER_S, over))
            load.create_task(writers.write_on(IN_PER_S, over))
            for cut in range(CUTS):
                await asyncio.sleep(LOAD_BEFORE_S)
                if cut % 2:
                    before = len(shop.accepted)
                    await house.hold_senders()
                    in_nats_alone += len(shop.accepted) - before
                house.lose_power()
                answered = set(shop.accepted)
                await house.power_returns()
                await _assert_known(shop, answered)
                await asyncio.sleep(LOAD_AFTER_S)
            over.set()
        print(  # noqa: T201
            f"{CUTS} losses of power: {len(shop.accepted)} out ({in_nats_alone} of them in NATS alone when it went), "
            f"{len(writers.written)} in; the audience connected {audience.connections} times"
        )
        await shop.all_shown(within_s=120)
        await shop.assert_each_arrived_once()
        await writers.all_heard(audience)
        writers.assert_each_came_in_once(audience)
        await audience.all_told(shop.accepted)
        audience.assert_flawless()
        async with Witness(stack.ready) as witness:
            await witness.assert_outbox_settles(set(shop.accepted), within_s=60)
            await witness.assert_heard_all(audience)
            assert await witness.dead_letters() == 0


async def _assert_known(shop: Shop, answered: set[str]) -> None:
    """Every id that was answered is known as soon as the edge answers again."""

    async def works() -> bool:
        try:
            return (await shop.http.get("/readyz")).is_success
        except httpx.TransportError:
            return False

    await eventually(works, within_s=60)
    for message in answered:
        assert (await shop.message(message))["messageId"] == message
