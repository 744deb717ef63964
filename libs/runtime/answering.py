"""Answers requests (NATS request/reply), and stops without leaving one that has come without its answer.

Not FastStream's subscriber: one that is stopped throws away what comes while it waits for the handlers that run, and
whoever asked waits for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import nats.errors

from libs.runtime import logs
from libs.runtime.bus import Bus, encode
from libs.runtime.tasks import end

UNSUBSCRIBED_WITHIN_S = 1.0

log = logs.get()

Answer = Callable[[bytes], Awaitable[bytes]]


class Answerer:
    """What answers the requests on one subject, at most `at_once` at a time; the next ones wait.

    `cut_off` is the answer to those that `stop` finds unanswered, and to those that still come after it.
    """

    def __init__(self, bus: Bus, subject: str, answer: Answer, *, at_once: int, cut_off: msgspec.Struct) -> None:
        self._bus, self._subject, self._answer, self._cut_off = bus, subject, answer, encode(cut_off)
        self._room = asyncio.Semaphore(at_once)
        self._subscription: Any = None
        self._closing: asyncio.Task[None] | None = None
        self._stopped = False
        self._working: dict[asyncio.Task[None], Any] = {}

    async def start(self) -> None:
        """Begin. Raises BusDown, nats.errors.Error."""
        self._subscription = await self._bus.nats.subscribe(self._subject, cb=self._take)

    async def close(self) -> None:
        """Take no more requests: who asks from now on hears that nobody listens. What has come is still answered."""
        subscription, self._subscription = self._subscription, None
        if subscription is None:
            return
        self._closing = asyncio.create_task(self._unsubscribe(subscription))
        await asyncio.wait({self._closing}, timeout=UNSUBSCRIBED_WITHIN_S)

    async def _unsubscribe(self, subscription: Any) -> None:
        """Never cancelled: nats-py would lose its connection by the pong that then belongs to nobody."""
        with contextlib.suppress(nats.errors.Error, TimeoutError):
            # a drain waits for NATS, also for one that is away
            await (subscription.drain() if self._bus.connected else subscription.unsubscribe())

    async def finish(self, within_s: float) -> None:
        """Wait until what has come is answered."""
        if self._working:
            await asyncio.wait(set(self._working), timeout=within_s)

    async def stop(self) -> None:
        """Take no more requests, and cut off what is still worked on."""
        await self.close()
        self._stopped = True
        unanswered = dict(self._working)
        await end(*unanswered)
        for request in unanswered.values():
            await self._respond(request, self._cut_off)

    async def _take(self, request: Any) -> None:
        if self._stopped:  # NATS was slow to hear of it
            await self._respond(request, self._cut_off)
            return
        task = asyncio.create_task(self._reply(request))
        self._working[task] = request
        task.add_done_callback(self._working.pop)

    async def _reply(self, request: Any) -> None:
        async with self._room:
            try:
                answer = await self._answer(request.data)
            except Exception:
                log.exception("a request was not answered", subject=self._subject)
                return
        await self._respond(request, answer)

    async def _respond(self, request: Any, answer: bytes) -> None:
        try:
            await request.respond(answer)
        except nats.errors.Error as error:
            log.info("an answer could not be sent", subject=self._subject, reason=type(error).__name__)
