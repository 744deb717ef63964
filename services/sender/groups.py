"""Group commit: many callers' changes in one write, in their order, under their leases."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

from libs.runtime import logs
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import Lease, LeaseLost
from libs.runtime.tasks import end

AGAIN_FIRST_S, AGAIN_LONGEST_S = 0.05, 1.0
SUSPENDED_PAUSE_S = 0.05


class Leased(Protocol):
    """A change that counts only while its lease is held."""

    @property
    def lease(self) -> Lease:
        """The lease under which the change is made."""
        ...

    @property
    def weight(self) -> int:
        """Its share of a group, at least 1."""
        ...


C = TypeVar("C", bound=Leased)
R = TypeVar("R")

Write = Callable[[Sequence[C]], Awaitable[Sequence[R | Exception]]]
"""Carries out the changes, in order; answers one result for each, or the exception that its caller shall see."""


class GroupCommit(Generic[C, R]):
    """Collects changes while the former write runs, and carries them out in one.

    A change whose lease is suspended waits; one whose lease is lost fails with LeaseLost. Infrastructure errors are
    repeated with growing pauses until they pass, so `write` must be safe to repeat. Other errors fail the change that
    causes them and no other.
    """

    def __init__(self, name: str, write: Write[C, R], *, largest: int) -> None:
        self._name, self._write, self._largest = name, write, largest
        self._waiting: deque[tuple[C, asyncio.Future[R]]] = deque()
        self._arrived = asyncio.Event()
        self._pause_s = AGAIN_FIRST_S
        self._task: asyncio.Task[None] | None = None
        self._log = logs.get().bind(group=name)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name=f"group {self._name}")

    async def stop(self) -> None:
        """End; what waits stays undone."""
        if self._task is not None:
            await end(self._task)
        for _, future in self._waiting:
            future.cancel()

    def submit(self, change: C) -> asyncio.Future[R]:
        """Have the change carried out after those submitted before; the future holds its result."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        self._arrived.set()
        return future

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(0)  # whoever is about to submit in this round of the loop comes along
            group = self._next_group()
            if group:
                await self._carry_out(group)
            elif self._waiting:
                await asyncio.sleep(SUSPENDED_PAUSE_S)
            else:
                self._arrived.clear()

    def _next_group(self) -> list[tuple[C, asyncio.Future[R]]]:
        group: list[tuple[C, asyncio.Future[R]]] = []
        suspended: list[tuple[C, asyncio.Future[R]]] = []
        weight = 0
        while self._waiting:
            change, future = self._waiting[0]
            if change.lease.usable:
                if group and weight + change.weight > self._largest:
                    break
                weight += change.weight
                group.append((change, future))
            elif change.lease.lost:
                _fail(future, LeaseLost(change.lease.shard, change.lease.epoch))
            else:
                suspended.append((change, future))
            self._waiting.popleft()
        self._waiting.extendleft(reversed(suspended))
        return group

    async def _carry_out(self, group: list[tuple[C, asyncio.Future[R]]]) -> None:
        try:
            results = await self._write([change for change, _ in group])
        except Exception as error:
            await self._repeat_or_fail(group, error)
            return
        self._pause_s = AGAIN_FIRST_S
        for (_, future), result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                _fail(future, result)
            elif not future.done():
                future.set_result(result)

    async def _repeat_or_fail(self, group: list[tuple[C, asyncio.Future[R]]], error: Exception) -> None:
        if is_infrastructure(error):
            self._log.warning("a group is repeated", size=len(group), error=type(error).__name__)
            self._waiting.extendleft(reversed(group))
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(self._pause_s * 2, AGAIN_LONGEST_S)
        elif len(group) == 1:
            self._log.error("a change failed", error=repr(error)[:300])
            _fail(group[0][1], error)
        else:
            for one in group:
                await self._carry_out([one])


def _fail(future: asyncio.Future[R], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
