"""What a person writes on a phone of the scripted network: the body of the simulator's `POST .../messages`."""

from __future__ import annotations

from typing import Any

import msgspec

from services.sessions.engines import base as engine
from services.sessions.engines.scripted_connections import Refused
from services.sessions.engines.scripted_network import ScriptedNetwork
from services.sessions.engines.scripted_people import Phone, Vote, is_group, jid_of

MIMETYPES = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg; codecs=opus",
    "document": "application/octet-stream",
    "sticker": "image/webp",
}


class Writing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a person writes; which fields count depends on `type`. `media` is the file as base64."""

    to: str
    type: str = "text"
    text: str = ""
    media: bytes = b""
    caption: str | None = None
    file_name: str | None = None
    mimetype: str = ""
    latitude: float = 0.0
    longitude: float = 0.0
    name: str = ""
    address: str | None = None
    vcard: str = ""
    question: str = ""
    options: list[str] = []
    selectable: int = 0
    target: str = ""
    emoji: str = ""
    reply_to: str = ""
    mentions: list[str] = []


def write(network: ScriptedNetwork, author: Phone, writing: Writing) -> str:
    """The person writes; returns the message's id. Raises Refused."""
    to = writing.to if is_group(writing.to) else writing.to.removeprefix("+")
    more: dict[str, Any] = {"mentions": [jid_of(each.removeprefix("+")) for each in writing.mentions]}
    if writing.reply_to:
        more["quote"] = engine.Quote(target=writing.reply_to, sender=None, text=None)
    if writing.type in MIMETYPES:
        if not writing.media:
            raise Refused(400, "media is the file as base64")
        more["file"] = network.mail.attach(writing.media, writing.file_name)
    return network.mail.write(author, to, _content(writing), **more)


def _content(writing: Writing) -> engine.Content | Vote:
    if writing.type in MIMETYPES:
        return _media(writing)
    match writing.type:
        case "text":
            if not writing.text:
                raise Refused(400, "a text message needs a text")
            return engine.TextContent(text=writing.text)
        case "location":
            return engine.LocationContent(
                latitude=writing.latitude,
                longitude=writing.longitude,
                name=writing.name or None,
                address=writing.address,
            )
        case "contact":
            return engine.ContactContent(name=writing.name, vcard=writing.vcard)
        case "poll":
            return engine.PollContent(question=writing.question, options=writing.options, selectable=writing.selectable)
        case _:
            return _about(writing)


def _about(writing: Writing) -> engine.Content | Vote:
    if not writing.target:
        raise Refused(400, f"the scripted network has no {writing.type!r} without a target")
    match writing.type:
        case "vote":
            return Vote(target=writing.target, options=writing.options)
        case "reaction":
            return engine.ReactionContent(target=writing.target, sender=None, emoji=writing.emoji)
        case "edit":
            return engine.EditContent(target=writing.target, text=writing.text)
        case "revoke":
            return engine.RevokeContent(target=writing.target, sender=None)
        case _:
            raise Refused(400, f"the scripted network has no messages of type {writing.type!r}")


def _media(writing: Writing) -> engine.Content:
    file: dict[str, str] = {"media_id": "", "mimetype": writing.mimetype or MIMETYPES[writing.type]}
    match writing.type:
        case "image":
            return engine.ImageContent(**file, caption=writing.caption)
        case "video":
            return engine.VideoContent(**file, caption=writing.caption)
        case "audio":
            return engine.AudioContent(**file)
        case "voice":
            return engine.VoiceContent(media_id="", mimetype=file["mimetype"])
        case "sticker":
            return engine.StickerContent(**file)
        case _:
            return engine.DocumentContent(**file, file_name=writing.file_name or "", caption=writing.caption)
