"""Commands: what one service asks another to do. Each has exactly one handler."""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.content import Action, Content, Context


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", rename="camel", omit_defaults=True):
    """Base of all commands; `kind` tells which it is."""

    customer_id: str
    session_id: str


class SendMessage(Command, frozen=True, kw_only=True, tag="SendMessage"):
    """Send this message. Carried out once for each `message_id`, however often it is published."""

    message_id: str
    engine: str
    to: str
    """JID: `<digits>@s.whatsapp.net`, `<id>@g.us` or `<digits>@lid`."""
    content: Content
    context: Context | None = None
    accepted_at: datetime
    priority: int = 0
    """Lower leaves first; 0 is normal."""
    not_before: datetime | None = None
    expires_at: datetime | None = None


class CancelMessage(Command, frozen=True, kw_only=True, tag="CancelMessage"):
    """Cancel this message if it was never handed to WhatsApp; otherwise nothing happens."""

    message_id: str


class RetryMessage(Command, frozen=True, kw_only=True, tag="RetryMessage"):
    """Queue this failed or cancelled message again; otherwise nothing happens."""

    message_id: str


class ActOnMessage(Command, frozen=True, kw_only=True, tag="ActOnMessage"):
    """Edit, delete for everybody, or mark as read. Carried out once for each `action_id`, in the order of the lane."""

    action_id: str
    """UUIDv7; the `_id` of its row in the outbox."""
    message_id: str
    """The message that it concerns (the first one, for `Read`)."""
    engine: str
    to: str
    """JID of the chat."""
    action: Action
    accepted_at: datetime
    expires_at: datetime | None = None
    """From then on recipients' clients no longer carry it out."""
    number: str | None = None
    """The number (digits) that sent, or received, that message: only it can do this. None: not noted."""


class ReleaseQueue(Command, frozen=True, kw_only=True, tag="ReleaseQueue"):
    """Send what waits for `former_number` from this number (digits), if it is still the one that is linked."""

    number: str


class DiscardQueue(Command, frozen=True, kw_only=True, tag="DiscardQueue"):
    """Cancel what waits for `former_number`, if this number (digits) is still the one that is linked."""

    number: str


class GrantCredits(Command, frozen=True, kw_only=True, tag="GrantCredits"):
    """Change a customer's balance: top-up, gift or correction. Booked once for each `grant_id`.

    `session_id` is the customer id: the command goes to the shard of that.
    """

    grant_id: str
    reason: str
    """`topup`, `gift` or `correction`."""
    amount: int
    """Credits; negative takes away."""
    note: str | None = None
    by: str
    """Id of the platform user."""
    at: datetime


class ReconcileSession(Command, frozen=True, kw_only=True, tag="ReconcileSession"):
    """The session's desired state has changed: compare it with what is, now. A lost one costs 5 s."""


SendCommand = SendMessage | CancelMessage | RetryMessage | ActOnMessage | ReleaseQueue | DiscardQueue | GrantCredits
SessionCommand = ReconcileSession
