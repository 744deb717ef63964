"""Makes a draft of a message body: whom it goes to, what it says with its medium stored, when, what it refers to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import assert_never

from libs.contracts.content import (
    EVERYBODY,
    Contact,
    Content,
    Context,
    LinkPreview,
    Location,
    Poll,
    Quote,
    Reaction,
)
from libs.contracts.records import SessionRecord
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.errors import invalid
from services.api.media.keeping import known_medium
from services.api.media.kinds import Kind
from services.api.media.sources import fetched_medium, inline_medium
from services.api.media.store_media import Owner, StoredMedium
from services.api.messages import replies, templates, vcards
from services.api.messages.composing import media_content, text_content
from services.api.messages.emoji import is_emoji
from services.api.messages.jids import is_group
from services.api.messages.new_messages import (
    AnyAddressed,
    AnyNewMessage,
    NewAudio,
    NewCaptioned,
    NewContact,
    NewDocument,
    NewFromTemplate,
    NewImage,
    NewLocation,
    NewMedium,
    NewPoll,
    NewReaction,
    NewSticker,
    NewText,
    NewVideo,
    NewVoice,
)
from services.api.messages.phones import Recipient, certain_recipient_of, other_in_use, recipient_of
from services.api.messages.previews import fetched_preview, link_in
from services.api.messages.recipients import recipient
from services.api.messages.sending import Draft
from services.api.times import now

FURTHEST = timedelta(days=366)
FETCHED_PREVIEW = "fetched"


async def draft_of(edge: Edge, caller: Caller, session: SessionRecord, body: AnyNewMessage) -> Draft:
    """The message, found valid. A plain text asks nobody anything.

    Raises Refusal: VALIDATION_FAILED, INVALID_PHONE, INVALID_MEDIA, MEDIA_NOT_FOUND, MESSAGE_NOT_FOUND, OTHER_CHAT ...
    """
    not_before = departure(body.send_at, now())
    if isinstance(body, NewReaction):
        return await _reaction(edge, session, body, not_before)
    to = await recipient(edge, session, body.to, path="to")
    context = await _context_of(edge, session, body, to)
    content, fresh = await _content_of(edge, caller, session, body)
    return Draft(
        session=session,
        to=to.jid,
        content=content,
        fresh=fresh,
        fresh_as=(body.url or body.media_id) if isinstance(body, NewMedium) else None,
        context=context,
        preview_as=FETCHED_PREVIEW if isinstance(body, NewText) and body.link_preview is True else None,
        ttl_s=body.ttl,
        not_before=not_before,
        priority=body.priority,
    )


def departure(send_at: datetime | None, at: datetime) -> datetime | None:
    """When the message leaves at the earliest; None: now. Raises Refusal when that is more than a year ahead."""
    if send_at is None or send_at <= at:
        return None
    if send_at > at + FURTHEST:
        raise invalid("sendAt", "a message is scheduled at most a year ahead")
    return send_at


# --- What it says ----------------------------------------------------------------------------------------------------


async def _content_of(
    edge: Edge, caller: Caller, session: SessionRecord, body: AnyAddressed
) -> tuple[Content, StoredMedium | None]:
    """The content, and its medium when the body brought it along."""
    match body:
        case NewText():
            return text_content(body.text, path="text"), None
        case NewFromTemplate():
            text = await templates.text_of(edge, session.customer_id, body.template_id, body.variables)
            return text_content(text, path="variables"), None
        case NewLocation():
            return _location(body), None
        case NewContact():
            return await _contact(edge, session, body), None
        case NewPoll():
            return _poll(body), None
        case NewImage() | NewVideo() | NewDocument() | NewAudio() | NewVoice() | NewSticker():
            return await _with_medium(edge, caller, session, body)
        case _:
            assert_never(body)


def _location(body: NewLocation) -> Location:
    return Location(
        latitude=body.latitude, longitude=body.longitude, name=body.name or None, address=body.address or None
    )


async def _contact(edge: Edge, session: SessionRecord, body: NewContact) -> Contact:
    if body.vcard is not None:
        if body.phones:
            raise invalid("phones", "a contact is given as a vcard, or as a name and phones")
        return _given_contact(edge, body.vcard, body.name)
    if body.name is None or not body.name.strip():
        raise invalid("name", "a contact needs a vcard, or a name and phones")
    if not body.phones:
        raise invalid("phones", "a contact needs at least one phone number")
    people = await _people(edge, session, body.phones, path="phones")
    unsure = _unsure(body.phones, edge.settings.default_country)
    card = vcards.vcard_of(body.name, [person.display for person in people], unsure=unsure)
    return Contact(name=body.name, vcard=card)


def _unsure(phones: Sequence[str], country: str) -> dict[str, str]:
    """The digits as they stand by the number that they are taken for, of phones that may be another number in use."""
    pairs = ((recipient_of(phone, country), other_in_use(phone, country)) for phone in phones)
    return {
        found.display: other.display for found, other in pairs if isinstance(found, Recipient) and other is not None
    }


def _given_contact(edge: Edge, vcard: str, name: str | None) -> Contact:
    properties = vcards.properties_of(vcard)
    if isinstance(properties, vcards.InvalidCard):
        raise invalid("vcard", properties.reason)
    name = (name or "").strip() or vcards.name_in(properties)
    if name is None:
        raise invalid("name", "the vCard names nobody (FN, N, NICKNAME or ORG)")

    def waid_of(phone: str) -> str | None:
        person = certain_recipient_of(phone, edge.settings.default_country)
        return person.display if isinstance(person, Recipient) and person.display.isdecimal() else None

    card = vcards.written(properties, name, waid_of)
    if len(card) > vcards.MOST_CHARACTERS:
        raise invalid("vcard", f"it has more than {vcards.MOST_CHARACTERS:,} characters")
    return Contact(name=name, vcard=card)


def _poll(body: NewPoll) -> Poll:
    options = [option.strip() for option in body.options]
    for number, option in enumerate(options):
        if not option:
            raise invalid(f"options[{number}]", "an option is empty")
        if option in options[:number]:
            raise invalid(f"options[{number}]", "this option stands there twice")
    if not body.question.strip():
        raise invalid("question", "the question is empty")
    if body.selectable > len(options):
        raise invalid("selectable", f"there are only {len(options)} options")
    return Poll(question=body.question, options=options, selectable=body.selectable)


_KINDS: dict[type[NewMedium], Kind] = {
    NewImage: "image",
    NewVideo: "video",
    NewDocument: "document",
    NewAudio: "audio",
    NewVoice: "voice",
    NewSticker: "sticker",
}


async def _with_medium(
    edge: Edge, caller: Caller, session: SessionRecord, body: NewMedium
) -> tuple[Content, StoredMedium | None]:
    if [body.media_id, body.url, body.data].count(None) != 2:
        raise invalid("mediaId", "a message with a medium has one of mediaId, url and data")
    kind, name = _KINDS[type(body)], body.file_name
    owner = Owner(customer_id=session.customer_id, session_ids=(session.id,))
    convert = body.convert if isinstance(body, NewVoice) else False
    fresh: StoredMedium | None = None
    if body.media_id is not None:
        medium = await known_medium(edge, caller, body.media_id, kind, convert=convert)
    elif body.url is not None:
        medium = fresh = await fetched_medium(
            edge, owner, kind, body.url, file_name=name, mimetype=body.mimetype, convert=convert
        )
    else:
        medium = fresh = await inline_medium(
            edge, owner, kind, body.data or "", file_name=name, mimetype=body.mimetype, convert=convert
        )
    caption = body.caption if isinstance(body, NewCaptioned) else None
    return media_content(kind, medium, caption=caption, file_name=name), fresh


async def _reaction(edge: Edge, session: SessionRecord, body: NewReaction, not_before: datetime | None) -> Draft:
    if body.emoji and not is_emoji(body.emoji):
        raise invalid("emoji", "a reaction is one emoji, or empty to take the former one back")
    row = await replies.cited(edge, session, body.message_id, path="messageId")
    if body.to is not None:
        to = await recipient(edge, session, body.to, path="to")
        await replies.check_chat(edge, row, to, path="messageId")
    content = Reaction(wa_id=row.wa_id, sender=await replies.author_to_react_to(edge, row), emoji=body.emoji)
    return Draft(
        session=session,
        to=replies.chat_of(row),
        content=content,
        ttl_s=body.ttl,
        not_before=not_before,
        priority=body.priority,
    )


# --- What it refers to -----------------------------------------------------------------------------------------------


async def _context_of(edge: Edge, session: SessionRecord, body: AnyAddressed, to: Recipient) -> Context | None:
    """Quote, mentions and preview; None when the message has none of them, as most."""
    quote: Quote | None = None
    if body.reply_to is not None:
        row = await replies.cited(edge, session, body.reply_to, path="replyTo")
        await replies.check_chat(edge, row, to, path="replyTo")
        quote = await replies.quote_of(edge, row)
    mentions: list[str] = []
    if isinstance(body, NewText | NewCaptioned) and body.mentions:
        mentions = await _mentioned(edge, session, body.mentions, to)
    preview = await _preview_of(edge, body) if isinstance(body, NewText) and body.link_preview else None
    if quote is None and not mentions and preview is None:
        return None
    return Context(quote=quote, mentions=mentions, preview=preview)


async def _mentioned(edge: Edge, session: SessionRecord, written: Sequence[str], to: Recipient) -> list[str]:
    """JIDs, or EVERYBODY alone. Raises Refusal INVALID_PHONE, VALIDATION_FAILED."""
    if EVERYBODY not in written:
        return [person.jid for person in await _people(edge, session, written, path="mentions")]
    if not is_group(to.jid):
        raise invalid(f"mentions[{list(written).index(EVERYBODY)}]", "all are mentioned only in a group")
    return [EVERYBODY]


async def _people(edge: Edge, session: SessionRecord, written: Sequence[str], *, path: str) -> list[Recipient]:
    """The people that a list names, each once. Raises Refusal INVALID_PHONE, VALIDATION_FAILED."""
    people: dict[str, Recipient] = {}
    for number, each in enumerate(written):
        person = await recipient(edge, session, each, path=f"{path}[{number}]")
        if is_group(person.jid) or (path == "phones" and "@" in person.display):
            raise invalid(f"{path}[{number}]", "this is no person's phone number")
        people[person.jid] = person
    return list(people.values())


async def _preview_of(edge: Edge, body: NewText) -> LinkPreview | None:
    wish, link = body.link_preview, link_in(body.text)
    if isinstance(wish, bool):
        if link is None:
            return None
        return await fetched_preview(edge.fetcher, link, within_s=edge.settings.preview_s)
    url = wish.url or link
    if url is None or url not in body.text:
        raise invalid("linkPreview.url", "the text does not hold this link")
    return LinkPreview(url=url, title=wish.title, description=wish.description or None)
