"""Which number something belongs to: a session may be linked anew, and not to the same number. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from libs.contracts.records import LinkedNumber

NOT_NOTED = ""
"""Stands for a number that was linked before numbers were noted."""
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MOST_NOTED = 20


class Links(Protocol):
    """What `SessionState` tells of a session's links."""

    @property
    def numbers(self) -> list[LinkedNumber] | None: ...
    @property
    def phone(self) -> str | None: ...
    @property
    def link(self) -> int: ...
    @property
    def linked(self) -> bool: ...
    @property
    def linked_at(self) -> datetime | None: ...


def numbers_of(state: Links | None) -> list[LinkedNumber]:
    """The numbers that the session was linked to, oldest first; of an older version's state, what follows from it."""
    if state is None:
        return []
    if state.numbers is not None:
        return state.numbers
    former = [LinkedNumber(number=NOT_NOTED, since=BEFORE_ALL)] if state.link > 1 else []
    if not state.linked or state.phone is None:
        return former
    return [*former, LinkedNumber(number=state.phone, since=state.linked_at or BEFORE_ALL)]


def with_number(numbers: Sequence[LinkedNumber], number: str, since: datetime) -> list[LinkedNumber]:
    """The numbers after a link to this one. Of more than MOST_NOTED changes the oldest are forgotten as not noted.

    MongoDB cuts times to milliseconds: the link counts from the next full one, so that nothing from before it is later.
    """
    if numbers and numbers[-1].number == number:
        return list(numbers)
    full = since.replace(microsecond=since.microsecond // 1000 * 1000)
    noted = [*numbers, LinkedNumber(number=number, since=since if since == full else full + MILLISECOND)]
    if len(noted) <= MOST_NOTED:
        return noted
    return [LinkedNumber(number=NOT_NOTED, since=BEFORE_ALL), *noted[1 - MOST_NOTED :]]


def present_number(numbers: Sequence[LinkedNumber]) -> str | None:
    """The number that is linked, or was last; None before the first."""
    return numbers[-1].number if numbers else None


def number_at(numbers: Sequence[LinkedNumber], at: datetime) -> str | None:
    """The number that was linked at that time, or last; before the first link, the first. None: none ever was."""
    if not numbers:
        return None
    return next((each.number for each in reversed(numbers) if each.since <= at), numbers[0].number)


def is_of_another_number(number: str | None, at: datetime, numbers: Sequence[LinkedNumber]) -> bool:
    """Whether what belongs to `number`, or where that was not noted to the number linked `at`, is not the present's."""
    present = present_number(numbers)
    return present is not None and (number or number_at(numbers, at)) != present
