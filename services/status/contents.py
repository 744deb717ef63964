"""What a message says, as fields of its row: from the fact that brings it."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any

from msgspec.structs import fields

from libs.contracts.content import (
    Contact,
    Content,
    Location,
    Poll,
    Reaction,
    caption_of,
    file_name_of,
    media_id_of,
    text_of,
    type_of,
)
from libs.contracts.events import MessageQueued, MessageReceived
from services.status.moments import as_stored

PHONE_JID = "@s.whatsapp.net"


def content_of(fact: MessageQueued) -> dict[str, Any]:
    """Of a message that this number sends through us."""
    content = fact.content
    return {
        "message_id": fact.message_id,
        "type": type_of(content),
        "to": address_of(fact.to),
        "from_": None,
        "chat": address_of(fact.to),
        "chat_jid": fact.to,
        "text": text_of(content),
        "caption": caption_of(content),
        "file_name": file_name_of(content),
        "media_id": media_id_of(content),
        "mimetype": getattr(content, "mimetype", None),
        "details": _details_of(content),
        **_context_of(fact),
        "created_at": as_stored(fact.accepted_at),
    }


def _details_of(content: Content) -> dict[str, Any] | None:
    if not isinstance(content, Location | Contact | Poll | Reaction):
        return None
    said = ((field.encode_name, getattr(content, field.name)) for field in fields(content))
    return {name: value for name, value in said if value is not None}


def _context_of(fact: MessageQueued) -> dict[str, Any]:
    if fact.context is None:
        return {}
    quote = fact.context.quote
    return {
        "reply_to": None if quote is None else quote.wa_id,
        "mentions": [address_of(jid) for jid in fact.context.mentions],
    }


def incoming_of(fact: MessageReceived) -> dict[str, Any]:
    """Of a message that came in, or that the phone itself sent."""
    return {
        "direction": "out" if fact.from_me else "in",
        "wa_id": fact.wa_id,
        "message_id": incoming_message_id(fact.session_id, fact.id, fact.at),
        "type": fact.content_class,
        "to": fact.chat if fact.from_me else None,
        "from_": fact.sender,
        "chat": fact.chat,
        "chat_jid": fact.chat_jid,
        "text": fact.text,
        "caption": fact.caption,
        "file_name": fact.file_name,
        "mimetype": fact.mimetype,
        "media_bytes": fact.media_bytes,
        "media_ref": fact.media_ref,
        "details": fact.details,
        "reply_to": fact.reply_to,
        "mentions": [address_of(jid) for jid in fact.mentions],
        "number": fact.number,
        "created_at": as_stored(fact.at),
    }


def incoming_message_id(session_id: str, fact_id: str, at: datetime) -> str:
    """The message id of a message that we did not send: a UUIDv7 like the others, the same whenever it is made."""
    digest = hashlib.sha256(f"{session_id}/{fact_id}".encode()).digest()
    value = int(at.timestamp() * 1000) << 80 | int.from_bytes(digest[:10])
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def address_of(jid: str) -> str:
    """The phone number in a JID that holds one, else the JID."""
    return jid.removesuffix(PHONE_JID)


def jid_of(address: str) -> str:
    """The JID of an address as `address_of` shows it."""
    return address if "@" in address else address + PHONE_JID
