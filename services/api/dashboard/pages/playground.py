"""The playground: every kind of message by hand, its way live, and the same request for programs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from libs.contracts.calls import CheckNumbers, NumbersChecked
from libs.contracts.errors import ApiError
from libs.contracts.records import MessageRow
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.chats.subjects import subjects_of
from services.api.context import Edge
from services.api.dashboard.bubbles import TYPES
from services.api.dashboard.reading import clock_of, contact_names, devices_to_choose
from services.api.dashboard.rendering import Clock, cursor_now, grouped_phone, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import saying
from services.api.errors import Refusal
from services.api.messages import store_messages
from services.api.messages.jids import PERSON, is_group
from services.api.messages.phones import InvalidPhone, Recipient, as_it_stands, recipient_of
from services.api.messages.recipients import read
from services.api.messages.store_messages import Wanted
from services.api.sentences import sentence
from services.api.sessions.asking import asked
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import CONNECTED
from services.api.settings import MEGABYTE, Settings

PLACE = "/whatsapp/playground"
SHOWN = 10
MEDIA = ("image", "video", "audio", "voice", "document", "sticker")
CAPTIONED = ("image", "video", "document")
CHECK_WITHIN_S = 4.0
"""How long the page waits for WhatsApp's word on a number; it says that there was none."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The devices to choose from, and the one that is chosen first."""

    connected: list[Seen]
    others: list[Seen]
    first: str | None


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The last messages that were sent, newest first."""

    rows: list[MessageRow]
    subjects: dict[str, str]
    """Of the rows' groups, by JID."""
    contacts: dict[str, str]
    """The other side's own name, by message id."""
    clock: Clock


@get(PLACE)
async def show_playground(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    visitor: NamedDependency[Visitor],
    customer: NamedDependency[Caller],
    session: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> Response[str]:
    """The page; `session` is the device that is chosen."""
    cursor = cursor_now(edge)
    devices, log = await asyncio.gather(_devices(edge, customer, session), _log(edge, request, customer))
    return pages_of(request).page(
        request,
        "playground.html",
        visitor=visitor,
        cursor=cursor,
        devices=devices,
        log=log,
        subjects=log.subjects,
        types=TYPES,
        media=MEDIA,
        captioned=CAPTIONED,
        limits=limits_mb(edge.settings),
        may_see_key="admin" in customer.scopes,
    )


@get(f"{PLACE}/log")
async def show_log(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], customer: NamedDependency[Caller]
) -> Response[str]:
    """The last messages, for a page that is open."""
    log = await _log(edge, request, customer)
    return pages_of(request).page(request, "playground_log.html", log=log, subjects=log.subjects)


@get(f"{PLACE}/number")
async def show_number(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    customer: NamedDependency[Caller],
    to: Annotated[str, QueryParameter(max_length=100)] = "",
) -> Response[str]:
    """What the gateway makes of a number while it is being typed; WhatsApp is asked once the typing rests."""
    found = recipient_of(to, edge.settings.default_country) if to.strip() else None
    said, fault = _said_of(found, request)
    return pages_of(request).page(
        request,
        "playground_number.html",
        said=said,
        fault=fault,
        to=to,
        verdict="",
        why="",
        may_ask=_number_to_ask(found) is not None,
    )


@get(f"{PLACE}/number/check")
async def check_number(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    customer: NamedDependency[Caller],
    to: Annotated[str, QueryParameter(max_length=100)] = "",
    session: Annotated[str, QueryParameter(max_length=100)] = "",
) -> Response[str]:
    """The same with what WhatsApp says of the number, or that it was not asked and why."""
    found = await _found(edge, customer, session, to) if to.strip() else None
    said, fault = _said_of(found, request)
    verdict, why = "", ""
    if (number := _number_to_ask(found)) is not None:
        verdict, why = await _verdict_on(edge, customer, session, number, language_of_path(request.url.path))
    return pages_of(request).page(
        request, "playground_number.html", said=said, fault=fault, to=to, verdict=verdict, why=why, may_ask=False
    )


async def _found(edge: Edge, caller: Caller, session_id: str, to: str) -> Recipient | InvalidPhone:
    """Whom a message of this session goes to; without the session's word where it cannot be seen."""
    if as_it_stands(to, edge.settings.default_country) is not None:
        with suppress(Refusal):
            session = await session_for(edge, caller, session_id)
            return (await read(edge, session.customer_id, [session.id], [to]))[0]
    return recipient_of(to, edge.settings.default_country)


async def _verdict_on(edge: Edge, caller: Caller, session_id: str, number: str, language: str) -> tuple[str, str]:
    """`there`, `absent` or `unchecked`, and why it was not checked."""
    try:
        session = await session_for(edge, caller, session_id)
        ask = CheckNumbers(session_id=session.id, phones=[number])
        answer = await asked(edge, session, ask, NumbersChecked, within_s=CHECK_WITHIN_S)
    except Refusal as refusal:
        return "unchecked", sentence(refusal.code, language, refusal.params)
    return ("there" if answer.jids.get(number) else "absent"), ""


def _number_to_ask(found: Recipient | InvalidPhone | None) -> str | None:
    """The number that WhatsApp can be asked about, also one that the tables doubt; a group has none."""
    person = found.doubtful if isinstance(found, InvalidPhone) else found
    return person.display if person is not None and person.jid.endswith(PERSON) else None


def _said_of(found: Recipient | InvalidPhone | None, request: Request[Any, Any, Any]) -> tuple[str, str]:
    """Where the message goes, and what is wrong with the number."""
    language = language_of_path(request.url.path)
    match found:
        case None:
            return "", ""
        case InvalidPhone(doubtful=Recipient(display=digits)):
            reason = found.said.in_language(language)
            return saying(language)("play.is_asked", number=f"+{digits}", reason=reason), ""
        case InvalidPhone():
            return "", sentence(ApiError.INVALID_PHONE, language, {"reason": found.said})
        case Recipient():
            number = found.display if is_group(found.jid) else grouped_phone(found.display)
            return saying(language)("play.goes_to", number=number), ""


async def _devices(edge: Edge, caller: Caller, wanted: str | None) -> Chosen:
    seen = await devices_to_choose(edge.database, caller)
    connected = [each for each in seen if each.status in CONNECTED]
    others = [each for each in seen if each.status not in CONNECTED and each.state is not None and each.state.linked]
    known = {each.record.id for each in (*connected, *others)}
    first = wanted if wanted in known else next((each.record.id for each in (*connected, *others)), None)
    return Chosen(connected=connected, others=others, first=first)


async def _log(edge: Edge, request: Request[Any, Any, Any], caller: Caller) -> Log:
    wanted = Wanted(customer_id=caller.customer_id, sessions=caller.session_ids, direction="out")
    page, clock = await asyncio.gather(
        store_messages.messages_newest_first(edge.database, wanted, after=None, limit=SHOWN),
        clock_of(edge, caller.customer_id, language_of_path(request.url.path)),
    )
    subjects = await subjects_of(edge, caller.customer_id, (row.to for row in page.rows))
    contacts = await contact_names(edge.database, caller.customer_id, page.rows)
    return Log(rows=page.rows, subjects=subjects, contacts=contacts, clock=clock)


def limits_mb(settings: Settings) -> dict[str, int]:
    """The largest files, by kind."""
    kinds = {"image": settings.image_bytes, "video": settings.video_bytes, "document": settings.document_bytes}
    return {kind: size // MEGABYTE for kind, size in kinds.items()}


handlers: list[ControllerRouterHandler] = [show_playground, show_log, show_number, check_number]
