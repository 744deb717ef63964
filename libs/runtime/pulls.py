"""A pull consumer's batches: what has come is handed out at once, a partial batch included."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import nats.errors
from nats.aio.client import Client as Nats
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from libs.runtime import logs

EXPIRES_S = 5.0
RENEW_AGAIN_S = 0.5


class Pull:
    """Stands in for nats-py's pull subscription below FastStream's batch subscriber.

    Its own `fetch` either holds a partial batch back until the time-out or strands it (both measured). This one keeps
    one request open at the server and returns as soon as anything is there.

    What the server has sent and a broken connection has swallowed, it would deliver again only when its ack wait is
    over, after all that follows. So after each reconnect, whenever a delivery is missing (the consumer numbers them),
    and when the consumer is gone, `renew` makes it again from what is acknowledged: everything else comes again at
    once, in order.
    """

    def __init__(
        self, client: Nats, *, stream: str, consumer: str, size: int, renew: Callable[[], Awaitable[None]]
    ) -> None:
        self._client, self._size, self._renew = client, size, renew
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = client.new_inbox()
        self._ready: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._credit = 0
        self._expires_at = 0.0
        self._reconnects = 0
        self._delivered = 0
        self._broken = False
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Listen for what the server sends."""
        self._reconnects = self._client.stats["reconnects"]
        self._subscription = await self._client.subscribe(self._inbox, cb=self._take)

    async def _take(self, message: Msg) -> None:
        if message.headers and "Status" in message.headers:
            self._credit = 0  # 404, 408, 409: the request has ended
            self._broken = self._broken or _says_gone(message.headers)
        else:
            self._credit -= 1
            self._ready.append(message)
        self._arrived.set()

    async def fetch(self, batch: int, timeout: float | None = None) -> list[Msg]:
        """What is there now, else the first that come within `timeout` seconds.

        Raises nats TimeoutError when nothing came; also when asked to fill up a partial batch: that shall go out now.
        """
        if batch < self._size:
            raise nats.errors.TimeoutError
        deadline = time.monotonic() + (timeout or EXPIRES_S)
        while self._is_broken() or not self._ready:
            if self._is_broken():
                await self._begin_anew()
            self._arrived.clear()
            await self._ask()
            wait_s = min(1.0, deadline - time.monotonic())
            if wait_s <= 0:
                raise nats.errors.TimeoutError
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):  # not wait_for: Python 3.11's can swallow a cancellation
                    await self._arrived.wait()
        messages = [self._ready.popleft() for _ in range(min(self._size, len(self._ready)))]
        if not self._follow(messages):
            self._broken = True
            raise nats.errors.TimeoutError
        return messages

    def _is_broken(self) -> bool:
        return self._broken or self._client.stats["reconnects"] != self._reconnects

    def _follow(self, messages: list[Msg]) -> bool:
        """Whether these are the very next deliveries of the consumer."""
        for message in messages:
            self._delivered += 1
            if message.metadata.sequence.consumer != self._delivered:
                return False
        return True

    async def _begin_anew(self) -> None:
        """Have the consumer made again. Raises nats TimeoutError when that cannot be now: fetch again."""
        self._broken = True
        await self.unsubscribe()
        self._ready.clear()
        try:
            await self._renew()
            self._inbox, self._credit, self._delivered = self._client.new_inbox(), 0, 0
            await self.open()
        except Exception as error:  # NATS or MongoDB is away, or the lease is lost: whoever runs the feed will see
            logs.get().warning("a consumer could not be made again", error=type(error).__name__)
            await asyncio.sleep(RENEW_AGAIN_S)
            raise nats.errors.TimeoutError from error
        self._broken = False

    async def _ask(self) -> None:
        now = time.monotonic()
        if self._credit > 0 and now < self._expires_at:
            return
        request = {"batch": self._size, "expires": int(EXPIRES_S * 1e9)}
        try:
            await self._client.publish(self._subject, json.dumps(request).encode(), self._inbox)
        except nats.errors.Error:
            await asyncio.sleep(0.1)
            return
        self._credit, self._expires_at = self._size, now + EXPIRES_S

    def held(self) -> list[Msg]:
        """Take what was delivered and not fetched: to be given back when the consumer is left."""
        held = list(self._ready)
        self._ready.clear()
        return held

    async def unsubscribe(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()


def _says_gone(headers: Mapping[str, str]) -> bool:
    """Whether the server's word to a request is that there is no such consumer (any more).

    503: nobody answers at its subject; 409 with that description: it was deleted under an open request.
    """
    return headers["Status"] == "503" or "consumer deleted" in headers.get("Description", "").lower()
