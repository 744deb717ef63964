"""Runs a service: connects, claims shards, gives each shard's owner its feeds, tells its health, drains on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
import nats.errors
import nats.js.errors
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from libs.contracts.ids import COMMANDS, SHARDS_CHANGED
from libs.runtime import logs
from libs.runtime.bus import Bus
from libs.runtime.crash import CrashPoints
from libs.runtime.crypto import KeyRing
from libs.runtime.feeds import Feed, RunningFeed, consumer_names
from libs.runtime.health import Health, HealthServer
from libs.runtime.mongo import Client, Database, connect, database
from libs.runtime.settings import CommonSettings
from libs.runtime.shards import Lease, LeaseLost, Leases, Shards
from libs.runtime.tasks import end
from libs.runtime.topology import drift

LEASE_TIMEOUT_MS = 1000
DRAIN_S = 10.0
TAKE_OVER_AGAIN_S = 0.5
NOTE_FLOORS_EVERY_S = 2.0


class ShardOwner(Protocol):
    """A service's work for one shard, made anew at each claim."""

    @property
    def feeds(self) -> Sequence[Feed[Any]]:
        """What it reads, one feed for each stream."""
        ...

    async def start(self) -> None:
        """Load state and tell what is untold; ends before the feeds deliver."""
        ...

    async def stop(self) -> None:
        """The lease is given back or lost: end every task of this shard, in less than 2 s."""
        ...


