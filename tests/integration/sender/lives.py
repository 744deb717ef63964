"""Replicas of sender that live in this process and die when they are told to: in the midst of whatever they do.

A life has its own connections and its own tasks. Its death cancels all of them in the same moment and closes nothing in
order, so what was on its way to MongoDB or NATS may or may not arrive, as after a kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from typing import Any

import msgspec

from libs.contracts.calls import Deliver, DeliverAnswer
from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from libs.runtime.mongo import connect, database
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.sender.app import office_of
from services.sender.handlers import Owner
from services.sender.settings import Settings
from services.sender.shard import Shard
from tests.integration.sender.conftest import SHARDS
from tests.integration.sender.network import delivered, refused
from tests.processes import eventually

TIMING = Timing(suspended_after_s=600)
MANY_S = 30

_life: ContextVar[Life | None] = ContextVar("life", default=None)


class Crash(CrashPoints):
    """Dies at the so-many-th point that it passes, whichever that is; `passed` are their names."""

    def __init__(self, life: Life, after: int | None) -> None:
        super().__init__("")
        self._life, self._after = life, after
        self.passed: list[str] = []

    def at(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self._after:
            self._life.die()


class _Process(msgspec.Struct):
    """What `office_of` takes from a runtime."""

    bus: Any
    database: Any
    crash: CrashPoints


class Life:
    """One replica from its start to its death or end. `after`: the number of the crash point at which it dies."""

    def __init__(self, number: int, epoch: int, after: int | None, *, nats_url: str, mongodb_url: str) -> None:
        self.crash = Crash(self, after)
        self._lease = Lease(number, epoch, confirmed_at=asyncio.get_running_loop().time(), timing=TIMING)
        self._nats_url, self._mongodb_url = nats_url, mongodb_url
        self.tasks: set[asyncio.Task[Any]] = set()
        self._dead = asyncio.Event()
        self.handled = 0
        """Batches that were handled to their end, and would be acknowledged."""

    def die(self) -> None:
        """Now: no step more of anything."""
        self._dead.set()
        for task in self.tasks:
            task.cancel()
        raise asyncio.CancelledError

    async def handle(self, *batches: Sequence[Delivery[Any]]) -> int:
        """Take the shard over and handle these batches; how many of them were handled before it died."""
        client, bus = connect(self._mongodb_url, app="life"), Bus(self._nats_url, name="life")
        await client.admin.command("ping")
        await bus.connect()
        work = asyncio.create_task(self._live(_Process(bus=bus, database=database(client), crash=self.crash), batches))
        dying = asyncio.create_task(self._dead.wait())
        await asyncio.wait({work, dying}, return_when=asyncio.FIRST_COMPLETED, timeout=MANY_S)
        dying.cancel()
        if self.died:
            await self._buried()
        await asyncio.gather(work, return_exceptions=True)
        await (bus.nats.close() if self.died else bus.close())  # whoever is dead drains nothing
        await client.close()
        if not self.died:
            work.result()  # raises what went wrong
        return self.handled

    async def _buried(self) -> None:
        """Until no task is left. Python 3.11's `wait_for` now and then forgets a cancellation; then another follows."""
        while self.tasks:
            for task in self.tasks:
                task.cancel()
            await asyncio.wait(self.tasks, timeout=0.05)

    @property
    def died(self) -> bool:
        return self._dead.is_set()

    async def _live(self, process: Any, batches: Sequence[Sequence[Delivery[Any]]]) -> None:
        _life.set(self)
        await asyncio.create_task(self._work(process, batches))

    async def _work(self, process: Any, batches: Sequence[Sequence[Delivery[Any]]]) -> None:
        settings = Settings(
            nats_url="",
            mongodb_url="",
            secret_keys="",
            shards=SHARDS,
            retry_first_s=0.02,
            retry_longest_s=0.02,
            refusal_held_s=0.05,
            stop_patience_s=MANY_S,
        )
        office = office_of(process, settings)
        for part in office.parts:
            part.start()
        owner = Owner(Shard(office, self._lease), self._lease.shard)
        await owner.start()
        for batch in batches:
            await owner.handle(list(batch))
            self.handled += 1
        await eventually(lambda: self._is_idle(process.database), within_s=MANY_S, every_s=0.01)
        await owner.stop()
        for part in office.parts:
            await part.stop()

    async def _is_idle(self, stored: Any) -> bool:
        """Whether every message of the shard has ended."""
        is_open = {"shard": self._lease.shard, "finishedAt": None}
        return await stored["outbox"].find_one(is_open, {"_id": 1}) is None


def task_factory(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """Notes which life a task belongs to: the one of the task that made it."""
    task = asyncio.Task(work, loop=loop, **options)
    life = _life.get()
    if life is not None:
        life.tasks.add(task)
        task.add_done_callback(life.tasks.discard)
    return task


class Fates:
    """What becomes of hand-overs, one after another: `sent`, `refused`, or `unknown`; afterwards all are sent."""

    def __init__(self, fates: Sequence[str]) -> None:
        self._left = list(fates)
        self.sent: set[str] = set()
        """Messages that WhatsApp took."""
        self.proved: set[str] = set()
        """Messages for which a receipt comes, whatever was answered."""

    async def __call__(self, request: Deliver) -> DeliverAnswer | None:
        fate = self._left.pop(0) if self._left else "sent"
        if request.message_id in self.sent:  # the recipient's phone knows it by its id
            return delivered()
        match fate:
            case "refused":
                return refused("REFUSED", retryable=False)
            case "unknown":
                self.sent.add(request.message_id)
                return refused("LOST", retryable=True, left=None)
            case _:
                self.sent.add(request.message_id)
                return delivered()
