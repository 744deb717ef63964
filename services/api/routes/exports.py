"""Exports: the messages of a customer as a file, written while it is read."""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from litestar.response import Stream

from services.api.context import Edge
from services.api.messages.exporting import CONTENT_TYPES, Format
from services.api.messages.filters import wanted_messages
from services.api.messages.store_messages import Wanted
from services.api.times import now


@get("/messages/export", operation_id="export_messages")
async def export_messages(
    edge: NamedDependency[Edge],
    wanted: NamedDependency[Wanted],
    written_as: Annotated[Format, QueryParameter(name="format")] = "csv",
) -> Stream:
    """The messages as CSV or as JSON lines, newest first, by the same filters as the list.

    A connection that ends early leaves a file that is cut. In the CSV file, what a spreadsheet would take for a number,
    a date or a formula begins with an apostrophe: a program takes one apostrophe off a cell's beginning. Behind `;`, a
    tab or a line's end an apostrophe disarms a formula too. JSON lines hold every text as it was.
    """
    first = await edge.exporter.first_page(wanted)
    return Stream(
        edge.exporter.written(wanted, first, written_as),
        media_type=CONTENT_TYPES[written_as],
        headers={
            "Content-Disposition": f'attachment; filename="messages-{now():%Y%m%dT%H%M%SZ}.{written_as}"',
            "Cache-Control": "no-store",
        },
    )


router = Router(
    path="/api/customer/whatsapp",
    dependencies={"wanted": Provide(wanted_messages)},
    route_handlers=[export_messages],
    tags=["Messages"],
)
