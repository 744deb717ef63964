"""Media: uploaded as a stream, read back as a stream, seen by nobody but their customer."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter
from litestar.response import Stream

from services.api import confirmations
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.description.bodies import UploadOperation
from services.api.errors import invalid
from services.api.languages import Localized, localized
from services.api.media import incoming, store_media
from services.api.media.keeping import keep
from services.api.media.kinds import KINDS, Kind, attachment_name, served_type
from services.api.media.ranges import Part, part_of
from services.api.media.store_media import Owner, StoredMedium
from services.api.media.uploads import Form, is_form, received_form


class MediumView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An uploaded medium; `mimetype` is what its bytes say."""

    media_id: str
    mimetype: str
    file_name: str | None
    bytes: int
    sha256: str


class MediumAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to an upload."""

    media_id: str
    data: MediumView
    message: Localized
    success: bool = True


@post(
    "/media",
    operation_id="upload_media",
    operation_class=UploadOperation,
    status_code=200,
    request_max_body_size=None,
)
async def upload_media(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], caller: NamedDependency[Caller]
) -> MediumAnswer:
    """Upload a file: multipart/form-data with `file`, and optionally `fileName` and `contentType`, the kind to check it
    as: `image`, `video`, `audio`, `voice`, `sticker` or `document` (which takes everything).

    As `voice`, other sound is converted to Ogg with Opus, unless `convert` is `false`; the answer tells what was made.
    """
    caller.require("send")
    if not is_form(request):
        raise invalid("Content-Type", "a medium is uploaded as multipart/form-data")
    async with received_form(edge, request) as form:
        if form.file is None:
            raise invalid("file", "it is missing")
        form.file.name = form.fields.get("fileName") or form.file.name
        owner = Owner(customer_id=caller.customer_id, session_ids=caller.session_ids)
        medium = await keep(edge, form.file, owner, _kind_of(form), convert=_converts(form))
    return MediumAnswer(media_id=medium.id, data=_view(medium), message=localized(confirmations.MEDIUM_STORED))


@get("/media/{media_id:str}", operation_id="download_media")
async def download_media(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    media_id: Annotated[str, PathParameter(description="As `POST /media`, or a message's `media`, gave it.")],
) -> Stream:
    """The file itself, always as an attachment, or with `Range` a part of it (206).

    The medium of a message that came in is downloaded when first read.
    """
    caller.require("read")
    medium = await incoming.medium_for(edge, caller, media_id)
    part = _part_asked(request, medium)
    name = quote(attachment_name(medium.file_name, medium.id, medium.mimetype))
    return Stream(
        store_media.pieces(edge.database, medium.id, part),
        status_code=200 if part is None else 206,
        media_type=served_type(medium.mimetype),
        headers={
            **({} if part is None else {"Content-Range": part.content_range}),
            "Accept-Ranges": "bytes",
            "Content-Length": str(medium.bytes if part is None else part.bytes),
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )


def _part_asked(request: Request[Any, Any, Any], medium: StoredMedium) -> Part | None:
    """`If-Range` names a version that we never gave, so it asks for the whole file."""
    if "if-range" in request.headers:
        return None
    return part_of(request.headers.get("range", ""), medium.bytes)


def _kind_of(form: Form) -> Kind:
    written = form.fields.get("contentType") or "document"
    if written not in KINDS:
        raise invalid("contentType", "it is one of " + ", ".join(KINDS))
    return written


def _converts(form: Form) -> bool:
    written = form.fields.get("convert", "true").strip().lower()
    if written not in ("true", "false", "1", "0"):
        raise invalid("convert", "it is true or false")
    return written in ("true", "1")


def _view(medium: StoredMedium) -> MediumView:
    return MediumView(
        media_id=medium.id,
        mimetype=medium.mimetype,
        file_name=medium.file_name,
        bytes=medium.bytes,
        sha256=medium.sha256,
    )


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[upload_media, download_media],
    tags=["Media"],
)
