"""Reads what every send says in the same way: text, content with a medium, and the wishes in the headers."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from libs.contracts.content import Audio, Content, Document, Image, Sticker, Text, Video, Voice
from libs.contracts.errors import ApiError
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.media import kinds
from services.api.media.kinds import Kind
from services.api.media.store_media import StoredMedium
from services.api.media.uploads import header_of
from services.api.messages.sending import Wishes

MOST_TEXT = 65_536
MOST_CAPTION = 4_096

_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,4})", re.IGNORECASE)


def wishes_of(edge: Edge, request: Request[Any, Any, Any]) -> Wishes:
    """The request's `Idempotency-Key` and `Prefer: wait=N`, N bounded by the setting."""
    wait_s = _asked_wait_s(edge, request)
    return Wishes(key=header_of(request, b"idempotency-key") or None, wait_s=wait_s or 0.0)


def public_wishes_of(edge: Edge, request: Request[Any, Any, Any]) -> Wishes:
    """The same of a public send, which waits for a verdict by itself, as long as one can be near."""
    wait_s, key = _asked_wait_s(edge, request), header_of(request, b"idempotency-key") or None
    if wait_s is not None:
        return Wishes(key=key, wait_s=wait_s, is_verdict=True)
    return Wishes(key=key, wait_s=edge.settings.public_wait_ms / 1000, unless_held=True, is_verdict=True)


def _asked_wait_s(edge: Edge, request: Request[Any, Any, Any]) -> float | None:
    wait_s = wait_asked(header_of(request, b"prefer") or "")
    return None if wait_s is None else min(wait_s, edge.settings.wait_most_s)


def wait_asked(prefer: str) -> float | None:
    """The seconds of `wait` in a header `Prefer` (RFC 7240)."""
    wait = _WAIT.search(prefer)
    return float(wait[1]) if wait else None


def text_content(text: str, *, path: str = "message") -> Text:
    """A text message. Raises Refusal when it is empty or too long."""
    if not text.strip():
        raise invalid(path, "the message is empty")
    if len(text) > MOST_TEXT:
        raise invalid(path, f"the message has {len(text):,} characters, the limit is {MOST_TEXT:,}")
    return Text(text=text)


def media_content(kind: Kind, medium: StoredMedium, *, caption: str | None, file_name: str | None) -> Content:
    """A message with this medium. Raises Refusal: too long a caption, or the name of something else."""
    if caption is not None and len(caption) > MOST_CAPTION:
        raise invalid("caption", f"the caption has {len(caption):,} characters, the limit is {MOST_CAPTION:,}")
    if (fault := kinds.misnamed(medium.mimetype, file_name=file_name)) is not None:
        raise Refusal(ApiError.INVALID_MEDIA, reason=fault.reason)
    caption, name = caption or None, kinds.name_with_ending(file_name, medium.mimetype) or medium.file_name
    match kind:
        case "image":
            return Image(media_id=medium.id, mimetype=medium.mimetype, caption=caption, file_name=name)
        case "video":
            return Video(media_id=medium.id, mimetype=medium.mimetype, caption=caption, file_name=name)
        case "audio":
            return Audio(media_id=medium.id, mimetype=medium.mimetype, file_name=name)
        case "voice":
            sound = medium.looked.sound if medium.looked is not None else None
            if sound is None:
                return Voice(media_id=medium.id, mimetype=medium.mimetype)
            return Voice(media_id=medium.id, mimetype=medium.mimetype, seconds=sound.seconds, waveform=sound.waveform)
        case "sticker":
            return Sticker(media_id=medium.id, mimetype=medium.mimetype)
        case "document":
            name = kinds.document_name(name, medium.mimetype)
            return Document(media_id=medium.id, mimetype=medium.mimetype, caption=caption, file_name=name)
