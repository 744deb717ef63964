"""Media of messages that came in: downloaded from WhatsApp when first read, then served from GridFS."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from libs.contracts.calls import FetchMedia, MediaFetched
from libs.contracts.errors import ApiError
from libs.contracts.ids import message_of_media
from libs.contracts.records import MessageRow
from services.api.access.auth import session_of
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.errors import Refusal, too_large
from services.api.media import kinds, store_media
from services.api.media.store_media import StoredMedium
from services.api.messages import store_messages
from services.api.sessions.asking import asked
from services.api.times import now


async def medium_for(edge: Edge, caller: Caller, media_id: str) -> StoredMedium:
    """The customer's medium, uploaded or incoming, for a caller who may use its session.

    Raises Refusal MEDIA_NOT_FOUND, MEDIA_GONE, PAYLOAD_TOO_LARGE, SESSION_NOT_CONNECTED, SESSION_UNREACHABLE.
    """
    if message_of_media(media_id) is None:
        return await _uploaded(edge, caller, media_id)
    row = await _message_with(edge, caller, media_id)
    medium = await _downloaded(edge, row, media_id)
    return msgspec.structs.replace(medium, file_name=row.file_name or medium.file_name)


async def kept_medium(edge: Edge, caller: Caller, media_id: str) -> StoredMedium:
    """The same, from now on kept as long as a new one. Raises as `medium_for`."""
    is_incoming = message_of_media(media_id) is not None
    if caller.session_ids is not None:  # also of what is stored already
        await (_message_with(edge, caller, media_id) if is_incoming else _uploaded(edge, caller, media_id))
    found = await store_media.medium_kept_until(edge.database, caller.customer_id, media_id, _keep_until(edge))
    if found is None and is_incoming:
        return await _downloaded(edge, await _message_with(edge, caller, media_id), media_id)
    return _found(found)


async def _uploaded(edge: Edge, caller: Caller, media_id: str) -> StoredMedium:
    medium = _found(await store_media.medium(edge.database, caller.customer_id, media_id))
    if caller.session_ids is not None and not medium.is_open_to(caller.session_ids):
        raise Refusal(ApiError.MEDIA_NOT_FOUND)
    return medium


async def _message_with(edge: Edge, caller: Caller, media_id: str) -> MessageRow:
    row = await store_messages.message_by_id(edge.database, message_of_media(media_id) or "")
    if row is None or row.customer_id != caller.customer_id or row.media_ref is None or row.revoked_at is not None:
        raise Refusal(ApiError.MEDIA_NOT_FOUND)
    if not caller.may_use(row.session_id):
        raise Refusal(ApiError.MEDIA_NOT_FOUND)
    return row


async def _downloaded(edge: Edge, row: MessageRow, media_id: str) -> StoredMedium:
    """The medium; asks the session's owner for it when it is not stored. Whoever asks twice gets the one file."""
    found = await store_media.medium_kept_until(edge.database, row.customer_id, media_id, _keep_until(edge))
    if found is not None:
        return found
    most = edge.settings.document_bytes
    if row.media_bytes is not None and row.media_bytes > most:
        raise too_large("medium", most, size_bytes=row.media_bytes)
    ask = FetchMedia(
        session_id=row.session_id,
        customer_id=row.customer_id,
        media_id=media_id,
        mimetype=row.mimetype or kinds.UNKNOWN,
        ref=row.media_ref or b"",
        most_bytes=most,
    )
    session = await session_of(edge, row.customer_id, row.session_id)
    await asked(edge, session, ask, MediaFetched, within_s=edge.settings.download_s)
    return _found(await store_media.medium_kept_until(edge.database, row.customer_id, media_id, _keep_until(edge)))


def _keep_until(edge: Edge) -> datetime:
    return now() + timedelta(days=edge.settings.media_days)


def _found(medium: StoredMedium | None) -> StoredMedium:
    if medium is None:
        raise Refusal(ApiError.MEDIA_NOT_FOUND)
    return medium
