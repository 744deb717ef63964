"""Notes when each API key was last used, at most once a minute for each."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from pymongo.errors import PyMongoError

from libs.runtime import logs
from libs.runtime.mongo import Database
from services.api.access import store_keys
from services.api.times import now

EVERY_S = 60.0
MOST_KNOWN = 20_000

log = logs.get()


class KeyUses:
    """One edge's notes; no request waits for them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: dict[str, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, key_id: str) -> None:
        """This key is used now."""
        at = time.monotonic()
        if at - self._noted.get(key_id, -EVERY_S) < EVERY_S:
            return
        if len(self._noted) >= MOST_KNOWN:
            self._noted.clear()
        self._noted[key_id] = at
        task = asyncio.create_task(self._write(key_id))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def stop(self) -> None:
        """Wait for the notes that are being written."""
        await asyncio.gather(*self._writing)

    async def _write(self, key_id: str) -> None:
        at = now()
        try:
            await store_keys.note_use(self._database, key_id, at, unless_since=at - timedelta(seconds=EVERY_S))
        except PyMongoError as error:
            log.warning("a key's last use could not be noted", reason=type(error).__name__)
