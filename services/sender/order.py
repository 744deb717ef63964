"""Which message of a session leaves next: the open rows of one lane, in order. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from libs.contracts.records import OutboxRow
from services.sender import rows

LOOKED_AT = 200
Place = tuple[int, int, int, str]


def place_of(row: OutboxRow) -> Place:
    """Where a row stands in its lane: lower leaves first. Of two at one place, the less tried one."""
    return row.priority, row.order, row.attempts, row.id


class Waiting:
    """The open rows of one session.

    A row is tried when it is due, in the order of (priority, order); one that awaits a receipt, or a decision, is not
    tried. The rows of a chat that is held wait until it is free, in their order, and the others pass. Rows whose
    deadline has passed are found by `overdue`.
    """

    def __init__(self, *, unknown_limit_s: float) -> None:
        self._unknown_limit_s = unknown_limit_s
        self._rows: dict[str, OutboxRow] = {}
        self._taken: set[str] = set()
        self._ready: list[Place] = []
        self._later: list[tuple[datetime, str]] = []
        self._deadlines: list[tuple[datetime, str]] = []
        self._of_chat: dict[str, dict[str, None]] = {}
        self._held: dict[str, datetime] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._behind: dict[str, list[Place]] = {}
        self._waits: Counter[str] = Counter()
        self._undecided: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[OutboxRow]:
        return iter(list(self._rows.values()))

    def get(self, message_id: str) -> OutboxRow | None:
        """The row as it is now."""
        return self._rows.get(message_id)

    @property
    def undecided(self) -> int:
        """How many of the rows wait for a decision of the customer, and hold nobody up."""
        return len(self._undecided)

    @property
    def oldest(self) -> OutboxRow | None:
        """The row that has been here longest."""
        return next(iter(self._rows.values()), None)

    @property
    def last_order(self) -> int:
        """The highest order of all rows; 0 when there is none."""
        return max((row.order for row in self._rows.values()), default=0)

    def first(self, number: int) -> list[OutboxRow]:
        """The first rows of those that certainly never left and have their turn to come, in their order."""
        return heapq.nsmallest(number, filter(self._is_to_come, self._rows.values()), key=place_of)

    def of_chat(self, chat: str) -> int:
        """How many rows go to this chat."""
        return len(self._of_chat.get(chat, ()))

    def first_of_chat(self, chat: str, number: int) -> list[OutboxRow]:
        """The same of one chat."""
        found = (self._rows[message_id] for message_id in self._of_chat.get(chat, ()))
        return heapq.nsmallest(number, filter(self._is_to_come, found), key=place_of)

    @property
    def waits(self) -> dict[str, int]:
        """How many rows say that they wait for what."""
        return {reason: count for reason, count in self._waits.items() if count}

    def first_end(self, reason: str) -> datetime | None:
        """When the first row that waits for this, as far as a look at some tells, waits no longer."""
        found = (row.resume_at for row in self._rows.values() if row.waiting_for == reason)
        return min((end for end in islice(found, LOOKED_AT) if end is not None), default=None)

    def put(self, row: OutboxRow) -> None:
        """Add a row, or put one back that has changed: it may be taken (again) when it is due."""
        self.keep(row)
        self._taken.discard(row.id)
        if row.waiting_for not in rows.NOT_TRIED:
            heapq.heappush(self._later, (row.due_at, row.id))

    def keep(self, row: OutboxRow) -> None:
        """Note how a row is now, without letting it be taken."""
        before = self._rows.get(row.id)
        self._count(before, row)
        self._rows[row.id] = row
        self._of_chat.setdefault(row.to, {})[row.id] = None
        if row.waiting_for == rows.FOR_FORMER_NUMBER:
            self._undecided.add(row.id)
        else:
            self._undecided.discard(row.id)
        deadline = rows.deadline_of(row, self._unknown_limit_s)
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, row.id))

    def remove(self, message_id: str) -> None:
        """Forget a row."""
        row = self._rows.pop(message_id, None)
        self._taken.discard(message_id)
        self._undecided.discard(message_id)
        if row is None:
            return
        self._count(row, None)
        of_chat = self._of_chat[row.to]
        del of_chat[message_id]
        if not of_chat:
            del self._of_chat[row.to]
            self._held.pop(row.to, None)
            self._behind.pop(row.to, None)

    def holds(self, chat: str) -> bool:
        """Whether nothing of this chat is taken now."""
        return chat in self._held

    def hold(self, chat: str, until: datetime) -> None:
        """Let nothing of this chat be taken before `until`."""
        self._held[chat] = until
        heapq.heappush(self._ends, (until, chat))

    def free(self, chat: str) -> None:
        """The chat's rows may be taken again."""
        if self._held.pop(chat, None) is not None:
            self._return(chat)

    def free_all(self) -> None:
        """No chat is held."""
        for chat in list(self._held):
            self.free(chat)

    def take(self, now: datetime) -> OutboxRow | None:
        """The next row to try, if one is due; it is not taken again before it is put back."""
        self._end_holds(now)
        self._admit_due(now)
        while self._ready:
            place = heapq.heappop(self._ready)
            row = self._rows.get(place[-1])
            if row is None or not self._may_be_tried(row) or place_of(row) != place:
                continue
            if row.to in self._held:
                self._behind.setdefault(row.to, []).append(place)
                continue
            self._taken.add(row.id)
            return row
        return None

    def overdue(self, now: datetime) -> list[OutboxRow]:
        """Rows whose deadline has passed; one that is taken is looked at again when it is put back."""
        found: dict[str, OutboxRow] = {}
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, message_id = heapq.heappop(self._deadlines)
            row = self._rows.get(message_id)
            if row is None or message_id in self._taken:
                continue
            if rows.deadline_of(row, self._unknown_limit_s) == deadline:
                found[message_id] = row
        return list(found.values())

    def next_due(self) -> datetime | None:
        """After `take` found nothing: when a row will be due."""
        moments = [queue[0][0] for queue in (self._later, self._ends) if queue]
        return min(moments, default=None)

    def next_deadline(self) -> datetime | None:
        """When the next deadline passes."""
        return self._deadlines[0][0] if self._deadlines else None

    def _end_holds(self, now: datetime) -> None:
        while self._ends and self._ends[0][0] <= now:
            until, chat = heapq.heappop(self._ends)
            if self._held.get(chat) == until:
                self.free(chat)

    def _return(self, chat: str) -> None:
        for place in self._behind.pop(chat, ()):
            heapq.heappush(self._ready, place)

    def _count(self, before: OutboxRow | None, after: OutboxRow | None) -> None:
        if before is not None and before.waiting_for is not None:
            self._waits[before.waiting_for] -= 1
        if after is not None and after.waiting_for is not None:
            self._waits[after.waiting_for] += 1

    def _admit_due(self, now: datetime) -> None:
        while self._later and self._later[0][0] <= now:
            due_at, message_id = heapq.heappop(self._later)
            row = self._rows.get(message_id)
            if row is not None and row.due_at == due_at and row.waiting_for not in rows.NOT_TRIED:
                heapq.heappush(self._ready, place_of(row))

    def _is_to_come(self, row: OutboxRow) -> bool:
        return rows.may_be_cancelled(row) and row.id not in self._undecided

    def _may_be_tried(self, row: OutboxRow) -> bool:
        return row.id not in self._taken and row.waiting_for not in rows.NOT_TRIED
