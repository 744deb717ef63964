"""What a session hears of a message on the scripted network: the event of the port for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.sessions.engines import base as engine
from services.sessions.engines.scripted_people import Posted, Vote, is_group, lid_of

MEDIA = (
    engine.ImageContent
    | engine.VideoContent
    | engine.AudioContent
    | engine.VoiceContent
    | engine.StickerContent
    | engine.DocumentContent
)


def event_of(
    posted: Posted, *, session: str, reader: str, push_name: str, shown_as: Callable[[str], str]
) -> engine.Event:
    """The event that tells `reader`'s session of a message; `shown_as` gives the JID by which a number is known."""
    who: dict[str, Any] = {"session": session, "connection": 0, "at_ms": posted.at_ms}
    who |= _addresses(posted, reader, shown_as)
    content = posted.content
    match content:
        case engine.EditContent():
            return engine.Edited(**who, id=posted.id, target=content.target, text=content.text)
        case engine.RevokeContent():
            by_admin = content.sender is not None
            return engine.Revoked(**who, id=posted.id, target=content.target, by_admin=by_admin)
        case engine.ReactionContent():
            return engine.Reacted(**who, id=posted.id, target=content.target, emoji=content.emoji)
        case Vote():
            return engine.Voted(**who, id=posted.id, target=content.target, options=content.options)
        case _:
            return _message(posted, content, who, push_name)


def _addresses(posted: Posted, reader: str, shown_as: Callable[[str], str]) -> dict[str, Any]:
    from_me = posted.author == reader
    other = posted.to.partition("@")[0] if from_me else posted.author
    in_group = is_group(posted.to)
    return {
        "chat": posted.to if in_group else shown_as(other),
        "chat_lid": None if in_group else lid_of(other),
        "sender": shown_as(posted.author),
        "sender_lid": lid_of(posted.author),
        "from_me": from_me,
    }


def _message(posted: Posted, content: engine.Content, who: dict[str, Any], push_name: str) -> engine.Message:
    return engine.Message(
        **who,
        id=posted.id,
        push_name=push_name,
        content_class=str(content.__struct_config__.tag),
        text=content.text if isinstance(content, engine.TextContent) else None,
        caption=getattr(content, "caption", None),
        media=_media(posted, content) if isinstance(content, MEDIA) else None,
        reply_to=posted.quote.target if posted.quote else None,
        mentions=posted.mentions,
        place=content if isinstance(content, engine.LocationContent) else None,
        card=content if isinstance(content, engine.ContactContent) else None,
        poll=content if isinstance(content, engine.PollContent) else None,
    )


def _media(posted: Posted, content: MEDIA) -> engine.IncomingMedia | None:
    file = posted.file
    if file is None:
        return None
    return engine.IncomingMedia(
        mimetype=content.mimetype,
        bytes=len(file.content),
        sha256=file.sha256,
        ref=file.sha256.encode(),
        file_name=file.name,
    )
