"""The message bus: one connection to NATS, publishing that tells the truth, and FastStream set up once."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import msgspec
import nats.errors
import nats.js.errors
from faststream.nats import NatsBroker
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from libs.runtime.tasks import end

T = TypeVar("T")

PUBLISH_TIMEOUT_S = 2.0
REPEAT_FOR_S = 5.0
MAX_BATCH = 500
WORTH_A_BATCH = 30
"""An atomic batch costs the server 2 ms of CPU and 8 ms of time at least; below this many, single publishes are cheaper
(measured: 0.09 ms each at 8 in flight; batches of 32: 0.067 ms a message, of 100: 0.033 ms)."""
WRONG_LAST_SEQUENCE = (10071, 10164)
STREAM_FULL = (10077, 10047, 10023)

_encoder = msgspec.json.Encoder()


class BusDown(Exception):
    """NATS is not connected: certainly nothing was published."""

    def __init__(self) -> None:
        super().__init__("NATS is not connected")


class PublishUnclear(Exception):
    """A publish was not answered: it may or may not be stored. Repeat it with the same id."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(f"the publish to {subject} was not answered; it may or may not be stored")


class StreamFull(Exception):
    """The stream takes no more (`max_bytes` with discard-new): certainly nothing was published."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(f"the stream of {subject} is full")


class StalePublish(Exception):
    """The stream's last sequence is not the expected one: somebody else published there. Nothing was published."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        super().__init__(f"the last sequence of {subject} is not the expected one")


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a batch."""

    subject: str
    payload: bytes
    headers: dict[str, str] = {}


async def undecoded(message: Any) -> Any:
    """FastStream's decoder for our handlers: they get the message as it came, and decode it themselves, once."""
    return message


def encode(message: msgspec.Struct) -> bytes:
    """The message as it travels: JSON, camelCase."""
    return _encoder.encode(message)


