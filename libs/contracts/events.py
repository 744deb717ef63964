"""Facts: what has happened. Published by its owner, kept for 7 days in EVENTS, in order for each session."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from libs.contracts.content import Content, Context


class SessionStatus(StrEnum):
    """The observed state of a session; the transitions are in `services/sessions/lifecycle.py`."""

    CREATED = "created"
    STARTING = "starting"
    QR_READY = "qr_ready"
    PASSKEY_REQUIRED = "passkey_required"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    RESTRICTED = "restricted"
    LOGGED_OUT = "logged_out"
    STOPPED = "stopped"
    BANNED = "banned"
    FAILED = "failed"


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", rename="camel", omit_defaults=True):
    """Base of all facts. `id` is the same for each repeat of the fact; `at` is when it happened."""

    id: str
    customer_id: str
    session_id: str
    at: datetime


class SessionChanged(Fact, frozen=True, kw_only=True, tag="SessionChanged"):
    """Emitted by sessions when what customers see of a session has changed.

    `update` is the last part of the frame's type: `created updated starting qr pair_code passkey connecting connected
    degraded reconnecting restricted logged_out stopped banned failed deleted`. Facts with a lower (epoch, connection)
    than one already seen for the session are ignored by readers.
    """

    update: str
    status: SessionStatus
    epoch: int
    connection: int
    reason: str | None = None
    phone: str | None = None
    qr: str | None = None
    """The string in the QR code."""
    expires_at: datetime | None = None
    pair_code: str | None = None
    resume_at: datetime | None = None
    passkey: str | None = None
    """What a person's passkey must answer (JSON), or the code to compare, in `passkey` updates."""
    cause: str | None = None
    """Why WhatsApp could not be reached, where `reason` is `connect_failed`."""


class MessageQueued(Fact, frozen=True, kw_only=True, tag="MessageQueued"):
    """Emitted by sender when a message has its row in the outbox, and again when a failed one is queued again."""

    message_id: str
    wa_id: str
    to: str
    content: Content
    context: Context | None = None
    accepted_at: datetime
    attempts: int = 0


class MessageProgressed(Fact, frozen=True, kw_only=True, tag="MessageProgressed"):
    """Emitted by sender when a message's status has risen: `sending sent failed cancelled expired`."""

    message_id: str
    wa_id: str
    status: str
    attempts: int
    code: str | None = None
    """Error code, when it failed."""
    detail: str | None = None
    """One sentence for the customer, when it failed."""
    to: str | None = None
    """JID to which it was sent, when WhatsApp knows the recipient under another number than was asked for."""
    number: str | None = None
    """The number (digits) that sent it, when it was sent."""


class MessageHeld(Fact, frozen=True, kw_only=True, tag="MessageHeld"):
    """Emitted by sender when a message starts to wait for something, or for something else than before."""

    message_id: str
    wa_id: str
    waiting_for: str | None = None
    """`session`, `restriction`, `retry`, `receipt`, `pacing`, `schedule`, `new_contacts`, `subscription`, `lookup`
    (WhatsApp has to say how the recipient is reached), `upload` (it has to take the medium), `former_number` (the
    customer has to decide); null: it waits no more."""
    resume_at: datetime | None = None


class ReceiptReceived(Fact, frozen=True, kw_only=True, tag="ReceiptReceived"):
    """Emitted by sessions for receipts of messages that we sent: `receipt` is `delivered`, `read` or `played`."""

    wa_ids: list[str]
    receipt: str
    chat: str
    sender: str
    number: str | None = None
    """The number (digits) that received it, which sent those messages."""


class MessageReceived(Fact, frozen=True, kw_only=True, tag="MessageReceived"):
    """Emitted by sessions for each message that came in (or that the phone itself sent: `from_me`).

    The fact's `id` is a hash of (session, chat, WhatsApp id, content class): the same message coming again has it too.
    """

    wa_id: str
    chat: str
    """Digits of the phone number when known, else the JID."""
    sender: str
    chat_jid: str
    sender_jid: str
    chat_lid: str | None = None
    sender_lid: str | None = None
    from_me: bool = False
    push_name: str = ""
    content_class: str
    text: str | None = None
    caption: str | None = None
    file_name: str | None = None
    mimetype: str | None = None
    media_bytes: int | None = None
    media_ref: bytes | None = None
    reply_to: str | None = None
    mentions: list[str] = []
    details: dict[str, Any] | None = None
    """A place, a card or a poll, by the names of `libs/contracts/content.py`."""
    number: str | None = None
    """The number (digits) that was linked: it received the message, or with `from_me` sent it."""


class MessageUndecryptable(Fact, frozen=True, kw_only=True, tag="MessageUndecryptable"):
    """Emitted by sessions when a message could not be read; WhatsApp was asked to send it again."""

    wa_id: str
    chat: str
    sender: str


class AboutMessage(Fact, frozen=True, kw_only=True):
    """Base of what happens to a message that exists: `wa_id` is that message's id, `sender` who did it.

    Emitted by sessions for what comes in (`id` is a hash, as for `MessageReceived`), and by sender when an action or
    a reaction of our own was acknowledged.
    """

    wa_id: str
    chat: str
    sender: str
    from_me: bool = False
    number: str | None = None
    """The number (digits) that was linked: it heard of this, or with `from_me` did it."""


class MessageEdited(AboutMessage, frozen=True, kw_only=True, tag="MessageEdited"):
    """Emitted when a message got new words."""

    text: str


class MessageRevoked(AboutMessage, frozen=True, kw_only=True, tag="MessageRevoked"):
    """Emitted when a message was deleted for everybody.

    `by_admin`: it came as an administrator's deletion of what another wrote in a group. Others than the author and
    those delete nothing.
    """

    by_admin: bool = False


class MessageReacted(AboutMessage, frozen=True, kw_only=True, tag="MessageReacted"):
    """Emitted when somebody reacted, or took the reaction back (an empty `emoji`)."""

    emoji: str


class PollVoted(AboutMessage, frozen=True, kw_only=True, tag="PollVoted"):
    """Emitted when somebody voted; `options` is everything this person has chosen now."""

    options: list[str]


class ActionFailed(Fact, frozen=True, kw_only=True, tag="ActionFailed"):
    """Emitted by sender when an edit or a deletion failed for good; `action` is `edit` or `revoke`."""

    message_id: str
    wa_id: str
    """Of the message that it concerns."""
    action: str
    code: str
    detail: str | None = None


class ChatRead(Fact, frozen=True, kw_only=True, tag="ChatRead"):
    """Emitted by api when a customer has read a chat: where reading happens, nothing comes back to tell of it."""

    chat_jid: str
    incoming: int
    """How many messages had come in by then (`ChatRow.incoming`): what came later stays unread."""


class CustomerNotified(Fact, frozen=True, kw_only=True, tag="CustomerNotified"):
    """Emitted when something about a customer, not a session, is to be told; `session_id` is the customer id.

    sender tells `credits.low`, `credits.exhausted` and `credits.changed`; status tells `webhook.disabled`; api tells
    `subscription.changed`, `subscription.expiring` and `subscription.expired`.
    """

    update: str
    """The frame's whole type, two tokens."""
    data: dict[str, Any]
    """The frame's `data`, camelCase."""


AnyFact = (
    SessionChanged
    | MessageQueued
    | MessageProgressed
    | MessageHeld
    | ReceiptReceived
    | MessageReceived
    | MessageUndecryptable
    | MessageEdited
    | MessageRevoked
    | MessageReacted
    | PollVoted
    | ActionFailed
    | ChatRead
    | CustomerNotified
)


def kind_of_subject(fact: AnyFact) -> str:
    """The token of the fact's subject: `session`, `message`, `receipt`, `received`, `chat` or `notice`."""
    match fact:
        case SessionChanged():
            return "session"
        case MessageQueued() | MessageProgressed() | MessageHeld() | ActionFailed():
            return "message"
        case ReceiptReceived():
            return "receipt"
        case MessageReceived() | MessageUndecryptable() | AboutMessage():
            return "received"
        case ChatRead():
            return "chat"
        case CustomerNotified():
            return "notice"
