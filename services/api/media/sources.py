"""Where a medium that a message brings along comes from: base64 within JSON, or an address of the customer's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from libs.contracts.errors import ApiError
from libs.contracts.ids import new_id
from libs.runtime.targets import TargetRefused
from services.api.context import Edge
from services.api.errors import Refusal, invalid, too_large
from services.api.media import kinds
from services.api.media.fetching import NotFetched, Source
from services.api.media.keeping import keep
from services.api.media.kinds import SLICE, InvalidMedium, Kind
from services.api.media.store_media import Owner, StoredMedium, Upload
from services.api.media.uploads import ReceivedFile


async def inline_medium(
    edge: Edge,
    owner: Owner,
    kind: Kind,
    text: str,
    *,
    file_name: str | None,
    mimetype: str | None = None,
    convert: bool = True,
) -> StoredMedium:
    """Store a medium that came as base64. Raises Refusal INVALID_MEDIA, PAYLOAD_TOO_LARGE."""
    _check_inline_size(edge, kind, text)
    inline = await asyncio.to_thread(kinds.inline_of, text) if len(text) > SLICE else kinds.inline_of(text)
    if isinstance(inline, InvalidMedium):
        raise Refusal(ApiError.INVALID_MEDIA, reason=inline.reason)
    declared, name = mimetype or inline.declared, file_name or inline.file_name
    async with _receiving(edge, declared=declared, name=name) as file:
        for start in range(0, len(inline.data), SLICE):
            await file.write(inline.data[start : start + SLICE])
        return await keep(edge, file, owner, kind, convert=convert)


def _check_inline_size(edge: Edge, kind: Kind, text: str) -> None:
    """Refuse what is surely too large before it is decoded."""
    size, settings = kinds.inline_bytes_of(text), edge.settings
    slack = 1024  # a data URL's head, padding and line ends; the decoded size is checked again
    if (large := kinds.size_fault(kind, size - slack, settings)) is not None:
        raise too_large(large.what, large.limit_bytes)
    if size - slack > settings.inline_bytes:
        raise too_large("medium within JSON (larger ones go as multipart/form-data)", settings.inline_bytes)


@asynccontextmanager
async def _receiving(edge: Edge, *, declared: str, name: str | None) -> AsyncGenerator[ReceivedFile]:
    """A file to be written; it stays only if it was kept when the block ends."""
    upload = Upload(edge.database, new_id("med"))
    try:
        yield ReceivedFile(upload=upload, name=name, declared=declared)
    finally:
        if not upload.kept:
            await upload.drop()


# --- From an address -------------------------------------------------------------------------------------------------


async def fetched_medium(
    edge: Edge,
    owner: Owner,
    kind: Kind,
    url: str,
    *,
    file_name: str | None,
    mimetype: str | None = None,
    convert: bool = True,
) -> StoredMedium:
    """Fetch a medium and store it on its way. Raises Refusal VALIDATION_FAILED, INVALID_MEDIA, PAYLOAD_TOO_LARGE."""
    try:
        async with edge.fetcher.opened(url, within_s=edge.settings.fetch_s) as source:
            declared, name = mimetype or source.declared, file_name or source.file_name
            async with _receiving(edge, declared=declared, name=name) as file:
                await _stream(edge, kind, source, file)
                return await keep(edge, file, owner, kind, convert=convert)
    except TargetRefused as error:
        raise invalid("url", f"the address is refused: {error.reason}") from error
    except NotFetched as error:
        reason = f"it could not be fetched: {error.reason}"
        fields = {"fields": [{"path": "url", "reason": reason}]}
        raise Refusal(ApiError.INVALID_MEDIA, details=fields, reason=reason) from error


async def _stream(edge: Edge, kind: Kind, source: Source, file: ReceivedFile) -> None:
    """Store the pieces as they come. Raises Refusal as soon as there are too many."""
    most = kinds.limit_bytes(kind, edge.settings)
    if source.size_bytes is not None and source.size_bytes > most:
        raise too_large(kind, most)
    async for piece in source.pieces:
        if file.upload.size + len(piece) > most:
            raise too_large(kind, most)
        await file.write(piece)
