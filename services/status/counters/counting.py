"""What a batch of facts adds to the counters: pure, and the same for every replay of the stream.

Rises are counted, as they stand in the histories of the rows, and not facts: a receipt that comes late or again raises
nothing. Each is due with one fact, whose sequence fences its row of counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from libs.contracts.counters import DAY, EVERY, LATENCIES, QUARTER, QUARTER_S, part_of
from libs.contracts.records import HistoryEntry, MessageRow
from services.status.amendments import is_amendment
from services.status.frames import Step
from services.status.ranks import is_final, was_read

Added = dict[str, int]
"""What is added, by the path of its field in a row of counters."""

QUARTERS_OF_A_DAY = 96
DAY_S = QUARTER_S * QUARTERS_OF_A_DAY
SENT_AFTER, DELIVERED_AFTER, READ_AFTER = LATENCIES


class Place(NamedTuple):
    """Which row of counters."""

    customer_id: str
    shard: int
    session_id: str
    type: str
    span: str
    number: int
    """Of the span, since 1970."""

    @property
    def id(self) -> str:
        """`_id` of the row."""
        if self.span == DAY:
            return f"{self.customer_id}/{self.shard}/{self.number}"
        return f"{self.session_id}/{self.type}/{self.number}"

    @property
    def at(self) -> datetime:
        """When the span begins."""
        return datetime.fromtimestamp(self.number * (QUARTER_S if self.span == QUARTER else DAY_S), UTC)


class Tally(NamedTuple):
    """What facts add to one row of counters: by the sequence of the fact, in order."""

    place: Place
    additions: Sequence[tuple[int, Added]]

    @property
    def first_seq(self) -> int:
        """The sequence of the first fact that adds to it."""
        return self.additions[0][0]

    def behind(self, seq: int) -> Tally | None:
        """What is added by the facts behind this sequence; None when they add nothing."""
        left = [each for each in self.additions if each[0] > seq]
        return self._replace(additions=left) if left else None

    def sums(self) -> Added:
        """All of it together."""
        sums = dict(self.additions[0][1])
        for _, added in self.additions[1:]:
            for path, number in added.items():
                sums[path] = sums.get(path, 0) + number
        return sums

    @property
    def last_seq(self) -> int:
        """The sequence of the last fact that adds to it."""
        return self.additions[-1][0]


def tallies_of(steps: Iterable[Step]) -> list[Tally]:
    """What these facts, in order, add to which rows."""
    tallies: dict[Place, list[tuple[int, Added]]] = {}
    for seq, row, entry, added in _counted(steps):
        number, of = int(entry.at.timestamp()) // QUARTER_S, (row.customer_id, row.shard)
        quarter = Place(*of, row.session_id, row.type or "", QUARTER, number)
        tallies.setdefault(quarter, []).append((seq, added))
        counts = {path: each for path, each in added.items() if "." not in path}
        tallies.setdefault(Place(*of, EVERY, EVERY, DAY, number // QUARTERS_OF_A_DAY), []).append((seq, counts))
    return [Tally(place, additions) for place, additions in tallies.items()]


def _counted(steps: Iterable[Step]) -> Iterator[tuple[int, MessageRow, HistoryEntry, Added]]:
    for step in steps:
        for row in step.rows:
            for number, entry in enumerate(row.history):
                if entry.due_seq == step.seq and not is_amendment(entry):
                    added = added_by(row, number)
                    if added:
                        yield step.seq, row, entry, added


def added_by(row: MessageRow, number: int) -> Added:
    """What the rise at this place of the row's history adds."""
    entry = row.history[number]
    before = [each for each in row.history[:number] if not is_amendment(each)]
    if entry.status == "received":
        return {"received": 1}
    if not before and entry.status == "sent":
        return {"fromPhone": 1}
    if before and before[0].status == "sent":  # the phone's own message
        return {}
    return _added_by_our_own(row, entry, before)


def _added_by_our_own(row: MessageRow, entry: HistoryEntry, before: Sequence[HistoryEntry]) -> Added:
    reached = {each.status for each in before}
    match entry.status:
        case "queued":
            return {} if "queued" in reached else {"queued": 1}
        case "sent":
            return {"sent": 1, **_took(SENT_AFTER, _set_out(row, before), entry)}
        case "delivered":
            return {"delivered": 1, **_took(DELIVERED_AFTER, _sent_at(before), entry)}
        case status if was_read(status):
            if any(map(was_read, reached)):
                return {}
            implied = {} if "delivered" in reached else {"delivered": 1}
            return {"read": 1, **implied, **_took(READ_AFTER, _sent_at(before), entry)}
        case status:
            return {status: 1} if is_final(status) else {}


def _set_out(row: MessageRow, before: Sequence[HistoryEntry]) -> datetime | None:
    """From when on it could be sent: since it was queued last, or its time had come."""
    queued = _last(before, "queued")
    return queued if queued is None or row.due_at is None else max(queued, row.due_at)


def _sent_at(before: Sequence[HistoryEntry]) -> datetime | None:
    return _last(before, "sent")


def _last(entries: Sequence[HistoryEntry], status: str) -> datetime | None:
    return next((each.at for each in reversed(entries) if each.status == status), None)


def _took(field: str, since: datetime | None, entry: HistoryEntry) -> Added:
    if since is None:
        return {}
    ms = max(0, round((entry.at - since).total_seconds() * 1000))
    return {f"{field}.number": 1, f"{field}.ms": ms, f"{field}.parts.{part_of(ms)}": 1}
