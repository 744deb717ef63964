"""A shard's feed: its consumer on one stream, taken over under the shard's epoch, handled in order, batch by batch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import nats.errors
import nats.js.errors
from faststream import AckPolicy
from faststream.nats import JStream, PullSub
from nats.aio.msg import Msg
from nats.js.api import AckPolicy as JetStreamAck
from nats.js.api import ConsumerConfig, DeliverPolicy
from pymongo.errors import PyMongoError

from libs.contracts.ids import COMMANDS, consumer_name, dead_subject, shard_token
from libs.runtime import logs
from libs.runtime.bus import Bus, BusDown, Outgoing, PublishUnclear, StreamFull, undecoded
from libs.runtime.crash import CrashPoints
from libs.runtime.pulls import Pull
from libs.runtime.shards import Lease, LeaseLost, Leases

M = TypeVar("M")

BATCH = 100
TRIES = 5
ACK_WAIT_S = 30.0
RETRY_DELAYS_S = (0.05, 0.2, 0.5, 1.0, 2.0)
INFRASTRUCTURE = (BusDown, PublishUnclear, StreamFull, TimeoutError, OSError, nats.errors.Error, nats.js.errors.Error)


class Delivery(msgspec.Struct, Generic[M], frozen=True):
    """One message of a feed."""

    message: M
    seq: int
    """Its sequence in the stream."""
    headers: dict[str, str]
    attempt: int
    """How often the server has delivered it, from 1."""
    subject: str = ""


class Feed(Generic[M]):
    """What a shard wants from one stream: the messages of `subjects`, decoded as `types`, handled by `handle`.

    `handle` gets 1 to 100 deliveries in stream order; when it returns they are acknowledged. When it raises, the same
    batch is repeated in place: infrastructure errors until they pass, others one message at a time, and one that fails
    five times goes to the dead letters. It may see a message twice, so it is idempotent.
    """

    def __init__(
        self,
        *,
        stream: str,
        subjects: Sequence[str],
        types: Any,
        handle: Callable[[list[Delivery[M]]], Awaitable[None]],
    ) -> None:
        self.stream, self.subjects, self.handle = stream, list(subjects), handle
        self.decode: Callable[[bytes], M] = msgspec.json.Decoder(types).decode


class RunningFeed:
    """A feed under a lease: takes the consumer over, pulls, handles, acknowledges."""

    def __init__(
        self,
        feed: Feed[Any],
        *,
        bus: Bus,
        service: str,
        lease: Lease,
        leases: Leases,
        lease_id: str,
        crash: CrashPoints,
    ) -> None:
        self._feed, self._bus, self._service, self._lease = feed, bus, service, lease
        self._leases, self._lease_id, self._crash = leases, lease_id, crash
        self.consumer = consumer_name(service, lease.shard, lease.epoch)
        self._pull: Pull | None = None
        self._subscriber: Any = None
        self.floor = 0
        """Everything up to this sequence is handled. Noted in the lease row now and then, for a server that forgets."""
        self._working = asyncio.Lock()
        self._stopped = False
        self._log = logs.get().bind(stream=feed.stream, consumer=self.consumer)

    @property
    def lease_id(self) -> str:
        """`_id` of its shard's lease row."""
        return self._lease_id

    @property
    def epoch(self) -> int:
        """The epoch under which it reads."""
        return self._lease.epoch

    @property
    def stream(self) -> str:
        """The stream this feed reads."""
        return self._feed.stream

    async def take_over(self) -> None:
        """Note how far the former owner came, delete its consumer, make ours. May run twice."""
        floor = 0
        former = await self._former_consumers()
        for old in former:
            with contextlib.suppress(nats.js.errors.NotFoundError):
                info = await self._bus.jetstream.consumer_info(self._feed.stream, old)
                floor = max(floor, info.ack_floor.stream_seq if info.ack_floor else 0)
        floor = await self._noted_floor(floor)
        for old in former:
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await self._bus.jetstream.delete_consumer(self._feed.stream, old)
            self._crash.at("runtime.hand_over")
        await self._bus.jetstream.add_consumer(self._feed.stream, self._config(floor))

    @property
    def _acks_each(self) -> bool:
        """A work queue wants an ack for each message; elsewhere the last one's stands for all before it."""
        return self._feed.stream == COMMANDS

    def _config(self, floor: int) -> ConsumerConfig:
        from_start = self._feed.stream == COMMANDS or floor == 0
        return ConsumerConfig(
            durable_name=self.consumer,
            filter_subjects=self._feed.subjects,
            ack_policy=JetStreamAck.EXPLICIT if self._acks_each else JetStreamAck.ALL,
            ack_wait=ACK_WAIT_S,
            mem_storage=True,  # a file of its own, synced at each ack, cost a third of the server's CPU: see `floor`
            max_ack_pending=4 * BATCH,
            deliver_policy=DeliverPolicy.ALL if from_start else DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=None if from_start else floor + 1,
        )

    async def _noted_floor(self, floor: int) -> int:
        """The highest floor known for this stream, noted in the lease row before the old consumer goes."""
        field = f"floor.{self._feed.stream}"
        doc = await self._leases.find_one_and_update(
            {"_id": self._lease_id, "epoch": self._lease.epoch}, {"$max": {field: floor}}, return_document=True
        )
        if doc is None:
            raise LeaseLost(self._lease.shard, self._lease.epoch)
        return int(doc["floor"][self._feed.stream])

    async def _former_consumers(self) -> list[str]:
        prefix = f"{self._service.replace('/', '-')}-{shard_token(self._lease.shard)}-e"
        return [name for name in await consumer_names(self._bus, self._feed.stream) if name.startswith(prefix)]

    async def start(self) -> None:
        """Begin to pull, through FastStream's batch subscriber."""
        pull = Pull(self._bus.nats, stream=self._feed.stream, consumer=self.consumer, size=BATCH, renew=self.take_over)
        await pull.open()
        subscriber: Any = self._bus.broker.subscriber(
            self._feed.subjects[0],
            stream=JStream(self._feed.stream, declare=False),
            durable=self.consumer,
            pull_sub=PullSub(batch_size=BATCH, timeout=5, batch=True),
            ack_policy=AckPolicy.MANUAL,
            config=ConsumerConfig(filter_subjects=self._feed.subjects),
        )
        subscriber(self._on_batch, decoder=undecoded)
        await subscriber.start()
        subscriber.subscription = pull  # before its task has run for the first time: see Pull
        self._pull, self._subscriber = pull, subscriber

    async def stop(self, *, give_back: bool) -> None:
        """Stop pulling. With `give_back`, a batch at work is finished (2 s at most) and the rest is given back."""
        self._stopped = True
        if self._pull is None:
            return
        await self._pull.unsubscribe()
        if give_back:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self._idle()
        held = self._pull.held()
        if give_back and self._bus.connected:
            for message in held:
                with contextlib.suppress(nats.errors.Error):
                    await message.nak()
        with contextlib.suppress(nats.errors.Error, nats.js.errors.Error):
            await self._subscriber.stop()

    async def _idle(self) -> None:
        async with self._working:
            return

    async def _on_batch(self, message: Any) -> None:
        """FastStream's handler: one batch of raw messages."""
        async with self._working:
            if self._stopped:
                return
            try:
                await self._lease.until_usable()
                await self._work_off(message.raw_message)
            except LeaseLost:
                self._stopped = True
            except asyncio.CancelledError:
                raise
            except Exception:
                self._log.exception("a batch was left unacknowledged")

    async def _work_off(self, raw: list[Msg]) -> None:
        pairs = [pair for message in raw if (pair := await self._decoded(message)) is not None]
        deliveries = [delivery for _, delivery in pairs]
        if deliveries and not await self._handled(deliveries, raw):
            for pair in pairs:
                await self._one_by_one(*pair)
        await self._lease.until_usable()
        with contextlib.suppress(nats.errors.Error):  # NATS went away: they come again, and change nothing
            for message in raw if self._acks_each else raw[-1:]:
                await message.ack()
        self.floor = raw[-1].metadata.sequence.stream

    async def _decoded(self, raw: Msg) -> tuple[Msg, Delivery[Any]] | None:
        metadata = raw.metadata
        try:
            message = self._feed.decode(raw.data)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            await self._bury(raw, error)
            return None
        return raw, Delivery(message, metadata.sequence.stream, raw.headers or {}, metadata.num_delivered, raw.subject)

    async def _handled(self, deliveries: list[Delivery[Any]], raw: list[Msg]) -> bool:
        """Handle them, through any number of infrastructure errors; False when something else went wrong."""
        failures = 0
        touched = time.monotonic()
        while True:
            await self._lease.until_usable()
            try:
                await self._feed.handle(deliveries)
                return True
            except LeaseLost:
                raise
            except Exception as error:
                if not is_infrastructure(error):
                    self._log.warning("a batch failed", size=len(deliveries), error=repr(error)[:300])
                    return False
                self._log.warning("a batch is repeated", size=len(deliveries), error=type(error).__name__)
            await asyncio.sleep(RETRY_DELAYS_S[min(failures, len(RETRY_DELAYS_S) - 1)])
            failures += 1
            if time.monotonic() - touched > ACK_WAIT_S / 3:
                touched = time.monotonic()
                await self._still_at_it(raw)
            if self._stopped:
                raise LeaseLost(self._lease.shard, self._lease.epoch)

    async def _still_at_it(self, raw: list[Msg]) -> None:
        for message in raw:
            with contextlib.suppress(nats.errors.Error):
                await message.in_progress()

    async def _one_by_one(self, raw: Msg, delivery: Delivery[Any]) -> None:
        last: Exception = RuntimeError("never tried")
        for attempt in range(TRIES):
            try:
                if await self._handled_alone(delivery):
                    return
            except LeaseLost:
                raise
            except Exception as error:
                last = error
            await asyncio.sleep(RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S) - 1)])
        await self._bury(raw, last)

    async def _handled_alone(self, delivery: Delivery[Any]) -> bool:
        while True:
            await self._lease.until_usable()
            try:
                await self._feed.handle([delivery])
                return True
            except LeaseLost:
                raise
            except Exception as error:
                if not is_infrastructure(error):
                    raise
            await asyncio.sleep(RETRY_DELAYS_S[-1])

    async def _bury(self, raw: Msg, error: Exception) -> None:
        """To the dead letters, with its history; the message is acknowledged with its batch."""
        self._log.error("dead letter", subject=raw.subject, error=repr(error)[:300])
        headers = {
            **{key: value for key, value in (raw.headers or {}).items() if not key.startswith("Nats-")},
            "Dead-Subject": raw.subject,
            "Dead-Stream": self._feed.stream,
            "Dead-Sequence": str(raw.metadata.sequence.stream),
            "Dead-Error": repr(error)[:500].replace("\n", " ").replace("\r", " "),
        }
        letter = Outgoing(subject=dead_subject(self._service.replace("/", ".")), payload=raw.data, headers=headers)
        while True:
            try:
                await self._bus.publish_batch([letter])
                return
            except (BusDown, PublishUnclear, StreamFull):
                await self._lease.until_usable()
                await asyncio.sleep(1)


async def consumer_names(bus: Bus, stream: str) -> list[str]:
    """Names of all consumers of a stream. Raises nats errors."""
    names: list[str] = []
    while True:
        reply = await bus.nats.request(
            f"$JS.API.CONSUMER.NAMES.{stream}", msgspec.json.encode({"offset": len(names)}), timeout=5
        )
        answer: dict[str, Any] = msgspec.json.decode(reply.data)
        if "error" in answer:
            raise nats.js.errors.APIError.from_error(answer["error"])
        page: list[str] = answer.get("consumers") or []
        names.extend(page)
        if not page or len(names) >= int(answer["total"]):
            return names


def is_infrastructure(error: Exception) -> bool:
    """Whether the error speaks of NATS, MongoDB or the network being away, so that trying again can help."""
    if isinstance(error, PyMongoError):
        return bool(error.timeout) or error.has_error_label("RetryableWriteError") or _is_connection(error)
    return isinstance(error, INFRASTRUCTURE)


def _is_connection(error: PyMongoError) -> bool:
    from pymongo.errors import ConnectionFailure, WaitQueueTimeoutError, WTimeoutError

    return isinstance(error, ConnectionFailure | WaitQueueTimeoutError | WTimeoutError)
