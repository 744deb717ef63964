"""The platform's dead letters: list, read, put back on their way one by one or all, and drop."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from libs.contracts.errors import ApiError
from services.api import confirmations
from services.api.accounts.audit import note
from services.api.accounts.records import User
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.languages import Localized, localized
from services.api.platform import letters
from services.api.platform.letters import Letter, NotRedrivable
from services.api.sentences import phrase_of
from services.api.sessions.views import Done
from services.api.times import Time, iso
from services.api.web.paging import HIGHEST

PAGE = 100
ALL_WITHIN_S = 20.0
MOST_AT_ONCE = 5_000
MOST_TEXT = 64_000

LetterId = Annotated[int, PathParameter(ge=1, le=HIGHEST)]
Service = Annotated[str, Meta(pattern="^[a-z]{1,20}(/[a-z]{1,20})?$")]


class FailureView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An earlier death of the same message."""

    sequence: int
    at: str
    error: str


class LetterObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that a service could not handle. `id` is its sequence among the dead letters."""

    id: int
    at: Time
    service: str
    subject: str
    stream: str
    stream_sequence: int
    error: str
    history: list[FailureView]
    bytes: int
    request_id: str | None


class LetterData(LetterObject, frozen=True, kw_only=True, rename="camel"):
    """The same with what it says, as far as it is text."""

    payload: str | None


class LetterList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page, oldest first; `next` is given as `after` for the next one, null at the end."""

    data: list[LetterObject]
    total: int
    next: int | None
    success: bool = True


class LetterAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One dead letter."""

    data: LetterData
    success: bool = True


class RedriveWish(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Those of one service, or all."""

    service: Service | None = None


class Redriven(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many were put back on their way, how many were kept, and how many are there now."""

    redriven: int
    kept: int
    left: int


class RedrivenAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of them."""

    data: Redriven
    message: Localized
    success: bool = True


@get("/dead-letters", operation_id="list_dead_letters")
async def list_dead_letters(
    edge: NamedDependency[Edge],
    service: Annotated[str | None, QueryParameter(pattern="^[a-z]{1,20}(/[a-z]{1,20})?$")] = None,
    after: Annotated[int, QueryParameter(ge=0, le=HIGHEST, description="Id of the last one that was seen.")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE)] = 50,
) -> LetterList:
    """What no service could handle, with the reason and the earlier tries."""
    edge.require_bus()
    found = await letters.letters_after(edge.bus, after, service=service, limit=limit + 1)
    page = found[:limit]
    return LetterList(
        data=[letter_object(letter) for letter in page],
        total=await letters.waiting_letters(edge.bus),
        next=page[-1].sequence if len(found) > limit else None,
    )


@get("/dead-letters/{letter_id:int}", operation_id="get_dead_letter")
async def get_dead_letter(
    edge: NamedDependency[Edge], operator: NamedDependency[User], letter_id: LetterId
) -> LetterAnswer:
    """One dead letter with what it says; the audit log notes who has read it."""
    letter = await _letter(edge, letter_id)
    await note(edge, operator, "dead_letter.read", str(letter_id))
    shown: dict[str, Any] = msgspec.structs.asdict(letter_object(letter))
    return LetterAnswer(data=LetterData(**shown, payload=text_of(letter.payload)))


@post("/dead-letters/{letter_id:int}/redrive", operation_id="redrive_dead_letter", status_code=200)
async def redrive_dead_letter(
    edge: NamedDependency[Edge], operator: NamedDependency[User], letter_id: LetterId
) -> RedrivenAnswer:
    """Put it back on its way. It is removed once it is stored there; when it fails again, it is a new letter."""
    letter = await _letter(edge, letter_id)
    try:
        await letters.redrive(edge.bus, letter)
    except NotRedrivable as error:
        raise Refusal(ApiError.NOT_POSSIBLE, reason=error.reason) from error
    await note(edge, operator, "dead_letter.redriven", str(letter_id), {"service": letter.service})
    done = Redriven(redriven=1, kept=0, left=await letters.waiting_letters(edge.bus))
    return RedrivenAnswer(data=done, message=localized(confirmations.LETTER_REDRIVEN))


