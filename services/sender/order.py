"""Which message of a session leaves next: the open rows of one lane, in order. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from libs.contracts.records import OutboxRow
from services.sender import rows
from services.sender.due_times import DueTimes

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
        self._later = DueTimes()
        self._deadlines = DueTimes()
        self._of_chat: dict[str, dict[str, None]] = {}
        self._held = DueTimes()
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

    @property
    def times_in_memory(self) -> int:
        """How many times of rows are kept, with those that no longer hold."""
        return self._later.size + self._deadlines.size

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
            self._later.set(row.id, row.due_at)

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
        if deadline is None:
            self._deadlines.drop(row.id)
        else:
            self._deadlines.set(row.id, deadline)

    def remove(self, message_id: str) -> None:
        """Forget a row."""
        row = self._rows.pop(message_id, None)
        self._taken.discard(message_id)
        self._undecided.discard(message_id)
        self._later.drop(message_id)
        self._deadlines.drop(message_id)
        if row is None:
            return
        self._count(row, None)
        of_chat = self._of_chat[row.to]
        del of_chat[message_id]
        if not of_chat:
            del self._of_chat[row.to]
            self._held.drop(row.to)
            self._behind.pop(row.to, None)

    def holds(self, chat: str) -> bool:
        """Whether nothing of this chat is taken now."""
        return chat in self._held

    def hold(self, chat: str, until: datetime) -> None:
        """Let nothing of this chat be taken before `until`."""
        self._held.set(chat, until)

    def free(self, chat: str) -> None:
        """The chat's rows may be taken again."""
        self._held.drop(chat)
        self._return(chat)

    def free_all(self) -> None:
        """No chat is held."""
        for chat in self._held.all():
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
        return [self._rows[message_id] for message_id in self._deadlines.due(now) if message_id not in self._taken]

    def next_due(self) -> datetime | None:
        """After `take` found nothing: when a row will be due."""
        moments = (self._later.first(), self._held.first())
        return min((moment for moment in moments if moment is not None), default=None)

    def next_deadline(self) -> datetime | None:
        """When the next deadline passes."""
        return self._deadlines.first()

    def _end_holds(self, now: datetime) -> None:
        for chat in self._held.due(now):
            self._return(chat)

    def _return(self, chat: str) -> None:
        for place in self._behind.pop(chat, ()):
            heapq.heappush(self._ready, place)

    def _count(self, before: OutboxRow | None, after: OutboxRow | None) -> None:
        if before is not None and before.waiting_for is not None:
            self._waits[before.waiting_for] -= 1
        if after is not None and after.waiting_for is not None:
            self._waits[after.waiting_for] += 1

    def _admit_due(self, now: datetime) -> None:
        for message_id in self._later.due(now):
            row = self._rows[message_id]
            if row.waiting_for in rows.NOT_TRIED:
                continue
            if row.due_at > now:
                self._later.set(message_id, row.due_at)
            else:
                heapq.heappush(self._ready, place_of(row))

    def _is_to_come(self, row: OutboxRow) -> bool:
        return rows.may_be_cancelled(row) and row.id not in self._undecided

    def _may_be_tried(self, row: OutboxRow) -> bool:
        return row.id not in self._taken and row.waiting_for not in rows.NOT_TRIED
