"""The playground: every kind of message by hand, its way live, and the same request for programs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from libs.contracts.errors import ApiError
from libs.contracts.records import MessageRow
from services.api.access.callers import Caller
from services.api.chats.subjects import subjects_of
from services.api.context import Edge
from services.api.dashboard.bubbles import TYPES
from services.api.dashboard.reading import clock_of, devices_to_choose
from services.api.dashboard.rendering import Clock, cursor_now, grouped_phone, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.dashboard.words import saying
from services.api.messages import store_messages
from services.api.messages.phones import InvalidPhone, Recipient, is_group, recipient_of
from services.api.messages.store_messages import Wanted
from services.api.sentences import sentence
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import CONNECTED
from services.api.settings import MEGABYTE, Settings

PLACE = "/whatsapp/playground"
SHOWN = 10
MEDIA = ("image", "video", "audio", "voice", "document", "sticker")
CAPTIONED = ("image", "video", "document")


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
    """What the gateway makes of a number while it is being typed."""
    found = recipient_of(to, edge.settings.default_country) if to.strip() else None
    return pages_of(request).page(request, "playground_number.html", **_said_of(found, request))


def _said_of(found: Recipient | InvalidPhone | None, request: Request[Any, Any, Any]) -> dict[str, Any]:
    language = language_of_path(request.url.path)
    match found:
        case None:
            return {"said": "", "is_right": True}
        case InvalidPhone():
            return {"said": sentence(ApiError.INVALID_PHONE, language, {"reason": found.reason}), "is_right": False}
        case Recipient():
            number = found.display if is_group(found.jid) else grouped_phone(found.display)
            return {"said": saying(language)("play.goes_to", number=number), "is_right": True}


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
    return Log(rows=page.rows, subjects=subjects, clock=clock)


def limits_mb(settings: Settings) -> dict[str, int]:
    """The largest files, by kind."""
    kinds = {"image": settings.image_bytes, "video": settings.video_bytes, "document": settings.document_bytes}
    return {kind: size // MEGABYTE for kind, size in kinds.items()}


handlers: list[ControllerRouterHandler] = [show_playground, show_log, show_number]
