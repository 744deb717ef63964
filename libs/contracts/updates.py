"""Frames: what customers see on the live stream. Written by status to UPDATES, read by every edge."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

from libs.contracts.times import Time

Data = TypeVar("Data")


WAITING_FOR = (
    "What it waits for: `session`, `restriction`, `retry`, `receipt`, `pacing`, `schedule`, `new_contacts`, "
    "`subscription`; or `former_number`: another number was linked since it was accepted, and it waits until the "
    "session's queue is released or discarded."
)


class MessageError(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a message failed: a code of `SendError` and one sentence."""

    code: str
    message: str


class MediaView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message's medium, read by `GET /media/{media_id}`; one that came in is downloaded when it is first read."""

    media_id: str | None
    mimetype: str | None
    bytes: int | None


class ReactionView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One person's reaction; `from` is the phone number when known, and null for this number's own."""

    from_: str | None = msgspec.field(name="from")
    emoji: str
    at: Time


class VoteView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one person has chosen in a poll."""

    from_: str = msgspec.field(name="from")
    options: list[str]
    at: Time


class MessageView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The message object of the API, without its history."""

    message_id: str
    wa_id: str
    session_id: str
    direction: str
    """`out` or `in`."""
    type: str
    status: str
    to: str | None
    from_: str | None = msgspec.field(name="from")
    chat: str | None
    text: str | None
    caption: str | None
    file_name: str | None
    media: MediaView | None
    waiting_for: Annotated[str | None, Meta(description=WAITING_FOR)]
    resume_at: Time | None
    error: MessageError | None
    attempts: int
    created_at: Time
    sent_at: Time | None
    delivered_at: Time | None
    read_at: Time | None
    reply_to: str | None = None
    mentions: list[str] = []
    details: dict[str, Any] | None = None
    """A place, a card, a poll or a reaction, with the fields with which it is sent."""
    edited_at: Time | None = None
    revoked_at: Time | None = None
    reactions: list[ReactionView] = []
    votes: list[VoteView] = []


class SessionView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The `data` of `session.*` frames. `qr` is the PNG as a data URL; the edge fills it in from `qr_raw`."""

    status: str
    reason: str | None = None
    phone: str | None = None
    qr: str | None = None
    qr_raw: str | None = None
    expires_at: Time | None = None
    pair_code: str | None = None
    resume_at: Time | None = None
    passkey: str | None = None
    """What a person's passkey must answer (JSON), or the code to compare."""
    cause: str | None = None
    """Why WhatsApp could not be reached, where `reason` is `connect_failed`: `dns`, `refused`, `proxy_auth` ..."""
    stage: str | None = None
    """How far it is on the way to WhatsApp: `reaching`, `code`, `passkey`, `keys` (scanned), `connected`."""


class CreditsView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The `data` of `credits.*` frames: the customer's credits right after what is told."""

    balance: int
    """What may still be spent."""
    held: int
    """What is reserved for messages that have not ended yet; no part of `balance`."""
    threshold: int
    """`credits.low` is told when the balance falls below this."""
    change: int | None = None
    """Of `credits.changed`: what was added, or with a minus taken away."""
    reason: str | None = None
    """Of `credits.changed`: `topup`, `gift` or `correction`."""
    grant_id: str | None = None


class SubscriptionNotice(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The `data` of `subscription.*` frames: the subscription as it is then."""

    subscription_id: str
    package_name: str
    status: str
    """`ACTIVE INACTIVE PENDING EXPIRED`."""
    max_sessions: int
    start_date: Time
    end_date: Time | None


class Frame(msgspec.Struct, Generic[Data], frozen=True, kw_only=True, rename="camel"):
    """One frame as it lies in UPDATES; the edge adds `cursor` when it sends it.

    `Data` is MessageView, SessionView, CreditsView, SubscriptionNotice or, of `webhook.*`, an object, by `type`;
    readers that only pass it on decode `Frame[msgspec.Raw]`. The header `Fact-Seq` of the NATS message is the sequence
    in EVENTS of the fact it tells. The last frame of an atomic batch also has `Fact-Part`, its number among the frames
    of that fact, from 0, and `Epoch`, the writing owner's.
    """

    id: str
    type: str
    session_id: str | None
    """Null in frames about the customer, which stand in UPDATES under the customer's id."""
    occurred_at: Time
    data: Data
    v: int = 1


SESSION_UPDATES = (
    "created",
    "updated",
    "starting",
    "qr",
    "pair_code",
    "passkey",
    "connecting",
    "connected",
    "degraded",
    "reconnecting",
    "restricted",
    "logged_out",
    "stopped",
    "banned",
    "failed",
    "deleted",
)
MESSAGE_UPDATES = (
    "queued",
    "sending",
    "sent",
    "delivered",
    "read",
    "played",
    "failed",
    "cancelled",
    "expired",
    "received",
    "edited",
    "revoked",
    "reaction",
    "poll_vote",
    "edit_failed",
    "revoke_failed",
)
NOTICES = (
    "credits.changed",
    "credits.low",
    "credits.exhausted",
    "subscription.changed",
    "subscription.expiring",
    "subscription.expired",
    "webhook.disabled",
)
