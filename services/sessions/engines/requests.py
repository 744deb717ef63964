"""What a session's owner asks of the engine (`base.py`): one type for each request, and the contents of a send."""

from __future__ import annotations

import builtins

import msgspec

from services.sessions.engines.tagged import Wire


class Open(Wire, frozen=True, kw_only=True, tag="open"):
    """Open the session's socket: log in when its device is linked, else begin a link (events `qr`).

    May run twice: an open session with the same fence and `connection` answers `done`; a higher `connection` closes
    the old socket first. Answers `done` as soon as connecting has begun, or `failed`.
    """

    session: str
    link: int
    """Raised for each new link: a new link never sees the keys of the old identity."""
    fence: int
    """Shard epoch * 2**20 + number of the worker start. Every key write is refused below the highest fence seen."""
    connection: int
    """The number of this connection, chosen here. Each of its events carries it, so late events are recognised."""
    device_name: str = "Merpati"
    proxy: str | None = None
    """`http://`, `https://` or `socks5://` URL, with user and password if need be. Never logged."""
    lease: str | None = None
    """The lease (`Engine.hold`) under which keys are written: none is while it is not confirmed, nor after its end.
    None: this engine alone ever opens the session."""


class Close(Wire, frozen=True, kw_only=True, tag="close"):
    """Close the socket; the link is kept. Answers `done` when nothing of the session runs any more."""

    session: str


class Logout(Wire, frozen=True, kw_only=True, tag="logout"):
    """Unlink this device at WhatsApp (needs an open, logged-in session). Answers `done` or `failed`."""

    session: str


class Forget(Wire, frozen=True, kw_only=True, tag="forget"):
    """Delete every key of (session, link). The session must be closed. May run twice. Answers `done`."""

    session: str
    link: int
    fence: int
    lease: str | None = None
    """As in `open`."""


class PairPhone(Wire, frozen=True, kw_only=True, tag="pair_phone"):
    """Ask for a pairing code for this phone number (digits); only after the first `qr`. Answers `pair_code`."""

    session: str
    phone: str


class TextContent(Wire, frozen=True, kw_only=True, tag="text"):
    """A text message. `text`: UTF-8, 1 to 65,536 characters."""

    text: str


class ImageContent(Wire, frozen=True, kw_only=True, tag="image"):
    """An image. `media_id` is the `_id` (string) of a file in the GridFS bucket `media`."""

    media_id: str
    mimetype: str
    caption: str | None = None


class DocumentContent(Wire, frozen=True, kw_only=True, tag="document"):
    """A document of any kind. `media_id` as for an image."""

    media_id: str
    mimetype: str
    file_name: str
    caption: str | None = None


class VideoContent(Wire, frozen=True, kw_only=True, tag="video"):
    """A video. `media_id` as for an image."""

    media_id: str
    mimetype: str
    caption: str | None = None


class AudioContent(Wire, frozen=True, kw_only=True, tag="audio"):
    """An audio file. `media_id` as for an image."""

    media_id: str
    mimetype: str


class VoiceContent(Wire, frozen=True, kw_only=True, tag="voice"):
    """A voice note. `media_id` as for an image; the worker makes out length and `waveform` where they are not given."""

    media_id: str
    mimetype: str
    seconds: int | None = None
    waveform: bytes | None = None


class StickerContent(Wire, frozen=True, kw_only=True, tag="sticker"):
    """A sticker. `media_id` as for an image."""

    media_id: str
    mimetype: str


