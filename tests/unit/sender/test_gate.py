"""When a message may leave: pace, new contacts of a young link, and what WhatsApp holds back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.content import Edit
from services.sender import pacing, rows
from services.sender.gate import Gate, Manners, Wait
from services.sender.pacing import Bucket, Pace
from tests.unit.sender.builders import NOW, after, queued_row

FREE = Manners(pace=None, limits_new_contacts=False, linked_at=None, restricted_until=None)
STRANGER, FRIEND = "6281111@s.whatsapp.net", "6282222@s.whatsapp.net"


class Book:
    """What is stored, in memory."""

    def __init__(self, **manners: Any) -> None:
        self.manners = msgspec.structs.replace(FREE, **manners)
        self.known = {FRIEND}
        self.reached: list[datetime] = []

    async def manners_of(self, session_id: str, network: str) -> Manners:
        return self.manners

    async def knows(self, session_id: str, to: str) -> bool:
        return to in self.known

    async def first_contacts(self, session_id: str, since: datetime) -> list[datetime]:
        return [at for at in self.reached if at > since]

    async def note_first_contact(self, session_id: str, to: str, at: datetime) -> None:
        self.known.add(to)
        self.reached.append(at)


def gate_of(book: Book) -> Gate:
    return Gate("s1", book, chance=lambda: 0.0)


async def test_a_session_that_minds_nothing_is_open_once_that_is_known() -> None:
    gate = gate_of(Book())
    assert not gate.is_open
    assert await gate.wait_of(queued_row(), NOW) is None
    assert gate.is_open
    gate.forget_manners()
    assert not gate.is_open


async def test_a_pace_lets_a_burst_go_and_then_one_after_another() -> None:
    gate = gate_of(Book(pace=Pace(per_minute=60, burst=2)))
    waits = [await gate.wait_of(queued_row(f"m{number}"), NOW) for number in range(3)]
    assert waits == [None, None, Wait(until=after(1), reason=rows.FOR_PACE, alone=False)]
    assert await gate.wait_of(queued_row("m3"), after(1)) is None


async def test_what_comes_behind_others_is_told_when_it_will_leave() -> None:
    gate = gate_of(Book(pace=Pace(per_minute=60, burst=2)))
    assert gate.expected(9, NOW) is None  # nobody knows before the first one
    await gate.wait_of(queued_row(), NOW)
    assert gate.expected(0, NOW) is None
    assert gate.expected(9, NOW) == after(9)


@pytest.mark.parametrize(
    ("age_days", "most"), [(0, 20), (0.9, 20), (1, 50), (2.9, 50), (3, 200), (6.9, 200), (7, None)]
)
def test_a_young_link_reaches_few_new_contacts_a_day(age_days: float, most: int | None) -> None:
    assert pacing.first_contacts_a_day(NOW - timedelta(days=age_days), NOW) == most


def test_a_link_of_unknown_age_is_a_new_one() -> None:
    assert pacing.first_contacts_a_day(None, NOW) == 20


def test_the_next_new_contact_comes_when_enough_of_the_former_are_a_day_old() -> None:
    reached = [NOW - timedelta(hours=hours) for hours in (30, 20, 10, 5)]
    assert pacing.next_first_contact(reached, 4, NOW) == NOW
    assert pacing.next_first_contact(reached, 3, NOW) == NOW + timedelta(hours=4)
    assert pacing.next_first_contact(reached, 1, NOW) == NOW + timedelta(hours=19)


async def test_only_strangers_wait_when_a_young_link_has_reached_its_limit() -> None:
    book = Book(limits_new_contacts=True, linked_at=NOW - timedelta(hours=1))
    gate = gate_of(book)
    for number in range(20):
        assert await gate.wait_of(queued_row(to=f"62811{number:04d}@s.whatsapp.net"), NOW) is None
    assert await gate.wait_of(queued_row(to=STRANGER), after(60)) == Wait(
        until=NOW + pacing.DAY, reason=rows.FOR_NEW_CONTACTS, alone=True
    )
    assert await gate.wait_of(queued_row(to=FRIEND), after(60)) is None
    assert await gate.wait_of(queued_row(to="12036304@g.us"), after(60)) is None
    assert await gate.wait_of(queued_row(to="628110000@s.whatsapp.net"), after(60)) is None
    assert await gate.wait_of(queued_row(to=STRANGER), after(24 * 3600 + 1)) is None


async def test_an_heir_counts_the_contacts_that_were_reached_before_it() -> None:
    book = Book(limits_new_contacts=True, linked_at=NOW - timedelta(hours=1))
    book.reached = [NOW - timedelta(minutes=1)] * 20
    wait = await gate_of(book).wait_of(queued_row(to=STRANGER), NOW)
    assert wait is not None
    assert wait.reason == rows.FOR_NEW_CONTACTS


async def test_a_restricted_number_still_writes_to_whom_it_knows() -> None:
    gate = gate_of(Book(restricted_until=after(600)))
    wait = Wait(until=after(600), reason=rows.FOR_RESTRICTION, alone=True)
    assert await gate.wait_of(queued_row(to=STRANGER), NOW) == wait
    assert await gate.wait_of(queued_row(to=FRIEND), NOW) is None
    assert await gate.wait_of(queued_row(to=STRANGER), after(601)) is None


async def test_a_contact_that_is_held_back_waits_alone_until_its_time_or_a_new_connection() -> None:
    gate = gate_of(Book())
    gate.hold_contact(STRANGER, after(60))
    assert await gate.wait_of(queued_row(to=STRANGER), NOW) == Wait(
        until=after(60), reason=rows.FOR_RESTRICTION, alone=True
    )
    assert await gate.wait_of(queued_row(to=FRIEND), NOW) is None
    assert not gate.is_open
    assert await gate.wait_of(queued_row(to=STRANGER), after(60)) is None
    gate.hold_contact(STRANGER, after(120))
    gate.forget_held_contacts()
    assert await gate.wait_of(queued_row(to=STRANGER), after(61)) is None


async def test_an_action_waits_for_no_pace() -> None:
    gate = gate_of(Book(pace=Pace(per_minute=1, burst=1)))
    assert await gate.wait_of(queued_row(), NOW) is None
    edit = queued_row("m2", about="m1", content=Edit(wa_id="3EB0", text="better"))
    assert await gate.wait_of(edit, NOW) is None


def test_an_empty_bucket_fills_at_its_pace() -> None:
    bucket = Bucket(tokens=0.5, at=NOW)
    assert pacing.expected_departure(bucket, Pace(per_minute=30, burst=5), NOW, 0) == after(1)
    assert pacing.expected_departure(bucket, Pace(per_minute=30, burst=5), NOW, 3) == after(7)
