"""Brings the batches of many shards together: whatever waits is handled in one round (group commit).

A lone batch waits for nothing. Under load a round holds what has come while the one before was at work, and a moment
longer: a round has a price, whatever it holds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from libs.contracts.events import AnyFact
from libs.runtime.feeds import Delivery
from services.status.handlers import FactHandler
from services.status.turns import Shard, Turn

ROUNDS_AT_ONCE = 2
"""A second one computes while the first waits for the disk. A shard has one batch at a time, so its order is safe."""
WORTH_ANOTHER = 250
"""Facts that must wait before a second round begins; what is less shares the next one."""
BUSY = 10
"""Facts of a round after which more are expected."""
MOMENT_S = 0.015
"""How long they are awaited: well below the delay that a person notices, and as long as a round takes."""
ROUND_FACTS = 500
"""A round computes for about 50 ms at most: leases are confirmed by the same event loop."""

Entry = tuple[Turn, asyncio.Future[None]]
"""A batch and the word that it is done."""


class Rounds:
    """The process's rounds."""

    def __init__(self, handler: FactHandler, *, moment_s: float = MOMENT_S) -> None:
        self._handler, self._moment_s = handler, moment_s
        self._waiting: deque[Entry] = deque()
        self._facts_waiting = 0
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, shard: Shard, batch: Sequence[Delivery[AnyFact]]) -> None:
        """Returns when the facts of this batch are stored and told.

        Raises LeaseLost, errors of NATS and MongoDB, and whatever a rule says of a fact that makes no sense.
        """
        turn, done = Turn(shard, batch), asyncio.get_running_loop().create_future()
        self._waiting.append((turn, done))
        self._facts_waiting += len(turn.facts)
        if self._running == 0 or (self._running < ROUNDS_AT_ONCE and self._facts_waiting >= WORTH_ANOTHER):
            self._running += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await done

    async def _run(self) -> None:
        while self._waiting:
            entered = self._next_round()
            await self._one_round(entered)
            if _facts(entered) >= BUSY > self._facts_waiting:
                await asyncio.sleep(self._moment_s)
        self._running -= 1  # in the same step as the look that found nothing: what comes now starts a task of its own

    async def _one_round(self, entered: list[Entry]) -> None:
        try:
            await self._handler.handle([turn for turn, _ in entered])
        except Exception as error:  # a fault of ours: each turn tells its feed
            for turn, _ in entered:
                turn.error = turn.error or error
        for turn, done in entered:
            _settle(turn, done)

    def _next_round(self) -> list[Entry]:
        entered = [self._waiting.popleft()]
        while self._waiting and _facts(entered) + len(self._waiting[0][0].facts) <= ROUND_FACTS:
            entered.append(self._waiting.popleft())
        self._facts_waiting -= _facts(entered)
        return entered


def _facts(entered: Sequence[Entry]) -> int:
    return sum(len(turn.facts) for turn, _ in entered)


def _settle(turn: Turn, done: asyncio.Future[None]) -> None:
    if done.done():  # its feed was stopped
        return
    if turn.error is None:
        done.set_result(None)
    else:
        done.set_exception(turn.error)
