"""A shard as a lane sees it, in memory: what it stores, what it knows, and the answers that a test has written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.contracts.calls import DeliverAnswer, Delivered, NotDelivered
from libs.contracts.content import Action, Content
from libs.contracts.records import LinkedNumber, OutboxRow
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease, LeaseLost
from services.sender.gate import Manners
from services.sender.lanes import Lane
from services.sender.retries import Retries, Silence
from services.sender.store import Observed
from tests.processes import eventually
from tests.unit.sender.builders import queued_row

Answer = DeliverAnswer | Silence
Script = Callable[[OutboxRow], Awaitable[Answer]]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    retries: Retries = Retries(first_s=0.01, longest_s=0.02, handover_s=0.01, patience_attempts=3)
    probe_every_s: float = 30.0
    refusal_held_s: float = 600.0
    unknown_limit_s: float = 86_400.0


class Desk:
    """Keeps what the lane stores, and answers as a test has written down."""

    def __init__(self, script: Script, terms: Terms | None = None) -> None:
        self.script, self.terms = script, terms or Terms()
        self.lease = Lease(1, 4, confirmed_at=asyncio.get_running_loop().time(), timing=Timing())
        self.asked: list[str] = []
        self.stored: dict[str, OutboxRow] = {}
        self.in_flight = self.most_in_flight = 0
        self.session = Observed(connected=False, deleted=False)
        self.able = asyncio.Event()
        self.able.set()
        self.fenced = False
        self.stored_now = asyncio.Event()
        self.stored_now.set()
        self.manners = Manners(pace=None, limits_new_contacts=False, linked_at=None, restricted_until=None)
        self.known: set[str] = set()
        self.linked: list[LinkedNumber] = []
        self.reached: list[datetime] = []
        self.statuses: dict[str, str] = {}
        self.subscribed = True
        self.stands_at: datetime | None = None
        """Where the clock stands, as long as a test has it stand."""

    async def manners_of(self, session_id: str, network: str) -> Manners:
        return self.manners

    async def numbers_of(self, session_id: str) -> list[LinkedNumber]:
        return self.linked

    async def knows(self, session_id: str, to: str) -> bool:
        return to in self.known

    async def first_contacts(self, session_id: str, since: datetime) -> list[datetime]:
        return self.reached

    async def note_first_contact(self, session_id: str, to: str, at: datetime) -> None:
        self.known.add(to)

    async def may_send(self, customer_id: str) -> bool:
        return self.subscribed

    async def status_of(self, message_id: str) -> str | None:
        return self.statuses.get(message_id)

    def now(self) -> datetime:
        return self.stands_at or datetime.now(UTC)

    async def until_able(self) -> None:
        await self.able.wait()

    def keep(self, before: OutboxRow, after: OutboxRow) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._store(after))

    async def _store(self, after: OutboxRow) -> None:
        await self.stored_now.wait()
        if self.fenced:
            raise LeaseLost(1, 4)
        self.stored[after.id] = after

    async def content_of(self, row: OutboxRow) -> Content | Action | None:
        return None

    async def deliver(self, row: OutboxRow, content: Content | Action) -> Answer:
        self.asked.append(row.id)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.script(row)
        finally:
            self.in_flight -= 1

    def newest_epoch(self, network: str) -> int:
        return 1

    async def observed(self, session_id: str) -> Observed:
        return self.session

    def crash_at(self, point: str) -> None:
        return

    async def until(self, message_id: str, status: str) -> OutboxRow:
        async def ask() -> bool:
            return message_id in self.stored and self.stored[message_id].status == status

        await eventually(ask, every_s=0.005)
        return self.stored[message_id]

    async def until_asked(self, times: int) -> None:
        async def ask() -> bool:
            return len(self.asked) >= times

        await eventually(ask, every_s=0.005)


def sent() -> Delivered:
    return Delivered(at=datetime.now(UTC), epoch=1)


def refusal(code: str, *, retryable: bool = True, left: bool | None = False, retry_in_s: float | None = None) -> Answer:
    return NotDelivered(code=code, detail=code, retryable=retryable, left=left, retry_in_s=retry_in_s, epoch=1)


def script_of(*answers: Answer) -> Script:
    """These answers, one after another; afterwards everything is delivered."""
    left = list(answers)

    async def answer(row: OutboxRow) -> Answer:
        return left.pop(0) if left else sent()

    return answer


async def never(row: OutboxRow) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def due_row(message_id: str, *, order: int = 1, **fields: Any) -> OutboxRow:
    return queued_row(message_id, order=order, **fields)


def lane_with(desk: Desk, *given_rows: OutboxRow) -> Lane:
    lane = Lane("s1", "cus_1", desk)
    for row in given_rows:
        lane.put(row)
    return lane
