"""What came in from WhatsApp, as facts with ids that are the same each time they come: receipts, messages, changes."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, assert_never

from libs.contracts.events import (
    AnyFact,
    MessageEdited,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    MessageUndecryptable,
    PollVoted,
    ReceiptReceived,
)
from services.sessions.engines import base as engine
from services.sessions.lifecycle import phone_of
from services.sessions.moments import moment_of

Change = engine.Edited | engine.Revoked | engine.Reacted | engine.Voted
Inbound = engine.Receipt | engine.Message | Change | engine.Undecryptable


def event_id(session_id: str, *parts: str) -> str:
    """The same for each repeat of the same thing: a hash of the session and of what makes it that thing."""
    return hashlib.sha256("\n".join((session_id, *parts)).encode()).hexdigest()[:32]


def fact_of(event: Inbound, *, customer_id: str, now: datetime, number: str | None = None) -> AnyFact:
    """The fact that tells this event, which came to the number (digits) that is linked."""
    at = moment_of(event.at_ms, now)
    match event:
        case engine.Receipt():
            return ReceiptReceived(
                id=event_id(event.session, event.kind, event.chat, event.sender, *sorted(event.message_ids)),
                customer_id=customer_id,
                session_id=event.session,
                at=at,
                wa_ids=event.message_ids,
                receipt=event.kind,
                chat=event.chat,
                sender=event.sender,
                number=number,
            )
        case engine.Message():
            return _received(event, customer_id, at, number)
        case engine.Edited() | engine.Revoked() | engine.Reacted() | engine.Voted():
            return _change(event, customer_id, at, number)
        case engine.Undecryptable():
            return MessageUndecryptable(
                id=event_id(event.session, event.chat, event.id, "undecryptable"),
                customer_id=customer_id,
                session_id=event.session,
                at=at,
                wa_id=event.id,
                chat=address_of(event.chat),
                sender=address_of(event.sender),
            )
        case _:
            assert_never(event)


def _place_of(event: engine.Message | Change) -> tuple[str, str]:
    """Chat and sender as they go into an id.

    The LID where there is one: the number's form may be learned between two comings of the same message.
    """
    return event.chat_lid or event.chat, event.sender_lid or event.sender


def _received(event: engine.Message, customer_id: str, at: datetime, number: str | None) -> MessageReceived:
    return MessageReceived(
        id=event_id(event.session, *_place_of(event), event.id, event.content_class),
        customer_id=customer_id,
        session_id=event.session,
        at=at,
        wa_id=event.id,
        chat=address_of(event.chat),
        sender=address_of(event.sender),
        chat_jid=event.chat,
        sender_jid=event.sender,
        chat_lid=event.chat_lid,
        sender_lid=event.sender_lid,
        from_me=event.from_me,
        push_name=event.push_name,
        content_class=event.content_class,
        text=_words(event),
        caption=event.caption,
        file_name=event.media.file_name if event.media else None,
        mimetype=event.media.mimetype if event.media else None,
        media_bytes=event.media.bytes if event.media else None,
        media_ref=event.media.ref if event.media else None,
        reply_to=event.reply_to,
        mentions=event.mentions,
        details=_details(event),
        number=number,
    )


def _words(event: engine.Message) -> str | None:
    """The words, where a message consists of words; as for messages that leave (`text_of` of the contracts)."""
    if event.text is not None:
        return event.text
    if event.poll is not None:
        return event.poll.question
    named = event.place or event.card
    return named.name if named is not None else None


def _details(event: engine.Message) -> dict[str, Any] | None:
    """A place, a card or a poll by the names of the API; as it came, for others may send what we would not."""
    if (place := event.place) is not None:
        said = {"latitude": place.latitude, "longitude": place.longitude, "name": place.name, "address": place.address}
        return {name: value for name, value in said.items() if value is not None}
    if (card := event.card) is not None:
        return {"name": card.name, "vcard": card.vcard}
    if (poll := event.poll) is not None:
        return {"question": poll.question, "options": poll.options, "selectable": poll.selectable}
    return None


def _change(event: Change, customer_id: str, at: datetime, number: str | None) -> AnyFact:
    kind = str(event.__struct_config__.tag)
    about: dict[str, Any] = {
        "id": event_id(event.session, *_place_of(event), event.id, kind),
        "customer_id": customer_id,
        "session_id": event.session,
        "at": at,
        "wa_id": event.target,
        "chat": address_of(event.chat),
        "sender": address_of(event.sender),
        "from_me": event.from_me,
        "number": number,
    }
    match event:
        case engine.Edited():
            return MessageEdited(**about, text=event.text)
        case engine.Revoked():
            return MessageRevoked(**about, by_admin=event.by_admin)
        case engine.Reacted():
            return MessageReacted(**about, emoji=event.emoji)
        case engine.Voted():
            return PollVoted(**about, options=event.options)
        case _:
            assert_never(event)


def address_of(jid: str) -> str:
    """What customers see: the digits of a phone's JID; any other JID (a group, a LID) as it is."""
    return phone_of(jid) if jid.endswith("@s.whatsapp.net") else jid
