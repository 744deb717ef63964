"""What a message says: the tagged union that commands, rows, frames and HTTP bodies share."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

MediaId = Annotated[str, Meta(min_length=1, max_length=64)]
Caption = Annotated[str, Meta(max_length=4096)]


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text", tag_field="type", rename="camel"):
    """A text message, 1 to 65,536 characters."""

    text: Annotated[str, Meta(min_length=1, max_length=65_536)]


class Image(
    msgspec.Struct, frozen=True, kw_only=True, tag="image", tag_field="type", rename="camel", omit_defaults=True
):
    """An image. `media_id` names a file of the GridFS bucket `media`."""

    media_id: MediaId
    mimetype: str
    caption: Caption | None = None
    file_name: str | None = None


class Document(
    msgspec.Struct, frozen=True, kw_only=True, tag="document", tag_field="type", rename="camel", omit_defaults=True
):
    """A document of any kind."""

    media_id: MediaId
    mimetype: str
    file_name: str
    caption: Caption | None = None


class Video(
    msgspec.Struct, frozen=True, kw_only=True, tag="video", tag_field="type", rename="camel", omit_defaults=True
):
    """A video."""

    media_id: MediaId
    mimetype: str
    caption: Caption | None = None
    file_name: str | None = None


class Audio(
    msgspec.Struct, frozen=True, kw_only=True, tag="audio", tag_field="type", rename="camel", omit_defaults=True
):
    """An audio file."""

    media_id: MediaId
    mimetype: str
    file_name: str | None = None


class Voice(
    msgspec.Struct, frozen=True, kw_only=True, tag="voice", tag_field="type", rename="camel", omit_defaults=True
):
    """A voice note: Ogg with Opus, as phones record it. What was not measured, the engine makes out by itself.

    `waveform` is what phones draw: 64 bars from 0 to 100.
    """

    media_id: MediaId
    mimetype: str
    seconds: Annotated[int, Meta(ge=0)] | None = None
    waveform: Annotated[bytes, Meta(max_length=64)] | None = None


class Sticker(
    msgspec.Struct, frozen=True, kw_only=True, tag="sticker", tag_field="type", rename="camel", omit_defaults=True
):
    """A sticker: WebP, 512 pixels square as phones expect it."""

    media_id: MediaId
    mimetype: str


class Location(
    msgspec.Struct, frozen=True, kw_only=True, tag="location", tag_field="type", rename="camel", omit_defaults=True
):
    """A place. Degrees, WGS 84."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    name: Annotated[str, Meta(max_length=256)] | None = None
    address: Annotated[str, Meta(max_length=1024)] | None = None


class Contact(
    msgspec.Struct, frozen=True, kw_only=True, tag="contact", tag_field="type", rename="camel", omit_defaults=True
):
    """A contact card; `vcard` is a vCard 3.0 of at most 64 KB."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    vcard: Annotated[str, Meta(min_length=1, max_length=65_536)]


class Poll(msgspec.Struct, frozen=True, kw_only=True, tag="poll", tag_field="type", rename="camel", omit_defaults=True):
    """A poll. `selectable`: how many options one person may choose; 0 is any number."""

    question: Annotated[str, Meta(min_length=1, max_length=255)]
    options: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(min_length=2, max_length=12)]
    selectable: Annotated[int, Meta(ge=0, le=12)] = 1


class Reaction(
    msgspec.Struct, frozen=True, kw_only=True, tag="reaction", tag_field="type", rename="camel", omit_defaults=True
):
    """A reaction to the message `wa_id` of the chat it goes to; an empty `emoji` takes the former one back."""

    wa_id: str
    sender: str | None = None
    """JID of who wrote that message; None: this number."""
    emoji: Annotated[str, Meta(max_length=16)]


class Edit(msgspec.Struct, frozen=True, kw_only=True, tag="edit", tag_field="type", rename="camel", omit_defaults=True):
    """New words for a text, or for a caption, that this number sent."""

    wa_id: str
    text: Annotated[str, Meta(min_length=1, max_length=65_536)]


class Revoke(
    msgspec.Struct, frozen=True, kw_only=True, tag="revoke", tag_field="type", rename="camel", omit_defaults=True
):
    """Delete a message for everybody. `sender` as in `Reaction`: an admin may delete others' messages in a group."""

    wa_id: str
    sender: str | None = None


class Read(msgspec.Struct, frozen=True, kw_only=True, tag="read", tag_field="type", rename="camel", omit_defaults=True):
    """Tell the chat that these messages of `sender` (JID) were read."""

    wa_ids: Annotated[list[str], Meta(min_length=1, max_length=100)]
    sender: str


class LinkPreview(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The card under a text with a link."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    title: Annotated[str, Meta(max_length=256)]
    description: Annotated[str, Meta(max_length=1024)] | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The message that is answered; `text` is the excerpt that the recipient sees."""

    wa_id: str
    sender: str | None = None
    """JID of who wrote it; None: this number."""
    text: Annotated[str, Meta(max_length=1024)] | None = None
    number: str | None = None
    """The number (digits) of ours that wrote it: once another is linked, it is named as any other author."""


EVERYBODY = "all"
"""Stands among mentions for everybody in the group."""


class Context(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a message refers to besides what it says. `mentions` are JIDs, for each of which the text
    holds `@<digits>`; or `EVERYBODY` alone: all who are in the group when the message leaves."""

    quote: Quote | None = None
    mentions: list[str] = []
    preview: LinkPreview | None = None


Content = Text | Image | Document | Video | Audio | Voice | Sticker | Location | Contact | Poll | Reaction
Action = Edit | Revoke | Read
"""What is done to messages that exist already; goes through the same lane, in order, and is no message itself."""

Media = Image | Document | Video | Audio | Voice | Sticker


def type_of(content: Content | Action) -> str:
    """The content's tag, such as `text`."""
    return str(content.__struct_config__.tag)


def text_of(content: Content) -> str | None:
    """The words of a message, where it consists of words: a text, a poll's question, a reaction's emoji."""
    match content:
        case Text():
            return content.text
        case Poll():
            return content.question
        case Reaction():
            return content.emoji
        case Location() | Contact():
            return content.name
        case _:
            return None


def caption_of(content: Content) -> str | None:
    """The caption, where the type has one."""
    return content.caption if isinstance(content, Image | Document | Video) else None


def file_name_of(content: Content) -> str | None:
    """The file name, where the type has one."""
    return content.file_name if isinstance(content, Image | Document | Video | Audio) else None


def media_id_of(content: Content) -> str | None:
    """The media id, where the type has one."""
    return content.media_id if isinstance(content, Media) else None


def details_of(content: Content) -> dict[str, Any] | None:
    """What a message says beyond words and files, by its names in the API: a place, a card, a poll, a reaction."""
    if not isinstance(content, Location | Contact | Poll | Reaction):
        return None
    return {name: value for name, value in msgspec.to_builtins(content).items() if name != "type"}
