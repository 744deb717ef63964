"""Says when a message of one session may leave, and what it waits for until then: pace, new contacts, restrictions."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from libs.contracts.records import OutboxRow
from services.sender import pacing, rows
from services.sender.pacing import Pace

CONTACTS_REMEMBERED = 5_000
PERSONS = ("@s.whatsapp.net", "@lid")
WORTH_TELLING_S = 2.0
"""A wait that is expected to be shorter is not told."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session that concerns how it may send."""

    pace: Pace | None
    """None: any speed."""
    limits_new_contacts: bool
    linked_at: datetime | None
    restricted_until: datetime | None
    """WhatsApp lets the number write to nobody new until then."""


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Not now. `alone`: this message (and others to its contact) waits, the rest of the lane goes on."""

    until: datetime
    reason: str
    alone: bool


class Book(Protocol):
    """What is stored about a session and its contacts. All raise PyMongoError while MongoDB is away."""

    async def manners_of(self, session_id: str, network: str) -> Manners: ...
    async def first_contacts(self, session_id: str, since: datetime) -> list[datetime]:
        """When this session reached somebody new, oldest first."""
        ...

    async def knows(self, session_id: str, to: str) -> bool:
        """Whether the session has reached this contact before, or the contact has written to it."""
        ...

    async def note_first_contact(self, session_id: str, to: str, at: datetime) -> None: ...


class Gate:
    """The gate of one session. `manners` are read when they are needed and kept until `forget_manners`."""

    def __init__(self, session_id: str, book: Book, chance: Callable[[], float] = random.random) -> None:
        self._session_id, self._book, self._chance = session_id, book, chance
        self._manners: Manners | None = None
        self._bucket: pacing.Bucket | None = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._reached: list[datetime] | None = None
        self._contacts_held: dict[str, datetime] = {}

    @property
    def is_open(self) -> bool:
        """Whether, as far as is known, whatever comes may leave at once."""
        return self._manners is not None and self._is_free(self._manners) and not self._contacts_held

    def forget_manners(self) -> None:
        """Something about the session has changed."""
        self._manners = None

    def hold_contact(self, to: str, until: datetime) -> None:
        """WhatsApp holds back what goes to this contact."""
        self._contacts_held[to] = until

    def forget_held_contacts(self) -> None:
        """The session has connected anew: each contact is tried again."""
        self._contacts_held.clear()

    def expected(self, ahead: int, now: datetime) -> datetime | None:
        """When a message with `ahead` others before it will leave, if its pace makes it wait; None: soon."""
        manners = self._manners
        if manners is None or manners.pace is None:
            return None
        bucket = self._bucket or pacing.full(manners.pace, now)
        departure = pacing.expected_departure(bucket, manners.pace, now, ahead)
        return departure if (departure - now).total_seconds() > WORTH_TELLING_S else None

    async def wait_of(self, row: OutboxRow, now: datetime) -> Wait | None:
        """What this message waits for; None: it leaves now, and is counted. Raises PyMongoError."""
        if row.about is not None:
            return None
        manners = self._manners
        if manners is None:
            manners = self._manners = await self._book.manners_of(self._session_id, row.engine)
        if (held := self._held(row, now)) is not None:
            return held
        if self._is_free(manners):
            return None
        is_new = await self._is_new(row.to)
        if is_new and (wait := await self._wait_of_new_contact(manners, now)) is not None:
            return wait
        if manners.pace is not None and (wait := self._wait_of_pace(manners.pace, now)) is not None:
            return wait
        if is_new:
            await self._note(row.to, now)
        return None

    def _is_free(self, manners: Manners) -> bool:
        return manners.pace is None and not manners.limits_new_contacts and manners.restricted_until is None

    def _held(self, row: OutboxRow, now: datetime) -> Wait | None:
        until = self._contacts_held.get(row.to)
        if until is None:
            return None
        if until <= now:
            del self._contacts_held[row.to]
            return None
        return Wait(until=until, reason=rows.FOR_RESTRICTION, alone=True)

    async def _is_new(self, to: str) -> bool:
        if to in self._known or not to.endswith(PERSONS):
            return False
        if not await self._book.knows(self._session_id, to):
            return True
        self._remember(to)
        return False

    async def _wait_of_new_contact(self, manners: Manners, now: datetime) -> Wait | None:
        if manners.restricted_until is not None and manners.restricted_until > now:
            return Wait(until=manners.restricted_until, reason=rows.FOR_RESTRICTION, alone=True)
        most = pacing.first_contacts_a_day(manners.linked_at, now) if manners.limits_new_contacts else None
        if most is None:
            return None
        if self._reached is None:
            self._reached = await self._book.first_contacts(self._session_id, now - pacing.DAY)
        until = pacing.next_first_contact(self._reached, most, now)
        return Wait(until=until, reason=rows.FOR_NEW_CONTACTS, alone=True) if until > now else None

    def _wait_of_pace(self, pace: Pace, now: datetime) -> Wait | None:
        bucket = self._bucket = self._bucket or pacing.full(pace, now)
        departure = pacing.next_departure(bucket, pace, now, self._chance())
        if departure > now:
            return Wait(until=departure, reason=rows.FOR_PACE, alone=False)
        self._bucket = pacing.after_departure(bucket, pace, now)
        return None

    async def _note(self, to: str, now: datetime) -> None:
        """Before it leaves: a crash forgets no first contact."""
        await self._book.note_first_contact(self._session_id, to, now)
        if self._reached is not None:
            self._reached.append(now)
        self._remember(to)

    def _remember(self, to: str) -> None:
        self._known[to] = None
        if len(self._known) > CONTACTS_REMEMBERED:
            self._known.popitem(last=False)
