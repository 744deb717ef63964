"""A MongoDB and an UPDATES stream in memory, as far as a shard's handler uses them, that fail when they are told to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace
from nats.js.errors import NotFoundError

from libs.contracts.records import MessageRow
from libs.contracts.updates import Frame
from libs.runtime.bus import Outgoing, PublishUnclear, StalePublish
from services.status.notices import NoticeLogEntry
from services.status.publishing import EXPECTED, EXPECTED_OF
from services.status.sessions import Mark, SessionLogEntry
from services.status.store import Change, RowsMoved


class Died(Exception):
    """The owner died here."""


class MemoryStore:
    """Rows and log entries. `writes_before_death`: the owner dies when it has written that many more."""

    def __init__(self) -> None:
        self.rows: dict[str, MessageRow] = {}
        self.log: dict[str, SessionLogEntry] = {}
        self.notices: dict[str, NoticeLogEntry] = {}
        self.writes_before_death: int | None = None
        self.reads: list[set[str]] = []
        """The ids that were asked for."""

    async def messages(self, ids: Collection[str], wa_ids: Collection[tuple[str, str]] = ()) -> dict[str, MessageRow]:
        self.reads.append(set(ids))
        return {row.id: row for row in self.rows.values() if row.id in ids or _came_in_with(row, wa_ids)}

    async def write_messages(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._die_when_it_is_time()
            stored = self.rows.get(change.after.id)
            if (stored is None) != (change.before is None) or (stored is not None and stored.epoch > change.epoch):
                raise RowsMoved
            self.rows[change.after.id] = replace(change.after, epoch=change.epoch)

    async def logged(self, fact_ids: Iterable[str]) -> dict[str, SessionLogEntry]:
        return {fact_id: self.log[fact_id] for fact_id in fact_ids if fact_id in self.log}

    async def marks_before(self, session_ids: Iterable[str], seq: int) -> dict[str, Mark]:
        marks: dict[str, Mark] = {}
        wanted = set(session_ids)
        for entry in self.log.values():
            if entry.session_id in wanted and entry.fact_seq < seq:
                mark = (entry.epoch, entry.connection)
                marks[entry.session_id] = max(mark, marks.get(entry.session_id, mark))
        return marks

    async def append_to_log(self, entries: list[SessionLogEntry]) -> None:
        for entry in reversed(entries):  # unordered, as MongoDB may do it
            self._die_when_it_is_time()
            self.log[entry.id] = entry

    async def logged_notices(self, fact_ids: Iterable[str]) -> dict[str, NoticeLogEntry]:
        return {fact_id: self.notices[fact_id] for fact_id in fact_ids if fact_id in self.notices}

    async def append_notices(self, entries: list[NoticeLogEntry]) -> None:
        for entry in reversed(entries):
            self._die_when_it_is_time()
            self.notices[entry.id] = entry

    def _die_when_it_is_time(self) -> None:
        if self.writes_before_death is not None:
            if self.writes_before_death == 0:
                raise Died
            self.writes_before_death -= 1


def _came_in_with(row: MessageRow, wa_ids: Collection[tuple[str, str]]) -> bool:
    return row.direction == "in" and (row.session_id, row.wa_id) in wa_ids


class Stored(NamedTuple):
    """A message as the stream gives it back."""

    seq: int
    subject: str
    data: bytes
    headers: dict[str, str]


class Unclear(NamedTuple):
    """A publish that goes unanswered, after so many that are answered, and whether it is stored."""

    stored: bool
    after: int = 0


class MemoryBus:
    """Stands for the bus and its JetStream: the stream UPDATES."""

    def __init__(self) -> None:
        self.stream: list[Stored] = []
        self.unclear: Unclear | None = None
        self.publishes = 0

    @property
    def jetstream(self) -> MemoryBus:
        return self

    async def get_last_msg(self, stream: str, subject: str) -> Stored:
        seq = self._last_seq(subject.removesuffix(">"))
        if not seq:
            raise NotFoundError
        return self.stream[seq - 1]

    def _last_seq(self, prefix: str) -> int:
        return max((each.seq for each in self.stream if each.subject.startswith(prefix)), default=0)

    async def publish_batch(self, batch: Sequence[Outgoing]) -> int:
        for each in batch:
            expected_of = each.headers.get(EXPECTED_OF, "").removesuffix(">")
            if expected_of and int(each.headers[EXPECTED]) != self._last_seq(expected_of):
                raise StalePublish(each.subject)
        unclear = self._unclear_now()
        if unclear is None or unclear.stored:
            for each in batch:
                self.stream.append(Stored(len(self.stream) + 1, each.subject, each.payload, each.headers))
        if unclear is not None:
            raise PublishUnclear(batch[-1].subject)
        self.publishes += 1
        return len(self.stream)

    def _unclear_now(self) -> Unclear | None:
        if self.unclear is None or self.unclear.after > 0:
            self.unclear = self.unclear and self.unclear._replace(after=self.unclear.after - 1)
            return None
        unclear, self.unclear = self.unclear, None
        return unclear

    def frames(self, frame: Any = Frame[dict[str, Any]]) -> list[Any]:
        """What customers were told."""
        return [msgspec.json.decode(each.data, type=frame) for each in self.stream]
