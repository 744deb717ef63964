"""Whose a message is, once a session was linked anew: what only the number that sent, or received, it can do."""

from __future__ import annotations

from collections.abc import Sequence

from libs.contracts.errors import ApiError
from libs.contracts.numbers import is_of_another_number, number_at, numbers_of
from libs.contracts.records import LinkedNumber, MessageRow
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.sessions import store_sessions


async def numbers_linked(edge: Edge, session_id: str) -> Sequence[LinkedNumber]:
    """The numbers that the session was linked to, oldest first."""
    return numbers_of(await store_sessions.state_of(edge.database, session_id))


async def own_number(edge: Edge, row: MessageRow) -> str | None:
    """`own_number_among` those of the message's session."""
    return own_number_among(row, await numbers_linked(edge, row.session_id))


def own_number_among(row: MessageRow, linked: Sequence[LinkedNumber]) -> str | None:
    """The number (digits) that sent or received the message. Raises Refusal OTHER_NUMBER: another is linked now."""
    if is_of_another(row, linked):
        raise Refusal(ApiError.OTHER_NUMBER)
    return number_of(row, linked)


def is_of_another(row: MessageRow, linked: Sequence[LinkedNumber]) -> bool:
    """Whether another number sent, or received, the message than the one that is linked now, or was last."""
    return is_of_another_number(row.number, row.sent_at or row.created_at, linked)


def number_of(row: MessageRow, linked: Sequence[LinkedNumber]) -> str | None:
    """The number (digits) that sent or received the message; empty or None: nobody noted it."""
    return row.number or number_at(linked, row.sent_at or row.created_at)
