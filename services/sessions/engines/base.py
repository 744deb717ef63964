"""The engine port: what a session's owner asks of the program that holds its socket, and what it hears back.

One contract for every engine. The Go worker speaks it as length-prefixed MessagePack over a Unix socket (`wire.py`,
mirrored by `protocol.go` and `protocol_told.go` in `services/sessions/engine`); the scripted engine implements it in
Python. Samples of every type lie in `tests/contracts/samples/engine` and are read by the tests of both sides.

On the wire every frame is 4 bytes of big-endian length and one MessagePack map:

    to the worker     {"kind": "request", "id": 7, "op": {"type": "open", ...}}
                      {"kind": "ack", "id": 12, "ok": true}
                      {"kind": "hold", "until": {"07-e12": 5123000000000}}
    from the worker   {"kind": "reply", "id": 7, "result": {"type": "sent", ...}}
                      {"kind": "event", "id": 12, "event": {"type": "message", ...}}

Times travel as integers: milliseconds since the Unix epoch, UTC; those of `hold` are nanoseconds of the machine's
monotonic clock (CLOCK_MONOTONIC), which both processes read.
"""

from __future__ import annotations

import builtins
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec


class Wire(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    """Base of everything that crosses the port; `type` tells which it is."""


# --- Requests -------------------------------------------------------------------------------------------------------


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
    """Python's number for this connection; carried by each event of it, so that late events are told apart."""
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


# --- Replies --------------------------------------------------------------------------------------------------------


class Done(Wire, frozen=True, kw_only=True, tag="done"):
    """It was done."""


class Failed(Wire, frozen=True, kw_only=True, tag="failed"):
    """It was not done.

    `code`: `not_open`, `not_connected`, `fenced` (a higher fence was seen), `store`, `refused`, `limited` (asked too
    often), `bad_request`, for a download `gone` and `too_large`; when WhatsApp was asked and did not answer, so that it
    may have been done, `timeout` and `interrupted` (the connection was lost).
    `status`: WhatsApp's own code where it refused (403, 404, 429 ...); 0 where there is none.
    """

    code: str
    message: str
    status: int = 0


class PairCodeReply(Wire, frozen=True, kw_only=True, tag="pair_code"):
    """The code to type on the phone, as `XXXX-XXXX`; good for 160 s."""

    code: str


class Sent(Wire, frozen=True, kw_only=True, tag="sent"):
    """WhatsApp's server acknowledged the message at `at_ms`. Only a receipt proves delivery.

    `to` is the JID to which it went, when WhatsApp knows the recipient under another number than was asked for.
    """

    at_ms: int
    to: str | None = None


class Refused(Wire, frozen=True, kw_only=True, tag="refused"):
    """WhatsApp's server answered with an error `code` (a number such as 463); the message certainly did not leave."""

    code: int


class Unknown(Wire, frozen=True, kw_only=True, tag="unknown"):
    """The outcome is not known (time-out, socket lost while waiting): send again with the same ids."""

    reason: str


class NotSent(Wire, frozen=True, kw_only=True, tag="not_sent"):
    """The message certainly did not leave.

    `reason`: `not_open`, `not_connected`, `not_on_whatsapp`, `store`, `fenced`, `media` (missing or unreadable),
    `media_too_large`, `group_unknown` (or this number is not in it), `recipient` (no kind of address), `content`;
    `limited` and `lookup` (WhatsApp limits questions about recipients; it refused one or did not answer, by `code` if
    it gave one), `unasked` (see `Send.known_only`), `uploading` and `upload` (the medium is on its way to WhatsApp; its
    upload failed), `busy` (the message before is still in flight).
    """

    reason: str
    message: str = ""
    code: int = 0


class Checked(Wire, frozen=True, kw_only=True, tag="checked"):
    """Per asked number: the JID of the account's own number, or null when it is not on WhatsApp."""

    jids: dict[str, str | None]


class GroupMember(msgspec.Struct, frozen=True, kw_only=True):
    """`jid` is the phone number's form when known; `role` is `member`, `admin` or `owner`."""

    jid: str
    lid: str | None
    role: str


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """With what somebody who may not be added (403) can join by themselves."""

    code: str
    expires_ms: int | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group that the number is in."""

    jid: str
    subject: str
    members: list[GroupMember]
    created_ms: int | None
    codes: dict[str, int | None] = {}
    """Of a group that was just made, per asked JID: as in `participants`."""
    invites: dict[str, Invite] = {}


class Groups(Wire, frozen=True, kw_only=True, tag="groups"):
    """The groups asked for."""

    groups: list[Group]


class Participants(Wire, frozen=True, kw_only=True, tag="participants"):
    """Per asked JID: null when it was done, else WhatsApp's code (403: only by invitation, 409: in it already).

    Of whom WhatsApp said nothing, nothing is told.
    """

    codes: dict[str, int | None]
    invites: dict[str, Invite] = {}


class Downloaded(Wire, frozen=True, kw_only=True, tag="downloaded"):
    """The file lies in GridFS; `sha256` in hex."""

    bytes: int
    sha256: str


class Pong(Wire, frozen=True, kw_only=True, tag="pong"):
    """The worker is alive and holds this many open sessions."""

    open_sessions: int


Reply = (
    Done
    | Failed
    | PairCodeReply
    | Sent
    | Refused
    | Unknown
    | NotSent
    | Checked
    | Groups
    | Participants
    | Downloaded
    | Pong
)
SendOutcome = Sent | Refused | Unknown | NotSent


# --- Events ---------------------------------------------------------------------------------------------------------


class Qr(Wire, frozen=True, kw_only=True, tag="qr"):
    """Emitted once per link attempt: the codes in order; the first is good for 60 s, each further one for 20 s."""

    session: str
    connection: int
    codes: list[str]


class QrEnded(Wire, frozen=True, kw_only=True, tag="qr_ended"):
    """Emitted when the server ended an unscanned link attempt. Nothing of the session runs any more."""

    session: str
    connection: int
    reason: str


class PasskeyRequired(Wire, frozen=True, kw_only=True, tag="passkey_required"):
    """Emitted when WhatsApp wants a passkey before it links; `challenge` is WebAuthn's request options as JSON."""

    session: str
    connection: int
    challenge: str


class PasskeyConfirmation(Wire, frozen=True, kw_only=True, tag="passkey_confirmation"):
    """Emitted when the passkey was taken: the person compares `code` on both screens, unless `skip`."""

    session: str
    connection: int
    code: str
    skip: bool


class PasskeyFailed(Wire, frozen=True, kw_only=True, tag="passkey_failed"):
    """Emitted when WhatsApp did not take the passkey's answer; `message` is its word."""

    session: str
    connection: int
    message: str


class Paired(Wire, frozen=True, kw_only=True, tag="paired"):
    """Emitted when a phone linked us and the device is stored; `connected` follows."""

    session: str
    connection: int
    jid: str
    lid: str
    name: str


class Connected(Wire, frozen=True, kw_only=True, tag="connected"):
    """Emitted when the login succeeded."""

    session: str
    connection: int
    jid: str
    lid: str


class Disconnected(Wire, frozen=True, kw_only=True, tag="disconnected"):
    """Emitted when the socket is gone (or never came up). The worker does not reconnect: send `open` again.

    `reason`: `dropped`, `connect_failed`, `pair_timeout`, `keepalive`, `server_error:<code>`, `store`, `fenced`.
    `cause` says why it never came up: `dns`, `refused`, `unreachable`, `timeout`, `tls`, `answer` (of something else),
    `cut`, `other`; at the proxy, or on the way to it, the same after `proxy_`, and `proxy_auth`.
    """

    session: str
    connection: int
    reason: str
    cause: str = ""


class LoggedOut(Wire, frozen=True, kw_only=True, tag="logged_out"):
    """Emitted when WhatsApp ended the link (401, 403, 406). The keys are marked, not deleted."""

    session: str
    connection: int
    code: int


class Replaced(Wire, frozen=True, kw_only=True, tag="replaced"):
    """Emitted when the same device connected elsewhere. The socket is closed."""

    session: str
    connection: int


class Banned(Wire, frozen=True, kw_only=True, tag="banned"):
    """Emitted when the login was refused for a temporary ban; `until_ms` null when no end was told."""

    session: str
    connection: int
    code: int
    until_ms: int | None


class Restricted(Wire, frozen=True, kw_only=True, tag="restricted"):
    """Emitted when WhatsApp restricts what this number may send; `active` false when that ended."""

    session: str
    connection: int
    kind: str
    active: bool
    until_ms: int | None


class Outdated(Wire, frozen=True, kw_only=True, tag="outdated"):
    """Emitted when WhatsApp refuses this client version (405)."""

    session: str
    connection: int


class KeepaliveLost(Wire, frozen=True, kw_only=True, tag="keepalive_lost"):
    """Emitted at each unanswered ping; `count` in a row. At 2 the worker closes the socket (`disconnected`)."""

    session: str
    connection: int
    count: int


class KeepaliveRestored(Wire, frozen=True, kw_only=True, tag="keepalive_restored"):
    """Emitted when a ping was answered again."""

    session: str
    connection: int


class Receipt(Wire, frozen=True, kw_only=True, tag="receipt"):
    """Emitted for receipts of messages that we sent. **Must be acknowledged**: WhatsApp gets its ack after ours.

    `kind`: `delivered`, `read`, `played`. Repeats are normal.
    """

    session: str
    connection: int
    message_ids: list[str]
    kind: str
    chat: str
    sender: str
    at_ms: int


class IncomingMedia(msgspec.Struct, frozen=True, kw_only=True):
    """Where an incoming medium lies at WhatsApp; `ref` is opaque and all that a download needs."""

    mimetype: str
    bytes: int
    sha256: str
    ref: builtins.bytes  # plain `bytes` is the field above, here
    file_name: str | None = None


class Message(Wire, frozen=True, kw_only=True, tag="message"):
    """Emitted for each message that came in. **Must be acknowledged**: WhatsApp gets its ack after ours.

    The same message comes again after a crash: recognise it by (session, chat, id, content class).
    `chat` and `sender` are the phone number's JID whenever it is known; `*_lid` the LID form when known.
    """

    session: str
    connection: int
    id: str
    chat: str
    sender: str
    chat_lid: str | None
    sender_lid: str | None
    from_me: bool
    push_name: str
    content_class: str
    """`text image video audio voice sticker document location contact poll other`."""
    text: str | None
    caption: str | None
    media: IncomingMedia | None
    reply_to: str | None
    at_ms: int
    mentions: list[str] = []
    """JIDs, the phone number's form when known."""
    place: LocationContent | None = None
    card: ContactContent | None = None
    """The first one, of several."""
    poll: PollContent | None = None


class About(Wire, frozen=True, kw_only=True):
    """Base of what happens to a message that exists. `id` is the carrier's own id, `target` the message's.

    Each **must be acknowledged**; `chat`, `sender` (who did it) and the LIDs as in `message`.
    """

    session: str
    connection: int
    id: str
    target: str
    chat: str
    sender: str
    chat_lid: str | None
    sender_lid: str | None
    from_me: bool
    at_ms: int


class Edited(About, frozen=True, kw_only=True, tag="edited"):
    """Emitted when a message got new words (a text or a caption)."""

    text: str


class Revoked(About, frozen=True, kw_only=True, tag="revoked"):
    """Emitted when a message was deleted for everybody.

    `by_admin`: it says of itself that an administrator of the group deletes another's message. WhatsApp's servers see
    that too; who the administrators are is not looked up here.
    """

    by_admin: bool = False


class Reacted(About, frozen=True, kw_only=True, tag="reacted"):
    """Emitted when somebody reacted; an empty `emoji` takes it back."""

    emoji: str


class Voted(About, frozen=True, kw_only=True, tag="voted"):
    """Emitted when somebody voted in a poll whose options are known; `options` is all that this person chose."""

    options: list[str]


class Undecryptable(Wire, frozen=True, kw_only=True, tag="undecryptable"):
    """Emitted when a message could not be decrypted; the library has asked for it again. **Must be acknowledged**."""

    session: str
    connection: int
    id: str
    chat: str
    sender: str
    at_ms: int


Event = (
    Qr
    | QrEnded
    | PasskeyRequired
    | PasskeyConfirmation
    | PasskeyFailed
    | Paired
    | Connected
    | Disconnected
    | LoggedOut
    | Replaced
    | Banned
    | Restricted
    | Outdated
    | KeepaliveLost
    | KeepaliveRestored
    | Receipt
    | Message
    | Edited
    | Revoked
    | Reacted
    | Voted
    | Undecryptable
)

Handler = Callable[[Event], Awaitable[bool]]
"""Handles one event of the engine. For events that must be acknowledged, true lets WhatsApp forget it; false, or an
exception, makes the engine reset that connection, so that WhatsApp tells it again."""


class Engine(Protocol):
    """What every engine offers. One instance serves all sessions of a replica."""

    async def start(self, handler: Handler, on_down: Callable[[], Awaitable[None]]) -> None:
        """Start the engine; events go to `handler`, those of one session one after another.

        `on_down` is called each time the worker has died and before it is started again: every socket is gone, and
        `worker_start` is already the next one.
        """
        ...

    async def stop(self) -> None:
        """Close every socket (links are kept) and end. May run twice."""
        ...

    async def call(self, request: Request, *, timeout_s: float) -> Reply:
        """Carry out one request.

        Raises EngineDown when the engine ended, or was not up, while the request ran; TimeoutError after `timeout_s`.
        """
        ...

    def hold(self, leases: Mapping[str, float]) -> None:
        """Every lease that is held now, and until when it is known to hold (seconds of time.monotonic).

        A session's keys are written only while its lease is known to hold; a lease that is not named is over for good.
        """
        ...

    @property
    def worker_start(self) -> int:
        """How often the worker has been started by this process, from 1; the low part of the fence."""
        ...

    @property
    def up(self) -> bool:
        """Whether the worker runs and answers."""
        ...


class EngineDown(Exception):
    """The engine worker is not running, or died before it answered."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the engine worker is not running ({reason})")
