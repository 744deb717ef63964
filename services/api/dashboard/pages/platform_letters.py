"""The dead letters: what no service could handle, and what is to become of it."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from libs.contracts.errors import ApiError
from services.api.accounts.audit import note
from services.api.context import Edge
from services.api.dashboard.lists import Filters, filters_of
from services.api.dashboard.reading import operators_clock
from services.api.dashboard.rendering import Clock, language_of_path, pages_of
from services.api.dashboard.visitors import Visitor
from services.api.errors import Refusal
from services.api.platform import letters
from services.api.platform.letters import REDRIVABLE, Letter
from services.api.routes.platform_letters import text_of
from services.api.web.paging import HIGHEST

PLACE = "/platform/letters"
SHOWN = 25
SERVICE = re.compile(r"[a-z]{1,20}(/[a-z]{1,20})?")

After = Annotated[int, QueryParameter(ge=0, le=HIGHEST)]
LetterId = Annotated[int, PathParameter(ge=1, le=HIGHEST)]


class LetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the list, oldest first. `by_service`: how many each has left; `next`: the last one shown here."""

    rows: list[Letter]
    by_service: dict[str, int]
    filters: Filters
    after: int
    next: int | None
    clock: Clock


@get(PLACE)
async def show_letters(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    after: After = 0,
) -> Response[str]:
    """The list by the filter of the address."""
    filters = filters_of(request, "service")
    service = filters["service"] if SERVICE.fullmatch(filters["service"]) else None
    found = await letters.letters_after(edge.bus, after, service=service, limit=SHOWN + 1)
    rows = found[:SHOWN]
    shown = LetterPage(
        rows=rows,
        by_service=await letters.letters_by_service(edge.bus),
        filters=filters,
        after=after,
        next=rows[-1].sequence if len(found) > SHOWN else None,
        clock=await operators_clock(edge, language_of_path(request.url.path)),
    )
    return pages_of(request).page(request, "platform_letters.html", visitor=operator, list=shown, redrivable=REDRIVABLE)


@get(f"{PLACE}/{{letter_id:int}}")
async def show_letter(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    operator: NamedDependency[Visitor],
    letter_id: LetterId,
) -> Response[str]:
    """One letter with what it says; the audit log notes who has read it."""
    letter = await letters.letter_at(edge.bus, letter_id)
    if letter is None:
        raise Refusal(ApiError.NOT_FOUND, what="dead letter")
    await note(edge, operator.user, "dead_letter.read", str(letter_id))
    return pages_of(request).page(
        request,
        "platform_letter.html",
        visitor=operator,
        letter=letter,
        payload=text_of(letter.payload),
        is_redrivable=letter.stream in REDRIVABLE,
        clock=await operators_clock(edge, language_of_path(request.url.path)),
    )


handlers: list[ControllerRouterHandler] = [show_letters, show_letter]