class LocationContent(Wire, frozen=True, kw_only=True, tag="location"):
    """A place, in degrees."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class ContactContent(Wire, frozen=True, kw_only=True, tag="contact"):
    """A contact card."""

    name: str
    vcard: str


class PollContent(Wire, frozen=True, kw_only=True, tag="poll"):
    """A poll; `selectable` 0 is any number. Its secret is kept with the keys, so that votes can be read."""

    question: str
    options: list[str]
    selectable: int


class ReactionContent(Wire, frozen=True, kw_only=True, tag="reaction"):
    """A reaction to `target` (WhatsApp id) by `sender` (JID; null: ourselves); an empty `emoji` takes it back."""

    target: str
    sender: str | None
    emoji: str


class EditContent(Wire, frozen=True, kw_only=True, tag="edit"):
    """New words for the text or caption of our message `target`."""

    target: str
    text: str


class RevokeContent(Wire, frozen=True, kw_only=True, tag="revoke"):
    """Delete `target` for everybody; `sender` as for a reaction."""

    target: str
    sender: str | None


Content = (
    TextContent
    | ImageContent
    | DocumentContent
    | VideoContent
    | AudioContent
    | VoiceContent
    | StickerContent
    | LocationContent
    | ContactContent
    | PollContent
    | ReactionContent
    | EditContent
    | RevokeContent
)


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The message that is answered; `sender` null: ourselves."""

    target: str
    sender: str | None
    text: str | None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The card under a text with a link."""

    url: str
    title: str
    description: str | None


class Send(Wire, frozen=True, kw_only=True, tag="send"):
    """Hand one message to WhatsApp and wait for the server's ack.

    Sending again with the same `message_id` is safe: the recipient's phone shows one message. A second request for an
    id that is in flight joins it. Answers `sent`, `refused`, `unknown` or `not_sent`.
    """

    session: str
    message_id: str
    """WhatsApp's id, chosen by us: `3EB0` and hex."""
    to: str
    """JID: `<digits>@s.whatsapp.net`, `<digits>@lid` or `<id>@g.us`; one's own number is possible."""
    content: Content
    deadline_ms: int
    """The last moment at which an answer is of use."""
    quote: Quote | None = None
    mentions: list[str] = []
    """JIDs."""
    mention_all: bool = False
    """Mention everybody who is in the group, ourselves excepted."""
    preview: Preview | None = None
    known_only: bool = False
    """WhatsApp is not to be asked about a number that is new to this link: it is answered `not_sent`, `unasked`."""


class MarkRead(Wire, frozen=True, kw_only=True, tag="mark_read"):
    """Tell the chat that these messages were read. Answers `done` or `failed`."""

    session: str
    chat: str
    sender: str
    message_ids: list[str]


class Check(Wire, frozen=True, kw_only=True, tag="check"):
    """Ask which of these numbers (digits) are on WhatsApp. Answers `checked` or `failed`."""

    session: str
    phones: list[str]


class Presence(Wire, frozen=True, kw_only=True, tag="presence"):
    """Show a chat that we are `composing`, `recording` or have `paused`. Answers `done` or `failed`."""

    session: str
    chat: str
    state: str


class ListGroups(Wire, frozen=True, kw_only=True, tag="list_groups"):
    """The groups that the number is in. Answers `groups` or `failed`."""

    session: str


class CreateGroup(Wire, frozen=True, kw_only=True, tag="create_group"):
    """Make a group of these people (JIDs). Answers `groups` with one group, or `failed`."""

    session: str
    subject: str
    participants: list[str]


class ChangeParticipants(Wire, frozen=True, kw_only=True, tag="change_participants"):
    """`action`: `add`, `remove`, `promote` or `demote`. Answers `participants` or `failed`."""

    session: str
    group: str
    action: str
    participants: list[str]


class Download(Wire, frozen=True, kw_only=True, tag="download"):
    """Download an incoming medium and write it to GridFS bucket `media` as `media_id`, with this metadata.

    May run twice: a file that is there whole is left alone. Answers `downloaded` or `failed` (`gone`: WhatsApp no
    longer has it; `too_large`: it has more than `most_bytes`).
    """

    session: str
    ref: builtins.bytes
    media_id: str
    file_name: str | None
    metadata: dict[str, str]
    """`sha256` and `fileName` are added to it; a `keepUntil` (ISO 8601) is stored as a date."""
    most_bytes: int


class PasskeyResponse(Wire, frozen=True, kw_only=True, tag="passkey_response"):
    """What the person's passkey answered: a WebAuthn assertion as JSON. Answers `done` or `failed`."""

    session: str
    response: str


class PasskeyConfirm(Wire, frozen=True, kw_only=True, tag="passkey_confirm"):
    """The person has compared the code. Answers `done` or `failed`."""

    session: str


class Ping(Wire, frozen=True, kw_only=True, tag="ping"):
    """Ask whether the worker is alive. Answers `pong`."""


Request = (
    Open
    | Close
    | Logout
    | Forget
    | PairPhone
    | PasskeyResponse
    | PasskeyConfirm
    | Send
    | MarkRead
    | Presence
    | Check
    | ListGroups
    | CreateGroup
    | ChangeParticipants
    | Download
    | Ping
)
