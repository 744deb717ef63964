"""Follows a stream from a sequence on: an ordered consumer that repairs its own gaps and survives its server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from libs.runtime.bus import Bus, BusDown

HEARTBEAT_S = 1.0
SILENT_AFTER_S = 3.0
LOOK_EVERY_S = 0.1
REQUEST_TIMEOUT_S = 2.0
FORGOTTEN_AFTER_S = 30.0


Take = Callable[[int, Msg], None]
"""Called with the stream sequence and the message, in order, each once."""


class Follower:
    """One life of a consumer on `stream`: `run` returns as soon as anything is in doubt, to be run again from there."""

    def __init__(self, bus: Bus, *, stream: str, subject: str, take: Take) -> None:
        self._bus, self._stream, self._subject, self._take = bus, stream, subject, take
        self._received = 0
        self._heard_at = 0.0
        self._broken = asyncio.Event()

    async def run(self, start: int) -> None:
        """Deliver from sequence `start` on, until the consumer is lost. Raises BusDown, nats.errors.Error."""
        if not self._bus.connected:
            raise BusDown
        client, name = self._bus.nats, f"edge-{secrets.token_hex(8)}"
        inbox, lives = client.new_inbox(), client.stats["reconnects"]
        self._received, self._heard_at = 0, _now()
        self._broken.clear()
        subscription = await client.subscribe(inbox, cb=self._on_message)
        try:
            await self._bus.jetstream.add_consumer(self._stream, _config(name, self._subject, inbox, start))
            while not self._doubtful(lives):
                await self._look_again_in(LOOK_EVERY_S)
        finally:
            await self._drop(subscription, name)

    async def _look_again_in(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._broken.wait(), pause_s)

    def _doubtful(self, lives: int) -> bool:
        return (
            self._broken.is_set()
            or not self._bus.connected
            or self._bus.nats.stats["reconnects"] != lives
            or _now() - self._heard_at > SILENT_AFTER_S
        )

    async def _drop(self, subscription: Subscription, name: str) -> None:
        self._broken.set()  # what still comes in belongs to this life, and is not wanted any more
        if not self._bus.connected:
            return
        with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError):
            await subscription.unsubscribe()
            await asyncio.wait_for(self._bus.jetstream.delete_consumer(self._stream, name), REQUEST_TIMEOUT_S)

    async def _on_message(self, message: Msg) -> None:
        if self._broken.is_set():
            return
        self._heard_at = _now()
        headers = message.headers
        if headers is not None and headers.get("Status") == "100":
            await self._on_control(message, headers)
            return
        # $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>
        tokens = message.reply.split(".")
        if int(tokens[-3]) != self._received + 1:
            self._broken.set()
            return
        self._received += 1
        self._take(int(tokens[-4]), message)

    async def _on_control(self, message: Msg, headers: dict[str, str]) -> None:
        stalled = message.reply or headers.get("Nats-Consumer-Stalled")
        if stalled:
            await self._bus.nats.publish(stalled)  # flow control: everything before it has been taken
        last = headers.get("Nats-Last-Consumer")
        if last is not None and int(last) != self._received:
            self._broken.set()


def _config(name: str, subject: str, inbox: str, start: int) -> ConsumerConfig:
    return ConsumerConfig(
        name=name,
        filter_subject=subject,
        deliver_subject=inbox,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=max(start, 1),
        ack_policy=AckPolicy.NONE,
        max_deliver=1,
        flow_control=True,
        idle_heartbeat=HEARTBEAT_S,
        inactive_threshold=FORGOTTEN_AFTER_S,
        mem_storage=True,
        num_replicas=1,
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
