"""Publishes commands: one by one while they are few, in atomic batches when many come at the same time."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from libs.runtime.bus import Bus, BusDown, Outgoing, PublishUnclear, StreamFull, encode

BATCHES_IN_FLIGHT = 2
MOST_AT_ONCE = 100
RETRY_S = 0.2


class _Waiting(msgspec.Struct, frozen=True):
    outgoing: Outgoing
    stored: asyncio.Future[bool]


class CommandPublisher:
    """Stores commands in atomic batches: what arrives while the batches are on their way makes up the next one.

    Nothing waits for company: a command that comes alone goes alone, at once.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._waiting: deque[_Waiting] = deque()
        self._batches = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(
        self, subject: str, command: msgspec.Struct, *, msg_id: str, headers: dict[str, str], repeat_for_s: float
    ) -> None:
        """Store the command; when this returns, it is stored. As `Bus.publish`, with the same exceptions."""
        if not await self._is_stored(subject, command, {**headers, "Nats-Msg-Id": msg_id}):
            await self._publish_again(subject, command, msg_id=msg_id, headers=headers, repeat_for_s=repeat_for_s)

    async def _is_stored(self, subject: str, command: msgspec.Struct, headers: dict[str, str]) -> bool:
        """Whether the command is stored; False when that is not certain. Raises BusDown, StreamFull."""
        if not self._bus.connected:
            raise BusDown
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Outgoing(subject=subject, payload=encode(command), headers=headers), stored))
        if self._batches < BATCHES_IN_FLIGHT:
            self._batches += 1
            task = asyncio.create_task(self._flush())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await stored

    async def _publish_again(
        self, subject: str, command: msgspec.Struct, *, msg_id: str, headers: dict[str, str], repeat_for_s: float
    ) -> None:
        """Try again under the same id, of which the stream keeps one.

        The batch was refused (one of its ids was stored before), or its answer got lost. So even when NATS is away now,
        it is not certain that the command is not stored.
        """
        deadline = asyncio.get_running_loop().time() + repeat_for_s
        while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                await self._bus.publish(subject, command, msg_id=msg_id, headers=headers, repeat_for_s=left_s)
            except BusDown:
                await asyncio.sleep(RETRY_S)
            else:
                return
        raise PublishUnclear(subject)

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await self._publish_batch(
                    [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_AT_ONCE))]
                )
        finally:
            self._batches -= 1  # in one step with the last look: who comes now finds a free place and starts anew

    async def _publish_batch(self, batch: list[_Waiting]) -> None:
        try:
            await self._bus.publish_batch([waiting.outgoing for waiting in batch])
            _settle(batch, stored=True)
        except (BusDown, StreamFull) as error:  # certainly nothing was stored
            for waiting in batch:
                if not waiting.stored.done():
                    waiting.stored.set_exception(_alike(error))
        except PublishUnclear:
            pass  # each tries again
        finally:
            _settle(batch, stored=False)  # those that are settled stay so; nobody is left waiting


def _settle(batch: list[_Waiting], *, stored: bool) -> None:
    for waiting in batch:
        if not waiting.stored.done():
            waiting.stored.set_result(stored)


def _alike(error: BusDown | StreamFull) -> BusDown | StreamFull:
    """An exception of its own for each who waits: a traceback belongs to one."""
    return StreamFull(error.subject) if isinstance(error, StreamFull) else BusDown()
