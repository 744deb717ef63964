"""Publishes facts to EVENTS, in order, many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from libs.contracts.events import AnyFact, kind_of_subject
from libs.contracts.ids import fact_subject
from libs.runtime.bus import MAX_BATCH, Bus, BusDown, Outgoing, encode
from libs.runtime.tasks import end


def _outgoing(fact: AnyFact, shards: int) -> Outgoing:
    return Outgoing(subject=fact_subject(kind_of_subject(fact), fact.session_id, shards), payload=encode(fact))


async def tell(bus: Bus, facts: Sequence[AnyFact], shards: int) -> None:
    """Publish these facts, all of one shard, in order; returns once they are stored.

    Repeating is safe: readers know each fact by its id. Raises BusDown, PublishUnclear, StreamFull.
    """
    for start in range(0, len(facts), MAX_BATCH):
        await bus.publish_many([_outgoing(fact, shards) for fact in facts[start : start + MAX_BATCH]])


class Teller:
    """Publishes what many tasks tell at the same time as few batches; the order of the calls is kept.

    A batch goes out as soon as the one before it is stored, so that a lone fact waits for nothing.
    """

    def __init__(self, bus: Bus, shards: int) -> None:
        self._bus, self._shards = bus, shards
        self._waiting: list[tuple[Sequence[AnyFact], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def tell(self, facts: Sequence[AnyFact]) -> None:
        """Returns once these facts are stored. Raises BusDown, PublishUnclear, StreamFull: tell them again."""
        if not facts:
            return
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((facts, stored))
        self._wake.set()
        await stored

    async def close(self) -> None:
        """Stop; what still waits is refused."""
        await end(self._task)
        for _, stored in self._waiting:
            if not stored.done():
                stored.set_exception(BusDown())

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                part = self._take()
                await self._publish(part)

    def _take(self) -> list[tuple[Sequence[AnyFact], asyncio.Future[None]]]:
        """The longest head of the queue that fits into one batch; at least one call."""
        number = size = 0
        for facts, _ in self._waiting:
            if number and size + len(facts) > MAX_BATCH:
                break
            number, size = number + 1, size + len(facts)
        part, self._waiting = self._waiting[:number], self._waiting[number:]
        return part

    async def _publish(self, part: list[tuple[Sequence[AnyFact], asyncio.Future[None]]]) -> None:
        try:
            await tell(self._bus, [fact for facts, _ in part for fact in facts], self._shards)
        except Exception as error:  # whatever it is: the ones who wait are told, and the next part is tried
            for _, stored in part:
                if not stored.done():
                    stored.set_exception(error)
            return
        for _, stored in part:
            if not stored.done():
                stored.set_result(None)
