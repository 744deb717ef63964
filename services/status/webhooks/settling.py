"""Stores what became of deliveries, many in one write (group commit): a lone one waits for nothing."""

from __future__ import annotations

import asyncio
from collections import deque

from libs.contracts.webhooks import WebhookDelivery
from services.status.webhooks.store import WebhookStore

WRITES_AT_ONCE = 2
MOST = 200

Settled = tuple[WebhookDelivery, int]
"""A delivery as it is after an attempt, and the epoch under which that was made."""


class Settlements:
    """The process's writes of outcomes: what comes while a write is under way makes up the next one."""

    def __init__(self, store: WebhookStore) -> None:
        self._store = store
        self._waiting: deque[tuple[Settled, asyncio.Future[bool], asyncio.Future[None]]] = deque()
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._unwritten: set[asyncio.Future[None]] = set()

    async def settle(self, row: WebhookDelivery, epoch: int) -> bool:
        """Returns once it is stored; False when the row is gone, or a later owner's. Raises PyMongoError."""
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[bool] = loop.create_future()
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append(((row, epoch), stored, written))
        self._unwritten.add(written)
        if self._running < WRITES_AT_ONCE:
            self._running += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await stored

    async def until_written(self) -> None:
        """Wait until what was to be stored before this call is stored, or has failed, whether it is still awaited."""
        if self._unwritten:
            await asyncio.wait(set(self._unwritten))

    async def _run(self) -> None:
        while self._waiting:
            part = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            try:
                outcomes = await self._store.settle([settled for settled, _, _ in part])
            except Exception as error:  # whatever it is: those who wait are told, and the next part is tried
                for _, stored, _ in part:
                    if not stored.done():
                        stored.set_exception(error)
                continue
            finally:
                for _, _, written in part:
                    self._unwritten.discard(written)
                    written.set_result(None)
            for (_, stored, _), is_ours in zip(part, outcomes, strict=True):
                if not stored.done():  # its line was stopped meanwhile
                    stored.set_result(is_ours)
        self._running -= 1  # in the same step as the look that found nothing: what comes now starts a task of its own
