"""The chats of one session whose messages cannot leave now, while the others go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from libs.contracts.records import OutboxRow
from services.sender import retries, rows
from services.sender.order import Waiting

SHOWN: Final = 20
"""Of what waits, so many messages tell what they wait for: a full queue must not drown the facts."""

Change = Callable[[OutboxRow, OutboxRow], object]


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """Why a chat's messages cannot leave, and until when it is not tried again."""

    why: retries.Stuck
    until: datetime


class Chats:
    """Holds chats of one lane, and tells of their messages what they wait for. `change` stores a row's change."""

    def __init__(self, waiting: Waiting, change: Change) -> None:
        self._waiting, self._change = waiting, change
        self._stuck: dict[str, Stuck] = {}
        self._troubled: set[str] = set()

    def stick(self, attempt: OutboxRow, back: OutboxRow, why: retries.Stuck, now: datetime) -> None:
        """What goes to this chat waits, in its order. `back` is the attempt's row as it did not leave."""
        stuck = self._stuck[attempt.to] = Stuck(why=why, until=now + timedelta(seconds=why.again_in_s))
        self._waiting.hold(attempt.to, stuck.until)
        self._change(attempt, _as_stuck(back, stuck, now))
        self.show(attempt.to, now)

    def show(self, chat: str, now: datetime) -> None:
        """The first messages of a chat that is stuck tell what they wait for."""
        stuck = self._stuck.get(chat)
        if stuck is None or stuck.until <= now:
            return
        for row in self._waiting.first_of_chat(chat, SHOWN):
            if row.due_at <= now:
                self._change_if_new(row, _as_stuck(row, stuck, now))

    def free(self, chat: str, now: datetime) -> None:
        """What goes to this chat waits for nothing of its own."""
        self._waiting.free(chat)
        if self._stuck.pop(chat, None) is None:
            return
        for row in self._waiting.first_of_chat(chat, SHOWN):
            self._change_if_new(row, rows.not_stuck(row, now))

    def free_all(self, now: datetime) -> None:
        """The session's connection has ended, or begun: what its recipients waited for is asked anew."""
        self._troubled.clear()
        self._waiting.free_all()
        for chat in list(self._stuck):
            self.free(chat, now)

    def served(self, chat: str, now: datetime) -> None:
        """Something to this chat has left: the session works."""
        self._troubled.clear()
        self.free(chat, now)

    def in_trouble(self, chat: str, until: datetime) -> int:
        """An attempt was in vain: the chat waits. Returns how many others are in trouble with no success since."""
        self._waiting.hold(chat, until)
        self._troubled.add(chat)
        return len(self._troubled) - 1

    def _change_if_new(self, before: OutboxRow, after: OutboxRow) -> None:
        if after is not before:
            self._change(before, after)


def _as_stuck(row: OutboxRow, stuck: Stuck, now: datetime) -> OutboxRow:
    why = stuck.why
    return rows.stuck(
        row, why.waiting_for, now, until=stuck.until, code=why.code, detail=why.detail, limit_s=why.limit_s
    )