@post("/dead-letters/redrive", operation_id="redrive_dead_letters", status_code=200)
async def redrive_dead_letters(
    edge: NamedDependency[Edge], operator: NamedDependency[User], data: JSONBody[RedriveWish | None] = None
) -> RedrivenAnswer:
    """Put all of them back on their way, as many as 20 seconds allow; what is left can be asked for again."""
    edge.require_bus()
    service = data.service if data is not None else None
    done, why_kept = await _redriven_within(edge, service, ALL_WITHIN_S)
    details = {"service": service, "redriven": done.redriven}
    await note(edge, operator, "dead_letter.redriven", None, details)
    return RedrivenAnswer(data=done, message=_said_of(done, why_kept))


def _said_of(done: Redriven, why_kept: str | None) -> Localized:
    if why_kept is None:
        return localized(confirmations.LETTERS_REDRIVEN, redriven=done.redriven)
    reason = phrase_of(why_kept)
    return localized(confirmations.LETTERS_KEPT, redriven=done.redriven, kept=done.kept, reason=reason)


async def _redriven_within(edge: Edge, service: str | None, within_s: float) -> tuple[Redriven, str | None]:
    """Those that are there now, and why the first that stays does.

    One that fails again meanwhile has a higher sequence, and is not tried anew.
    """
    why_kept: str | None = None
    loop = asyncio.get_running_loop()
    deadline, last = loop.time() + within_s, await letters.last_letter(edge.bus)
    redriven = kept = position = 0
    while loop.time() < deadline and redriven + kept < MOST_AT_ONCE and position < last:
        page = await letters.letters_after(edge.bus, position, service=service, limit=PAGE)
        for letter in page:
            if letter.sequence > last or loop.time() >= deadline:
                break
            try:
                await letters.redrive(edge.bus, letter)
                redriven += 1
            except NotRedrivable as error:
                kept, why_kept = kept + 1, why_kept or error.reason
        if len(page) < PAGE:
            break
        position = page[-1].sequence
    return Redriven(redriven=redriven, kept=kept, left=await letters.waiting_letters(edge.bus)), why_kept


@delete("/dead-letters/{letter_id:int}", operation_id="drop_dead_letter", status_code=200)
async def drop_dead_letter(edge: NamedDependency[Edge], operator: NamedDependency[User], letter_id: LetterId) -> Done:
    """Remove it for good."""
    letter = await _letter(edge, letter_id)
    await letters.drop(edge.bus, letter_id)
    await note(edge, operator, "dead_letter.dropped", str(letter_id), {"service": letter.service})
    return Done(message=localized(confirmations.LETTER_DROPPED))


async def _letter(edge: Edge, letter_id: int) -> Letter:
    edge.require_bus()
    letter = await letters.letter_at(edge.bus, letter_id) if letter_id > 0 else None
    if letter is None:
        raise Refusal(ApiError.NOT_FOUND, what="dead letter")
    return letter


def letter_object(letter: Letter) -> LetterObject:
    """The letter without what it says."""
    return LetterObject(
        id=letter.sequence,
        at=iso(letter.at),
        service=letter.service,
        subject=letter.subject,
        stream=letter.stream,
        stream_sequence=letter.stream_sequence,
        error=letter.error,
        history=[FailureView(sequence=each.sequence, at=each.at, error=each.error) for each in letter.history],
        bytes=len(letter.payload),
        request_id=letter.headers.get("Request-Id"),
    )


def text_of(payload: bytes) -> str | None:
    """What a letter says, cut to what can be shown; None when it is no text."""
    try:
        return payload.decode()[:MOST_TEXT]
    except UnicodeDecodeError:
        return None


router = Router(
    path="/api/platform",
    route_handlers=[
        list_dead_letters,
        get_dead_letter,
        redrive_dead_letter,
        redrive_dead_letters,
        drop_dead_letter,
    ],
    tags=["Platform: operation"],
)
