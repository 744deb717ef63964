"""What leaves, in the engine's terms: contents, actions, and what a message refers to."""

from __future__ import annotations

from typing import assert_never

from libs.contracts import content as contents
from services.sessions.engines import base as engine

Outgoing = contents.Content | contents.Edit | contents.Revoke


def content_of(content: Outgoing) -> engine.Content:
    """The content, or the action that travels as one, in the engine's terms."""
    match content:
        case contents.Text():
            return engine.TextContent(text=content.text)
        case (
            contents.Image()
            | contents.Document()
            | contents.Video()
            | contents.Audio()
            | contents.Voice()
            | contents.Sticker()
        ):
            return _media(content)
        case contents.Location():
            return engine.LocationContent(
                latitude=content.latitude, longitude=content.longitude, name=content.name, address=content.address
            )
        case contents.Contact():
            return engine.ContactContent(name=content.name, vcard=content.vcard)
        case contents.Poll():
            return engine.PollContent(question=content.question, options=content.options, selectable=content.selectable)
        case contents.Reaction():
            return engine.ReactionContent(target=content.wa_id, sender=content.sender, emoji=content.emoji)
        case contents.Edit():
            return engine.EditContent(target=content.wa_id, text=content.text)
        case contents.Revoke():
            return engine.RevokeContent(target=content.wa_id, sender=content.sender)
        case _:
            assert_never(content)


def _media(content: contents.Media) -> engine.Content:
    media_id, mimetype = content.media_id, content.mimetype
    match content:
        case contents.Image():
            return engine.ImageContent(media_id=media_id, mimetype=mimetype, caption=content.caption)
        case contents.Video():
            return engine.VideoContent(media_id=media_id, mimetype=mimetype, caption=content.caption)
        case contents.Document():
            return engine.DocumentContent(
                media_id=media_id, mimetype=mimetype, file_name=content.file_name, caption=content.caption
            )
        case contents.Audio():
            return engine.AudioContent(media_id=media_id, mimetype=mimetype)
        case contents.Voice():
            return engine.VoiceContent(
                media_id=media_id, mimetype=mimetype, seconds=content.seconds, waveform=content.waveform
            )
        case contents.Sticker():
            return engine.StickerContent(media_id=media_id, mimetype=mimetype)
        case _:
            assert_never(content)


def quote_of(quote: contents.Quote, number: str | None) -> engine.Quote:
    """The message that is answered, in the engine's terms; `number` (digits) is linked."""
    return engine.Quote(target=quote.wa_id, sender=_author_of(quote, number), text=quote.text)


def _author_of(quote: contents.Quote, number: str | None) -> str | None:
    """JID of the author; None: ourselves. A number of ours that is linked no more is an author like any other."""
    if quote.sender is not None or quote.number in (None, number):
        return quote.sender
    return f"{quote.number}@s.whatsapp.net"


def preview_of(preview: contents.LinkPreview) -> engine.Preview:
    """The card under a link, in the engine's terms."""
    return engine.Preview(url=preview.url, title=preview.title, description=preview.description)
