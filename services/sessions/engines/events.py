"""What the engine says of its own accord (`base.py`)."""

from __future__ import annotations

import builtins

import msgspec

from services.sessions.engines.requests import ContactContent, LocationContent, PollContent
from services.sessions.engines.tagged import Wire


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
    `cut`, `other`; at the proxy, or on the way to it, the same after `proxy_`, and `proxy_auth`;
    `proxy_not_allowed`: the guard of addresses refused it, and nothing was connected to.
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
