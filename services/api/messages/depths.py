"""How many messages of a session still have to leave, as sender last noted: read at most once a second."""

from __future__ import annotations

import asyncio
import contextlib
import time

from pymongo.errors import PyMongoError

from libs.runtime.mongo import Database

BELIEVED_S = 1.0
MOST_SESSIONS = 20_000


class QueueDepths:
    """One edge's view of `queue_depths`. A depth that is older than a second is asked for again in the background."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, int]] = {}
        self._asking: dict[str, asyncio.Task[int]] = {}

    async def open_messages(self, session_id: str) -> int:
        """The session's open messages; 0 when sender has noted nothing. Only the first question waits."""
        known = self._known.get(session_id)
        if known is None:
            return await asyncio.shield(self._ask(session_id))
        noted_at, depth = known
        if time.monotonic() - noted_at > BELIEVED_S:
            self._ask(session_id)
        return depth

    def _ask(self, session_id: str) -> asyncio.Task[int]:
        """One question at a time for each session."""
        asking = self._asking.get(session_id)
        if asking is None:
            asking = self._asking[session_id] = asyncio.create_task(self._read(session_id))
            asking.add_done_callback(lambda _: self._asking.pop(session_id, None))
        return asking

    async def _read(self, session_id: str) -> int:
        depth = self._known.get(session_id, (0.0, 0))[1]
        with contextlib.suppress(PyMongoError):  # the send itself will tell when MongoDB is away
            found = await self._database.queue_depths.find_one({"_id": session_id}, {"open": 1})
            depth = 0 if found is None else int(found["open"])
            if len(self._known) >= MOST_SESSIONS:
                self._known.clear()
            self._known[session_id] = (time.monotonic(), depth)
        return depth