class Runtime:
    """What a service is built from: connections, settings, health and crash points of this process."""

    def __init__(self, service: str, settings: CommonSettings) -> None:
        self.service, self.settings = service, settings
        self.bus = Bus(settings.nats_url, name=settings.replica)
        self.client: Client = connect(settings.mongodb_url, app=settings.replica)
        self.database: Database = database(self.client)
        self.ring = KeyRing.parse(settings.secret_keys)
        self.crash = CrashPoints(settings.crash_at)
        self.health = Health()
        self.health.add("nats", self.bus.fault)
        self.health.add("mongodb", self._mongodb_fault)
        self.health.add("streams", self._streams_fault)
        self.fit: Callable[[], bool] = lambda: self.bus.connected
        """Whether this replica can do its work; a service may replace it before it returns from `build`."""
        self.on_held: Callable[[Sequence[Lease]], None] = lambda leases: None
        """Hears which leases are held, at each confirmation and each change; a service may replace it likewise."""
        self.closing: list[Callable[[], Awaitable[None]]] = []
        """Called after the shards were given back."""

    async def _mongodb_fault(self) -> str | None:
        await self.client.admin.command("ping")
        return None

    async def _streams_fault(self) -> str | None:
        return await drift(self.bus.jetstream)

    async def until_streams_are_there(self) -> None:
        """Wait until NATS and its streams are as the contract says: nothing is claimed before."""
        said = ""
        while True:
            try:
                fault = await drift(self.bus.jetstream)
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
                fault = type(error).__name__
            if fault is None:
                return
            if fault != said:
                logs.get().warning("waiting for the streams", fault=fault)
                said = fault
            await asyncio.sleep(0.5)

    async def until_mongodb_is_there(self) -> None:
        """Wait until MongoDB answers: a service that is started while it is away waits, and does not die of it."""
        waited = False
        while True:
            try:
                await self.client.admin.command("ping")
                return
            except PyMongoError as error:
                if not waited:
                    logs.get().warning("waiting for MongoDB", fault=type(error).__name__)
                waited = True
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Close what `build` registered, then the connections."""
        for close in self.closing:
            await close()
        await self.bus.close()
        await self.client.close()


Build = Callable[[Runtime], Awaitable[Callable[[Lease], ShardOwner]]]


class _Owned(msgspec.Struct):
    """A claimed shard at work."""

    lease: Lease
    task: asyncio.Task[None]
    owner: ShardOwner | None = None
    feeds: list[RunningFeed] = []
    stopping: bool = False


class _ShardWork:
    """Starts and stops the work of the shards as leases come and go."""

    def __init__(self, runtime: Runtime, service: str, make: Callable[[Lease], ShardOwner]) -> None:
        self._runtime, self._service, self._make = runtime, service, make
        self._leases: Leases = runtime.database["leases"]
        self._owned: dict[int, _Owned] = {}
        self._log = logs.get()

    async def claimed(self, lease: Lease) -> None:
        """Begin the work of a shard; a failure to begin is tried again while the lease holds."""
        former = self._owned.get(lease.shard)
        if former is not None:
            await self.gone(former.lease)
        task = asyncio.create_task(self._begin(lease))
        self._owned[lease.shard] = _Owned(lease=lease, task=task)

    async def _begin(self, lease: Lease) -> None:
        while not lease.lost:
            try:
                await self._begin_once(lease)
                return
            except LeaseLost:
                return
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self._log.warning("a shard's start is repeated", shard=lease.shard, error=repr(error)[:300])
                await self._end_parts(self._owned[lease.shard], give_back=False)
                await asyncio.sleep(TAKE_OVER_AGAIN_S)

    async def _begin_once(self, lease: Lease) -> None:
        owned = self._owned[lease.shard]
        owned.owner = self._make(lease)
        lease_id = f"{self._service}/{lease.shard:02d}"
        owned.feeds = [
            RunningFeed(
                feed,
                bus=self._runtime.bus,
                service=self._service,
                lease=lease,
                leases=self._leases,
                lease_id=lease_id,
                crash=self._runtime.crash,
            )
            for feed in owned.owner.feeds
        ]
        await asyncio.gather(owned.owner.start(), *(feed.take_over() for feed in owned.feeds))
        for feed in owned.feeds:
            await feed.start()

    async def gone(self, lease: Lease) -> None:
        """End the work of a shard: give back what was delivered and not handled, unless the lease is lost already."""
        owned = self._owned.get(lease.shard)
        if owned is None or owned.lease is not lease or owned.stopping:
            return
        owned.stopping = True
        await end(owned.task)
        await self._end_parts(owned, give_back=not lease.lost)
        if self._owned.get(lease.shard) is owned:
            del self._owned[lease.shard]

    async def _end_parts(self, owned: _Owned, *, give_back: bool) -> None:
        await asyncio.gather(*(feed.stop(give_back=give_back) for feed in owned.feeds))
        owned.feeds = []
        if owned.owner is not None:
            await owned.owner.stop()
            owned.owner = None

    async def note_floors(self) -> None:
        """Keep how far each feed has come, in one write now and then, until cancelled.

        Consumers live in the server's memory: one that restarts has forgotten them, and they begin from what is noted.
        """
        noted: dict[tuple[str, int, str], int] = {}
        while True:
            await asyncio.sleep(NOTE_FLOORS_EVERY_S)
            feeds = [feed for owned in self._owned.values() for feed in owned.feeds if feed.stream != COMMANDS]
            now = {(feed.lease_id, feed.epoch, feed.stream): feed.floor for feed in feeds}
            risen = {key: floor for key, floor in now.items() if floor > noted.get(key, 0)}
            writes = [
                UpdateOne({"_id": lease_id, "epoch": epoch}, {"$max": {f"floor.{stream}": floor}})
                for (lease_id, epoch, stream), floor in risen.items()
            ]
            with contextlib.suppress(PyMongoError):
                if writes:
                    await self._leases.bulk_write(writes, ordered=False)
                noted = now

    async def fault(self) -> str | None:
        """Health check: every consumer of the shards at work exists on the server."""
        wanted: dict[str, set[str]] = {}
        for owned in self._owned.values():
            if not owned.task.done():
                return f"shard {owned.lease.shard} is starting"
            for feed in owned.feeds:
                wanted.setdefault(feed.stream, set()).add(feed.consumer)
        for stream, names in wanted.items():
            missing = names - set(await consumer_names(self._runtime.bus, stream))
            if missing:
                return f"consumers missing on {stream}: {', '.join(sorted(missing))}"
        return None


async def run(service: str, settings: CommonSettings, build: Build) -> None:
    """Run until SIGTERM or SIGINT. `service` names leases and consumers: `sender`, `sessions/whatsapp`."""
    logs.configure(service=service, replica=settings.replica, level=settings.log_level)
    runtime = Runtime(service, settings)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    runtime.health.add("shards", _starting)
    server = HealthServer(runtime.health, host=settings.health_host, port=settings.health_port)
    await server.start()
    work = asyncio.create_task(_own_shards(service, runtime, build, stopped))
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    stopped.set()
    if not work.done():
        done, _ = await asyncio.wait({work}, timeout=DRAIN_S)
        if not done:
            await end(work)
    if not work.cancelled():
        await work
    waiting.cancel()
    await server.stop()
    await runtime.close()


async def _starting() -> str | None:
    """Health check until there is something to ask."""
    return "the service is still starting"


async def _own_shards(service: str, runtime: Runtime, build: Build, stopped: asyncio.Event) -> None:
    settings = runtime.settings
    await _or_stopped(runtime.bus.connect(), stopped)
    await _or_stopped(runtime.until_streams_are_there(), stopped)
    await _or_stopped(runtime.until_mongodb_is_there(), stopped)
    if stopped.is_set():
        return
    make = await build(runtime)
    # a client of its own: no beat waits for a connection behind other work
    lease_client = connect(settings.mongodb_url, app=f"{settings.replica}-leases", timeout_ms=LEASE_TIMEOUT_MS, pool=40)
    leases = database(lease_client)["leases"]
    work = _ShardWork(runtime, service, make)
    subject = f"{SHARDS_CHANGED}.{service.replace('/', '-')}"
    shards = Shards(
        service=service,
        replica=settings.replica,
        count=settings.shards,
        leases=leases,
        on_claimed=work.claimed,
        on_gone=work.gone,
        announce=lambda: runtime.bus.broadcast(subject),
        on_held=runtime.on_held,
        fit=lambda: runtime.fit(),
    )
    runtime.health.add("shards", work.fault)

    async def poll(_: Any) -> None:
        shards.poll_now()

    await runtime.bus.nats.subscribe(subject, cb=poll)
    with contextlib.suppress(PyMongoError):
        await leases.create_index("service")
    keeping = asyncio.create_task(shards.run())
    noting = asyncio.create_task(work.note_floors())
    waiting = asyncio.create_task(stopped.wait())
    done, _ = await asyncio.wait({keeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if keeping in done:
        await keeping
    await shards.give_back_everything()
    for task in (keeping, noting):
        await end(task)
    await lease_client.close()


async def _or_stopped(work: Awaitable[None], stopped: asyncio.Event) -> None:
    task, waiting = asyncio.ensure_future(work), asyncio.create_task(stopped.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        await end(task)
        return
    await task
