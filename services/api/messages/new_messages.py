"""The bodies of messages to be sent: one Struct for each type, with every limit that can be told from a field alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

MOST_MENTIONS = 100
MOST_PHONES = 10

To = Annotated[str, Meta(min_length=1, max_length=64, description="A phone number, a JID, a LID or a group.")]
SendAt = Annotated[datetime, Meta(tz=True, description="When it leaves, with its offset; at most a year ahead.")]
Ttl = Annotated[
    int, Meta(ge=1, le=7 * 24 * 3600, description="Seconds after which it is not sent any more, from `sendAt` on.")
]
Priority = Annotated[int, Meta(ge=-10, le=10, description="Of those that may leave, the lowest leaves first.")]
MediaId = Annotated[str, Meta(min_length=1, max_length=64, description="From `POST /media`, or of another message.")]
Url = Annotated[str, Meta(min_length=1, max_length=2_048, description="Where the gateway fetches it: http or https.")]
Data = Annotated[str, Meta(min_length=1, description="A data URL or base64, up to 20 MB decoded.")]
Mimetype = Annotated[str, Meta(max_length=127, description="For a document whose bytes do not tell its type.")]
FileName = Annotated[str, Meta(max_length=255)]
Caption = Annotated[str, Meta(max_length=4_096)]
MessageId = Annotated[str, Meta(min_length=1, max_length=64)]
Mentions = Annotated[
    list[To],
    Meta(
        max_length=MOST_MENTIONS,
        description="Phone numbers or JIDs, for each of which the words hold "
        "`@<digits>`; or `all`, in a group: everybody who is in it when the message leaves, whatever the words hold.",
    ),
]


class NewMessage(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", forbid_unknown_fields=True
):
    """Base of all messages to be sent."""

    send_at: SendAt | None = None
    ttl: Ttl | None = None
    priority: Priority = 0


class AddressedMessage(NewMessage, frozen=True, kw_only=True):
    """Base of the messages that go to a chat, and may answer another message there."""

    to: To
    reply_to: MessageId | None = None


class GivenPreview(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The card under a text: `url` is a link in the text, its first one when left out."""

    url: Annotated[str, Meta(min_length=1, max_length=2_048)] | None = None
    title: Annotated[str, Meta(min_length=1, max_length=256)]
    description: Annotated[str, Meta(max_length=1_024)] | None = None


class NewText(AddressedMessage, frozen=True, kw_only=True, tag="text"):
    """A text message. `linkPreview` true has the gateway look at the first link; without success there is no card."""

    text: Annotated[str, Meta(min_length=1, max_length=65_536)]
    mentions: Mentions = []
    link_preview: bool | GivenPreview = False


class NewFromTemplate(AddressedMessage, frozen=True, kw_only=True, tag="template"):
    """A text from a template; each of its variables needs a value."""

    template_id: Annotated[str, Meta(min_length=1, max_length=64)]
    variables: Annotated[dict[str, Annotated[str, Meta(max_length=4_096)]], Meta(max_length=200)] = {}


class NewMedium(AddressedMessage, frozen=True, kw_only=True):
    """Base of the messages with a medium: one of `mediaId`, `url` and `data`."""

    media_id: MediaId | None = None
    url: Url | None = None
    data: Data | None = None
    file_name: FileName | None = None
    mimetype: Mimetype | None = None


class NewCaptioned(NewMedium, frozen=True, kw_only=True):
    """Base of the media with words below them."""

    caption: Caption | None = None
    mentions: Mentions = []


class NewImage(NewCaptioned, frozen=True, kw_only=True, tag="image"):
    """An image: JPEG, PNG, WebP or GIF."""


class NewVideo(NewCaptioned, frozen=True, kw_only=True, tag="video"):
    """A video."""


class NewDocument(NewCaptioned, frozen=True, kw_only=True, tag="document"):
    """A file of any kind."""


class NewAudio(NewMedium, frozen=True, kw_only=True, tag="audio"):
    """An audio file."""


class NewVoice(NewMedium, frozen=True, kw_only=True, tag="voice"):
    """A voice note: Ogg with Opus; other sound is converted to it before the message is accepted, unless `convert` is
    false."""

    convert: bool = True


class NewSticker(NewMedium, frozen=True, kw_only=True, tag="sticker"):
    """A sticker: WebP, 512 pixels square."""


class NewLocation(AddressedMessage, frozen=True, kw_only=True, tag="location"):
    """A place, in degrees."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    name: Annotated[str, Meta(max_length=256)] | None = None
    address: Annotated[str, Meta(max_length=1_024)] | None = None


class NewContact(AddressedMessage, frozen=True, kw_only=True, tag="contact"):
    """A contact card: a `vcard`, or `name` and `phones` to make one of."""

    vcard: Annotated[str, Meta(min_length=1, max_length=65_536)] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    phones: Annotated[list[To], Meta(max_length=MOST_PHONES)] = []


class NewPoll(AddressedMessage, frozen=True, kw_only=True, tag="poll"):
    """A poll. `selectable`: how many options one person may choose; 0 is any number."""

    question: Annotated[str, Meta(min_length=1, max_length=255)]
    options: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(min_length=2, max_length=12)]
    selectable: Annotated[int, Meta(ge=0, le=12)] = 1


class NewReaction(NewMessage, frozen=True, kw_only=True, tag="reaction"):
    """A reaction to a message; an empty `emoji` takes the former one back. `to` is known from the message."""

    message_id: MessageId
    emoji: Annotated[str, Meta(max_length=16)]
    to: To | None = None


AnyAddressed = (
    NewText
    | NewFromTemplate
    | NewImage
    | NewVideo
    | NewDocument
    | NewAudio
    | NewVoice
    | NewSticker
    | NewLocation
    | NewContact
    | NewPoll
)
AnyNewMessage = AnyAddressed | NewReaction
