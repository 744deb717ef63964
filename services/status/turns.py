"""One shard's batch on its way: which rows its facts concern, and what they make of them, fact by fact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from libs.contracts.events import (
    AboutMessage,
    ActionFailed,
    AnyFact,
    CustomerNotified,
    MessageQueued,
    MessageReceived,
    SessionChanged,
)
from libs.contracts.records import MessageRow
from libs.runtime.feeds import Delivery
from libs.runtime.shards import Lease, LeaseLost
from services.status.amendments import may_concern, pruned
from services.status.chats.remembered import RememberedChats
from services.status.frames import Logged, Step
from services.status.projection import project, row_id, rows_of
from services.status.publishing import ShardStream
from services.status.remembered import Remembered
from services.status.sessions import Mark
from services.status.store import Change


class Shard:
    """One shard under a lease: what is known of its sessions, its rows, its chats and its last frame."""

    def __init__(self, lease: Lease, stream: ShardStream) -> None:
        self.lease, self.stream = lease, stream
        self.marks: dict[str, Mark] = {}
        self.written = Remembered()
        self.chats = RememberedChats()


class Turn:
    """A shard's batch; `error` says what stopped it."""

    def __init__(self, shard: Shard, batch: Sequence[Delivery[AnyFact]]) -> None:
        self.shard = shard
        self.facts = [(delivery.seq, delivery.message) for delivery in batch]
        self.session_facts = [(seq, fact) for seq, fact in self.facts if isinstance(fact, SessionChanged)]
        self.notices = [(seq, fact) for seq, fact in self.facts if isinstance(fact, CustomerNotified)]
        self._named = {row: fact for _, fact in reversed(self.facts) for row in _rows_named(fact)}
        """The rows that its facts name, each with the first that does."""
        self.presumes_new = True
        """Whether a message that is queued for the first time is taken to have no row yet: writing it will tell."""
        self.steps: list[Step] = []
        self.logged: dict[str, Logged] = {}
        self.error: Exception | None = None

    def remembered(self) -> Mapping[str, MessageRow]:
        """The rows that its facts name and that need not be read."""
        return self.shard.written.among(self._named)

    def unread(self, remembered: Mapping[str, MessageRow]) -> list[str]:
        """The rows that must be read beside those."""
        return [
            row
            for row, fact in self._named.items()
            if row not in remembered and not (self.presumes_new and _is_queued_first(fact))
        ]

    def wa_ids(self) -> set[tuple[str, str]]:
        """(session, WhatsApp id) of the messages about which its facts are: they may have come in."""
        return {
            (fact.session_id, fact.wa_id) for _, fact in self.facts if isinstance(fact, AboutMessage | ActionFailed)
        }

    def project(self, found: Mapping[str, MessageRow]) -> list[Change]:
        """Apply the facts in order to the rows that were found; what that changes. Raises LeaseLost."""
        lease = self.shard.lease
        rows = _Rows(found, self.wa_ids())
        self.steps = [Step(seq, fact, rows.apply(fact, seq, lease.shard)) for seq, fact in self.facts]
        if lease.lost or any(row.epoch > lease.epoch for row in rows.before.values()):
            raise LeaseLost(lease.shard, lease.epoch)
        return rows.changes(lease.epoch, told_before=self.facts[0][0])


class _Rows:
    """The rows of a turn: as they were found, and as the facts so far have made them."""

    def __init__(self, found: Mapping[str, MessageRow], wa_ids: set[tuple[str, str]]) -> None:
        self.before: dict[str, MessageRow] = {}
        """Those that the facts concern."""
        self._found = found
        self._after: dict[str, MessageRow] = {}
        self._incoming: dict[tuple[str, str], list[MessageRow]] = {wa_id: [] for wa_id in wa_ids}
        for row in found.values() if wa_ids else ():
            self._note_incoming(row)

    def apply(self, fact: AnyFact, seq: int, shard: int) -> list[MessageRow]:
        """The rows that the fact concerns, after it."""
        touched: list[MessageRow] = []
        waiting = _waiting_id(fact)
        pending = None if waiting is None else self._row(waiting)
        for target in self._targets(fact):
            before = self._row(target)
            row = project(before, fact, seq, row=target, shard=shard, pending=pending)
            if row is None:
                continue
            touched.append(row)
            if row is not before:
                self._after[target] = row
                self._note_incoming(row)
        return touched

    def changes(self, epoch: int, *, told_before: int) -> list[Change]:
        """What is to be stored."""
        return [
            Change(self._found.get(row_id_), pruned(row, told_before), epoch) for row_id_, row in self._after.items()
        ]

    def _row(self, wanted: str) -> MessageRow | None:
        row = self._after.get(wanted)
        if row is None:
            row = self._found.get(wanted)
            if row is not None:
                self.before[wanted] = row
        return row

    def _note_incoming(self, row: MessageRow) -> None:
        if row.direction != "in" or (row.session_id, row.wa_id) not in self._incoming:
            return
        others = [each for each in self._incoming[row.session_id, row.wa_id] if each.id != row.id]
        self._incoming[row.session_id, row.wa_id] = sorted([*others, row], key=_came_at)

    def _targets(self, fact: AnyFact) -> Sequence[str]:
        """The ids of the rows that the fact concerns. What is about an unknown message waits where it would be sent."""
        if not isinstance(fact, AboutMessage | ActionFailed):
            return rows_of(fact)
        own = row_id(fact.session_id, fact.wa_id)
        sent = [row for row in [self._row(own)] if row is not None and row.message_id is not None]
        known = [*sent, *self._incoming[fact.session_id, fact.wa_id]]
        if not known:
            return (own,)
        return [row.id for row in known if may_concern(row, fact)][:1]


def _came_at(row: MessageRow) -> int:
    """The sequence of the fact that brought the message: the first of those that bear the same id counts."""
    return row.history[0].fact_seq


def _rows_named(fact: AnyFact) -> Sequence[str]:
    waiting = _waiting_id(fact)
    return rows_of(fact) if waiting is None else (*rows_of(fact), waiting)


def _waiting_id(fact: AnyFact) -> str | None:
    """The row that holds what was done to an incoming message before it came."""
    if not isinstance(fact, MessageReceived) or fact.from_me:
        return None
    return row_id(fact.session_id, fact.wa_id)


def _is_queued_first(fact: AnyFact) -> bool:
    return isinstance(fact, MessageQueued) and fact.attempts == 0
