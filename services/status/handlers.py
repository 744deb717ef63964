"""Handles facts: reads what they concern, applies the rules, stores, and only then tells.

The batches of several shards are handled in one go, so that they share one read, one write and one publish. What goes
wrong with one of them is its own affair: then each is handled alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from libs.contracts.events import MessageEdited, MessageRevoked, MessageUndecryptable
from libs.runtime import logs
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import is_infrastructure
from services.status.frames import frames_due
from services.status.notices import notices_to_log
from services.status.publishing import Publisher, Telling
from services.status.sessions import SessionLogEntry, SessionsAfter, sessions_after
from services.status.store import RowsMoved, StatusStore
from services.status.turns import Turn

Keep = Callable[[Sequence[Turn]], Awaitable[None]]
"""Stores what else follows from turns whose messages are stored. May run twice; raises nothing: see each `error`."""

READS = 5
"""How often a batch is read anew when its rows move under it; a shard has one writer, so once is already rare."""


class FactHandler:
    """Takes turns from reading to telling. A turn may be handled twice; what it tells, it tells once."""

    def __init__(
        self, *, store: StatusStore, publisher: Publisher, crash: CrashPoints, beside: Sequence[Keep] = ()
    ) -> None:
        self._store, self._publisher, self._crash, self._beside = store, publisher, crash, beside
        self._log = logs.get()

    async def handle(self, turns: Sequence[Turn]) -> None:
        """Store what these facts change, then tell customers. Raises nothing: see each turn's `error`."""
        await self._stored(turns)
        self._crash.at("status.after_write")
        stored = [turn for turn in turns if turn.error is None]
        tellings = [Telling(turn.shard.stream, frames_due(turn.steps, turn.logged)) for turn in stored]
        await asyncio.gather(self._publisher.publish(tellings), *(keep(stored) for keep in self._beside))
        self._crash.at("status.after_publish")
        for turn, telling in zip(stored, tellings, strict=True):
            turn.error = turn.error or telling.error
            self._note(turn)
        self._log.debug("facts told", turns=len(turns), facts=sum(len(turn.facts) for turn in turns))

    async def _stored(self, turns: Sequence[Turn]) -> None:
        try:
            await (self._store_alone(turns[0]) if len(turns) == 1 else self._store_together(turns))
        except Exception as error:
            if len(turns) == 1 or is_infrastructure(error):
                for turn in turns:
                    turn.error = error
                return
            self._log.info("turns are stored one by one", turns=len(turns), error=type(error).__name__)
            for turn in turns:
                await self._stored([turn])

    async def _store_alone(self, turn: Turn) -> None:
        for _ in range(READS - 1):
            try:
                await self._store_together([turn])
                return
            except RowsMoved:
                self._log.info("rows are read again", shard=turn.shard.lease.shard)
        await self._store_together([turn])

    async def _store_together(self, turns: Sequence[Turn]) -> None:
        try:
            await self._store_messages(turns)
            await self._store_sessions([turn for turn in turns if turn.session_facts])
            await self._store_notices([turn for turn in turns if turn.notices])
        except BaseException:
            for turn in turns:
                turn.shard.written.forget()
                turn.presumes_new = False
            raise

    async def _store_messages(self, turns: Sequence[Turn]) -> None:
        remembered = {row: known for turn in turns for row, known in turn.remembered().items()}
        unread = [row for turn in turns for row in turn.unread(remembered)]
        read = await self._store.messages(unread, {wa_id for turn in turns for wa_id in turn.wa_ids()})
        found = {**read, **remembered}
        changes = [turn.project(found) for turn in turns]
        await self._store.write_messages([change for each in changes for change in each])
        for turn, each in zip(turns, changes, strict=True):
            turn.shard.written.note(change.after for change in each)

    async def _store_sessions(self, turns: Sequence[Turn]) -> None:
        if not turns:
            return
        logged = await self._store.logged(fact.id for turn in turns for _, fact in turn.session_facts)
        results = [await self._sessions_after(turn, logged) for turn in turns]
        await self._store.append_to_log([entry for result in results for entry in result.added])
        for turn, result in zip(turns, results, strict=True):
            turn.shard.marks = result.marks
            turn.logged = {**turn.logged, **logged, **{entry.id: entry for entry in result.added}}

    async def _store_notices(self, turns: Sequence[Turn]) -> None:
        if not turns:
            return
        logged = await self._store.logged_notices(fact.id for turn in turns for _, fact in turn.notices)
        added = [notices_to_log(logged, turn.notices, turn.shard.lease.shard) for turn in turns]
        await self._store.append_notices([entry for each in added for entry in each])
        for turn, each in zip(turns, added, strict=True):
            turn.logged = {**turn.logged, **logged, **{entry.id: entry for entry in each}}

    async def _sessions_after(self, turn: Turn, logged: dict[str, SessionLogEntry]) -> SessionsAfter:
        facts, marks = turn.session_facts, turn.shard.marks
        unknown = {fact.session_id for _, fact in facts} - marks.keys()
        if unknown:
            marks = marks | await self._store.marks_before(unknown, facts[0][0])
        return sessions_after(marks, logged, facts, turn.shard.lease.shard)

    def _note(self, turn: Turn) -> None:
        for step in turn.steps:
            match step.fact:
                case MessageUndecryptable() as fact:
                    self._log.warning("a message could not be decrypted", session=fact.session_id, fact=fact.id)
                case MessageEdited() | MessageRevoked() as fact if not step.rows:
                    self._log.warning("a change by somebody else was ignored", session=fact.session_id, fact=fact.id)
                case _:
                    pass
