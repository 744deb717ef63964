"""Which messages a request asks for: the query parameters that the list and the export share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from libs.contracts.words import words_of
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.chats.addresses import further_addresses
from services.api.context import Edge
from services.api.errors import invalid
from services.api.messages.phones import Recipient
from services.api.messages.recipients import read
from services.api.messages.store_messages import Wanted

STATUSES = (
    *("queued", "sending", "sent", "delivered", "read", "played"),
    *("failed", "cancelled", "expired", "received"),
)
MOST_WORDS_SOUGHT = 10
SHORTEST_PREFIX = 3
"""What begins with less begins half of all words."""


async def wanted_messages(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session: Annotated[str | None, QueryParameter(description="A session's id or name.")] = None,
    status: Annotated[str | None, QueryParameter(max_length=20)] = None,
    direction: FromQuery[Literal["in", "out"] | None] = None,
    kind: Annotated[str | None, QueryParameter(name="type", max_length=20, description="As `type` of a send.")] = None,
    chat: Annotated[
        str | None,
        QueryParameter(max_length=64, description="A number or a JID: one address of the contact."),
    ] = None,
    q: Annotated[
        str | None,
        QueryParameter(
            max_length=200,
            description="Words of the text, caption or file name; a last word with `*` is the beginning of one.",
        ),
    ] = None,
    since: Annotated[datetime | None, QueryParameter(name="from", description="Created at this time or later.")] = None,
    until: Annotated[datetime | None, QueryParameter(name="to", description="Created before this time.")] = None,
) -> Wanted:
    """The dependency `wanted`. Raises Refusal VALIDATION_FAILED, SESSION_NOT_FOUND, FORBIDDEN."""
    caller.require("read")
    if status and status not in STATUSES:
        raise invalid("status", f"no message has the status {status!r}; it is one of {', '.join(STATUSES)}")
    words, prefix = sought(q) if q else ((), None)
    sessions = await sessions_asked(edge, caller, session)
    shown, further = await _addresses_of(edge, caller, sessions, chat) if chat else (None, ())
    return Wanted(
        customer_id=caller.customer_id,
        sessions=sessions,
        status=status or None,
        direction=direction,
        type=kind or None,
        chat=shown,
        chat_aliases=further,
        words=words,
        prefix=prefix,
        since=in_utc(since, "from"),
        until=in_utc(until, "to"),
    )


async def sessions_asked(edge: Edge, caller: Caller, session: str | None) -> tuple[str, ...] | None:
    """The sessions that the caller asks about, and may; None: all of the customer's."""
    if session:
        return ((await session_for(edge, caller, session)).id,)
    return caller.session_ids


def sought(q: str) -> tuple[tuple[str, ...], str | None]:
    """The words to look for, and the beginning of one more. Raises Refusal VALIDATION_FAILED when it holds no word."""
    words = words_of(q)
    if not words:
        raise invalid("q", "it holds neither a letter nor a digit")
    if len(words) > MOST_WORDS_SOUGHT:
        raise invalid("q", f"it holds more than {MOST_WORDS_SOUGHT} words")
    if not q.rstrip().endswith("*"):
        return tuple(words), None
    prefix = "".join(words_of(q.split()[-1])[-1:])
    if len(prefix) < SHORTEST_PREFIX:
        raise invalid("q", f"the beginning of a word needs {SHORTEST_PREFIX} letters or digits")
    return tuple(word for word in words if word != prefix), prefix


def in_utc(at: datetime | None, name: str) -> datetime | None:
    """A time without an offset is one of UTC. Raises Refusal for what no calendar holds once it is moved there."""
    try:
        return at if at is None else (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
    except OverflowError as error:
        raise invalid(name, "it is beyond the calendar") from error


async def _addresses_of(
    edge: Edge, caller: Caller, sessions: tuple[str, ...] | None, chat: str
) -> tuple[str, tuple[str, ...]]:
    """As messages show it (digits of a phone number in any spelling, else the JID), and the contact's other ones."""
    found = (await read(edge, caller.customer_id, sessions, [chat]))[0]
    person = found if isinstance(found, Recipient) else found.doubtful
    if person is None:
        return chat, ()
    return person.display, await further_addresses(edge.database, caller.customer_id, sessions, person)