class Bus:
    """A process's one connection to NATS. `broker` is FastStream's, `nats` and `jetstream` the client's below it."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url, self._name = url, name
        self._broken = asyncio.Event()
        """Set when the connection breaks; the next one has one of its own."""
        self.broker = NatsBroker(
            url,
            name=name,
            pending_size=0,  # nothing is buffered while disconnected: a publish is refused at once instead
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,  # pyright: ignore[reportArgumentType]  # seconds; a float works
            connect_timeout=2,
            ping_interval=5,
            max_outstanding_pings=2,
            disconnected_cb=self._note_break,
            logger=None,
            apply_types=False,  # its dependencies are resolved in a thread pool, for every message
        )
        self._nats: Nats | None = None
        self._jetstream: JetStreamContext | None = None

    async def connect(self) -> None:
        """Connect, waiting until NATS is there."""
        while self._nats is None:
            try:
                self._nats = await self.broker.connect()
            except (OSError, nats.errors.Error, TimeoutError):
                await asyncio.sleep(0.2)
        self._jetstream = JetStreamContext(self._nats, timeout=PUBLISH_TIMEOUT_S)

    async def close(self) -> None:
        """Send what is still to be sent, and close."""
        if self._nats is not None and self._nats.is_connected:
            with contextlib.suppress(nats.errors.Error, TimeoutError):
                await asyncio.wait_for(self._nats.flush(timeout=1), 1.5)
        with contextlib.suppress(nats.errors.Error):
            await self.broker.stop()  # raises while NATS is away, and leaves the client reconnecting for ever
        if self._nats is not None and not self._nats.is_closed:
            await self._nats.close()
        reconnecting: asyncio.Task[None] | None = getattr(self._nats, "_reconnection_task", None)
        if reconnecting is not None:  # the client cancels it once, and it may lose that: it would go on for ever
            await end(reconnecting)

    @property
    def nats(self) -> Nats:
        """The connected client. Raises BusDown before `connect`."""
        if self._nats is None:
            raise BusDown
        return self._nats

    @property
    def jetstream(self) -> JetStreamContext:
        """The JetStream context. Raises BusDown before `connect`."""
        if self._jetstream is None:
            raise BusDown
        return self._jetstream

    @property
    def connected(self) -> bool:
        """Whether the connection is up now."""
        return self._nats is not None and self._nats.is_connected

    async def _note_break(self) -> None:
        self._broken.set()
        self._broken = asyncio.Event()

    async def fault(self) -> str | None:
        """Health check."""
        return None if self.connected else "NATS is not connected"

    async def publish(
        self,
        subject: str,
        message: msgspec.Struct,
        *,
        msg_id: str | None = None,
        headers: dict[str, str] | None = None,
        repeat_for_s: float = 0.0,
    ) -> int:
        """Publish to a stream and wait until it is stored; returns its sequence.

        With `repeat_for_s`, an unclear publish is repeated that long, with the same `msg_id`: the stream keeps one.
        Raises BusDown, StreamFull, PublishUnclear.
        """
        all_headers = dict(headers or {})
        if msg_id is not None:
            all_headers["Nats-Msg-Id"] = msg_id
        payload = encode(message)
        deadline = asyncio.get_running_loop().time() + repeat_for_s
        unclear = False
        while True:
            try:
                return await self._publish_once(subject, payload, all_headers)
            except (BusDown, PublishUnclear) as error:
                unclear = unclear or isinstance(error, PublishUnclear)
                if asyncio.get_running_loop().time() >= deadline or (isinstance(error, BusDown) and not unclear):
                    if unclear:
                        raise PublishUnclear(subject) from error
                    raise
                await asyncio.sleep(0.2)

    async def _publish_once(self, subject: str, payload: bytes, headers: dict[str, str]) -> int:
        if not self.connected:
            raise BusDown
        try:
            reply = await self.nats.request(subject, payload, timeout=PUBLISH_TIMEOUT_S, headers=headers or None)
        except nats.errors.OutboundBufferLimitError as error:
            raise BusDown from error
        except (nats.errors.NoRespondersError, nats.errors.ConnectionClosedError) as error:
            raise BusDown from error
        except (nats.errors.Error, TimeoutError) as error:
            raise PublishUnclear(subject) from error
        return _sequence_of(reply.data, subject)

    async def publish_many(self, batch: Sequence[Outgoing]) -> None:
        """Publish these (at most MAX_BATCH) in order, the cheapest way; returns when all are stored.

        Raises what `publish_batch` raises; then some of the first ones may be stored, and none behind one that is not.
        """
        if len(batch) >= WORTH_A_BATCH:
            await self.publish_batch(batch)
            return
        singles = (self._publish_once(each.subject, each.payload, each.headers) for each in batch)
        outcomes = await asyncio.gather(*singles, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def publish_batch(self, batch: Sequence[Outgoing], *, last_sequence: tuple[str, int] | None = None) -> int:
        """Publish all of them or none, in order (at most MAX_BATCH); returns the sequence of the last one.

        `last_sequence` (subject filter, sequence): refused with StalePublish unless that is the filter's last sequence.
        Raises BusDown, StreamFull, StalePublish, PublishUnclear.
        """
        if not self.connected:
            raise BusDown
        expected: dict[str, str] = {}
        if last_sequence is not None:
            expected = {
                "Nats-Expected-Last-Subject-Sequence": str(last_sequence[1]),
                "Nats-Expected-Last-Subject-Sequence-Subject": last_sequence[0],
            }
        if len(batch) == 1:
            only = batch[0]
            return await self._publish_once(only.subject, only.payload, {**only.headers, **expected})
        batch_id = secrets.token_hex(12)
        for number, outgoing in enumerate(batch, start=1):
            headers = {**outgoing.headers, "Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}
            if number == 1:
                headers.update(expected)
            if number == len(batch):
                headers["Nats-Batch-Commit"] = "1"
                return await self._publish_once(outgoing.subject, outgoing.payload, headers)
            try:
                await self.nats.publish(outgoing.subject, outgoing.payload, headers=headers)
            except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
                raise BusDown from error
        raise ValueError("a batch holds at least one message")

    async def ask(self, subject: str, request: msgspec.Struct, answer: type[T] | Any, *, timeout_s: float) -> T:
        """Ask over request/reply and decode the answer; not waited for once the connection broke, for it is lost then.

        Raises BusDown, nats NoRespondersError (nobody listens; nothing was delivered) and TimeoutError.
        """
        if not self.connected:
            raise BusDown
        try:
            asking = self.nats.request(subject, encode(request), timeout=timeout_s)
            reply = await self._unless_it_breaks(asking)
        except nats.errors.NoRespondersError:
            raise
        except nats.errors.OutboundBufferLimitError as error:
            raise BusDown from error
        except (TimeoutError, nats.errors.Error) as error:
            raise TimeoutError(f"no answer from {subject}") from error
        return msgspec.json.decode(reply.data, type=answer)

    async def _unless_it_breaks(self, asking: Coroutine[Any, Any, Msg]) -> Msg:
        """What is answered. Raises TimeoutError as soon as the connection breaks, and what asking raises."""
        answer, broken = asyncio.ensure_future(asking), asyncio.ensure_future(self._broken.wait())
        try:
            await asyncio.wait({answer, broken}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise TimeoutError
            return answer.result()
        finally:
            answer.cancel()
            broken.cancel()

    async def broadcast(self, subject: str, payload: bytes = b"") -> None:
        """Tell everybody who listens now; nobody may be listening, and it may get lost."""
        if self.connected:
            try:
                await self.nats.publish(subject, payload)
            except nats.errors.Error:
                return


def _sequence_of(reply: bytes, subject: str) -> int:
    answer: dict[str, Any] = msgspec.json.decode(reply)
    error = answer.get("error")
    if error is None:
        return int(answer["seq"])
    code = int(error.get("err_code", 0))
    if code in WRONG_LAST_SEQUENCE:
        raise StalePublish(subject)
    if code in STREAM_FULL:
        raise StreamFull(subject)
    raise PublishUnclear(subject) from nats.js.errors.APIError(
        code=error.get("code"), err_code=code, description=error.get("description")
    )
