"""Keeps the chats of a round: reads those that its facts concern, applies the rules, and writes what has changed.

It runs beside the telling, after the messages are stored: only then is it certain which fact brought which message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from libs.contracts.records import ChatRow
from libs.runtime import logs
from libs.runtime.feeds import is_infrastructure
from libs.runtime.shards import LeaseLost
from services.status.chats.rules import ChatChange, Chats, keys_named
from services.status.store import RowsMoved
from services.status.turns import Turn

READS = 5
"""As of messages: a shard has one writer, so that its rows move under it is rare."""


class Store(Protocol):
    """What is needed of `chat_store.ChatStore`."""

    async def chats(self, keys: list[str]) -> list[ChatRow]:
        """The rows that have one of these keys."""
        ...

    async def write(self, changes: list[ChatChange]) -> None:
        """Store these changes; raises RowsMoved."""
        ...


class ChatKeeper:
    """Takes turns whose messages are stored. What they bring into the chats counts once, however often they come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._log = logs.get()

    async def keep(self, turns: Sequence[Turn]) -> None:
        """Raises nothing: see each turn's `error`."""
        turns = [turn for turn in turns if turn.error is None]
        try:
            await self._kept(turns)
        except Exception as error:
            if len(turns) == 1 or is_infrastructure(error):
                for turn in turns:
                    turn.error = error
                return
            for turn in turns:
                await self.keep([turn])

    async def _kept(self, turns: Sequence[Turn]) -> None:
        for _ in range(READS - 1):
            try:
                await self._kept_once(turns)
                return
            except RowsMoved:
                self._log.info("chats are read again", shards=[turn.shard.lease.shard for turn in turns])
        await self._kept_once(turns)

    async def _kept_once(self, turns: Sequence[Turn]) -> None:
        named = {turn: {key for step in turn.steps for key in keys_named(step)} for turn in turns}
        try:
            unread = {key for turn, keys in named.items() for key in turn.shard.chats.unknown_of(keys)}
            read = await self._store.chats(list(unread)) if unread else []
            changes = {turn: _changes(turn, keys, read) for turn, keys in named.items() if keys}
            if any(changes.values()):
                await self._store.write([change for each in changes.values() for change in each])
        except BaseException:
            for turn in turns:
                turn.shard.chats.forget()
            raise
        for turn, each in changes.items():
            turn.shard.chats.note(change.after for change in each)


def _changes(turn: Turn, keys: set[str], read: Iterable[ChatRow]) -> list[ChatChange]:
    """What the turn's facts change. Raises LeaseLost."""
    lease = turn.shard.lease
    found = {row.id: row for row in read if not keys.isdisjoint(row.keys)}
    chats = Chats([*found.values(), *(row for row in turn.shard.chats.among(keys) if row.id not in found)], lease.shard)
    for step in turn.steps:
        chats.apply(step)
    if lease.lost or any(row.epoch > lease.epoch for row in chats.before.values()):
        raise LeaseLost(lease.shard, lease.epoch)
    return chats.changes(lease.epoch)
