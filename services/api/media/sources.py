"""Where the medium of a message comes from: an earlier upload, base64 within JSON, or an address of the customer's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from libs.runtime.targets import TargetRefused
from services.api.context import Edge
from services.api.errors import Refusal, invalid, too_large
from services.api.media import incoming, kinds
from services.api.media.fetching import NotFetched, Source
from services.api.media.kinds import HEAD_BYTES, SLICE, InvalidMedium, Kind
from services.api.media.store_media import StoredMedium, Upload
from services.api.media.uploads import check
from services.api.times import now


async def known_medium(edge: Edge, customer_id: str, media_id: str, kind: Kind) -> StoredMedium:
    """A medium that was uploaded before, or came in, from now on kept as long as a new one.

    Raises Refusal MEDIA_NOT_FOUND, INVALID_MEDIA, PAYLOAD_TOO_LARGE, and what downloading an incoming one may raise.
    """
    medium = await incoming.kept_medium(edge, customer_id, media_id)
    check(edge, kind, medium.mimetype, medium.bytes)
    return medium


async def inline_medium(
    edge: Edge, customer_id: str, kind: Kind, text: str, *, file_name: str | None, mimetype: str | None = None
) -> StoredMedium:
    """Store a medium that came as base64. Raises Refusal INVALID_MEDIA, PAYLOAD_TOO_LARGE."""
    _check_inline_size(edge, kind, text)
    inline = await asyncio.to_thread(kinds.inline_of, text) if len(text) > SLICE else kinds.inline_of(text)
    if isinstance(inline, InvalidMedium):
        raise Refusal(ApiError.INVALID_MEDIA, reason=inline.reason)
    name = kinds.clean_name(file_name)
    found = kinds.mimetype_of(inline.data[:HEAD_BYTES], declared=mimetype or inline.declared, file_name=name)
    check(edge, kind, found, len(inline.data))
    return await _stored(edge, customer_id, inline.data, mimetype=found, file_name=name)


def _check_inline_size(edge: Edge, kind: Kind, text: str) -> None:
    """Refuse what is surely too large before it is decoded."""
    size, settings = kinds.inline_bytes_of(text), edge.settings
    slack = 1024  # a data URL's head, padding and line ends; the decoded size is checked again
    if (large := kinds.size_fault(kind, size - slack, settings)) is not None:
        raise too_large(large.what, large.limit_bytes)
    if size - slack > settings.inline_bytes:
        raise too_large("medium within JSON (larger ones go as multipart/form-data)", settings.inline_bytes)


async def _stored(edge: Edge, customer_id: str, data: bytes, *, mimetype: str, file_name: str | None) -> StoredMedium:
    async with _uploading(edge) as upload:
        for start in range(0, len(data), SLICE):
            await upload.write(data[start : start + SLICE])
        return await _kept(edge, upload, customer_id, mimetype=mimetype, file_name=file_name)


@asynccontextmanager
async def _uploading(edge: Edge) -> AsyncGenerator[Upload]:
    upload = Upload(edge.database, new_id("med"))
    try:
        yield upload
    finally:
        if not upload.kept:
            await upload.drop()


async def _kept(edge: Edge, upload: Upload, customer_id: str, *, mimetype: str, file_name: str | None) -> StoredMedium:
    keep_until = now() + timedelta(days=edge.settings.media_days)
    return await upload.keep(customer_id=customer_id, mimetype=mimetype, file_name=file_name, keep_until=keep_until)


# --- From an address -------------------------------------------------------------------------------------------------


async def fetched_medium(
    edge: Edge, customer_id: str, kind: Kind, url: str, *, file_name: str | None, mimetype: str | None = None
) -> StoredMedium:
    """Fetch a medium and store it on its way. Raises Refusal VALIDATION_FAILED, INVALID_MEDIA, PAYLOAD_TOO_LARGE."""
    try:
        async with (
            edge.fetcher.opened(url, within_s=edge.settings.fetch_s) as source,
            _uploading(edge) as upload,
        ):
            head = await _streamed(edge, kind, source, upload)
            name = kinds.clean_name(file_name or source.file_name)
            found = kinds.mimetype_of(head, declared=mimetype or source.declared, file_name=name)
            check(edge, kind, found, upload.size)
            return await _kept(edge, upload, customer_id, mimetype=found, file_name=name)
    except TargetRefused as error:
        raise invalid("url", f"the address is refused: {error.reason}") from error
    except NotFetched as error:
        reason = f"it could not be fetched: {error.reason}"
        fields = {"fields": [{"path": "url", "reason": reason}]}
        raise Refusal(ApiError.INVALID_MEDIA, details=fields, reason=reason) from error


async def _streamed(edge: Edge, kind: Kind, source: Source, upload: Upload) -> bytes:
    """Store the pieces as they come; returns the first bytes. Raises Refusal as soon as there are too many."""
    most = kinds.limit_bytes(kind, edge.settings)
    if source.size_bytes is not None and source.size_bytes > most:
        raise too_large(kind, most)
    head = b""
    async for piece in source.pieces:
        if upload.size + len(piece) > most:
            raise too_large(kind, most)
        if len(head) < HEAD_BYTES:
            head += piece[: HEAD_BYTES - len(head)]
        await upload.write(piece)
    return head
