"""Ending tasks."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from libs.runtime import tasks
from libs.runtime.tasks import end


async def slow_to_end() -> None:
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)


async def started(work: asyncio.Task[None]) -> asyncio.Task[None]:
    await asyncio.sleep(0)
    return work


async def test_a_task_has_ended_when_its_end_was_awaited() -> None:
    task = await started(asyncio.create_task(slow_to_end()))
    await end(task)
    assert task.cancelled()
    await end(task)


async def test_who_is_cancelled_while_ending_another_ends_as_well() -> None:
    task = await started(asyncio.create_task(slow_to_end()))
    ending = await started(asyncio.create_task(end(task)))
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    await asyncio.wait([task])


async def test_a_task_that_swallows_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)

    async def go_on() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    task = await started(asyncio.create_task(go_on()))
    async with asyncio.timeout(60):
        await end(task)
    assert task.cancelled()


async def test_a_task_that_has_failed_does_not_keep_the_others_from_ending() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    failed = await started(asyncio.create_task(fail()))
    task = await started(asyncio.create_task(slow_to_end()))
    await end(failed, task)
    assert task.cancelled()
    assert isinstance(failed.exception(), ValueError)
