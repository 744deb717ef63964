"""Ends tasks."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN_S = 3.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel these tasks and wait until all have ended, however; asyncio logs what one fails with.

    `suppress(CancelledError)` around `await task` also swallows a cancellation of the caller that comes meanwhile, and
    who was to end goes on for ever. A task may swallow one too, in a library that uses `wait_for` (Python 3.11), as
    PyMongo does for each command: it is cancelled again while it goes on.
    """
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=AGAIN_S)
