"""Calls: requests that are answered at once over NATS request/reply, and their answers.

`Deliver` is sender's (`call.deliver.<network>.<shard>`); the others are the edge's (`call.session.<network>.<shard>`,
`call.webhook.<shard>`).
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.content import Action, Content, Context


class Deliver(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Deliver", rename="camel", omit_defaults=True
):
    """Hand this message to WhatsApp now and say what came of it. Safe to repeat with the same ids."""

    session_id: str
    message_id: str
    wa_id: str
    to: str
    content: Content | Action
    context: Context | None = None
    epoch: int
    """The sender's epoch for the shard; one below the highest seen is refused with `STALE`."""
    deadline: datetime
    number: str | None = None
    """The number (digits) that it may leave from; another one refuses it with `OTHER_NUMBER`. None: any."""


class Delivered(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="Delivered", rename="camel", omit_defaults=True
):
    """WhatsApp's server took the message at `at`. `epoch` is the answering owner's."""

    at: datetime
    epoch: int
    to: str | None = None
    """JID to which it went, when WhatsApp knows the recipient under another number than was asked for."""
    number: str | None = None
    """The number (digits) that sent it."""


class NotDelivered(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="NotDelivered", rename="camel", omit_defaults=True
):
    """WhatsApp's server did not take the message, or nobody knows whether it did.

    `left` tells which: False, it certainly did not leave; None, unknown (send again with the same ids).
    """

    code: str
    """A code of `libs/contracts/errors.py`."""
    detail: str
    retryable: bool
    epoch: int
    left: bool | None = False
    retry_in_s: float | None = None


DeliverAnswer = Delivered | NotDelivered


# --- What the edge asks a session's owner ----------------------------------------------------------------------------


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", rename="camel", omit_defaults=True):
    """Base of what the edge asks of a session's owner."""

    session_id: str


class CheckNumbers(Ask, frozen=True, kw_only=True, tag="CheckNumbers"):
    """Which of these numbers (digits, at most 100) are on WhatsApp. Answered `NumbersChecked`."""

    phones: list[str]


class ListGroups(Ask, frozen=True, kw_only=True, tag="ListGroups"):
    """The groups that the number is in. Answered `GroupsFound`."""


class CreateGroup(Ask, frozen=True, kw_only=True, tag="CreateGroup"):
    """Make a group of these people (JIDs). Answered `GroupsFound` with one group."""

    subject: str
    participants: list[str]


class ChangeParticipants(Ask, frozen=True, kw_only=True, tag="ChangeParticipants"):
    """Change who is in a group; `action` is `add`, `remove`, `promote` or `demote`. Answered `ParticipantsChanged`."""

    group: str
    action: str
    participants: list[str]


class FetchMedia(Ask, frozen=True, kw_only=True, tag="FetchMedia"):
    """Download an incoming medium into GridFS as `media_id`. May run twice. Answered `MediaFetched`."""

    customer_id: str
    media_id: str
    mimetype: str
    ref: bytes
    most_bytes: int


class ShowPresence(Ask, frozen=True, kw_only=True, tag="ShowPresence"):
    """Show a chat (JID) that we are `composing`, `recording` or have `paused`. Answered `AskDone`."""

    chat: str
    presence: str


class RequestPairCode(Ask, frozen=True, kw_only=True, tag="RequestPairCode"):
    """A code to link with by this phone number (digits). Answered `PairCodeIssued`."""

    phone: str


class AnswerPasskey(Ask, frozen=True, kw_only=True, tag="AnswerPasskey"):
    """What the person's passkey answered to the challenge: a WebAuthn assertion as JSON. Answered `AskDone`."""

    response: str


class ConfirmPasskey(Ask, frozen=True, kw_only=True, tag="ConfirmPasskey"):
    """The person has compared the code on both screens. Answered `AskDone`."""


AnyAsk = (
    CheckNumbers
    | ListGroups
    | CreateGroup
    | ChangeParticipants
    | FetchMedia
    | ShowPresence
    | RequestPairCode
    | AnswerPasskey
    | ConfirmPasskey
)

Change = CreateGroup | ChangeParticipants
"""What is not asked a second time when it may have been done: everything else may be repeated."""


class AskAnswer(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", rename="camel", omit_defaults=True):
    """Base of the answers to them."""


class AskDone(AskAnswer, frozen=True, kw_only=True, tag="AskDone"):
    """It was done."""


class AskFailed(AskAnswer, frozen=True, kw_only=True, tag="AskFailed"):
    """It was not done. `code`: `NOT_CONNECTED`, `REFUSED`, `NOT_POSSIBLE` (not in this state), `TOO_LARGE`, `GONE` (no
    longer at WhatsApp), `LIMITED` (it may not be asked so often), `TEMPORARY`; or, where it may have been done all the
    same, `TIMEOUT` (WhatsApp did not answer) or `INTERRUPTED` (its answer was lost); or `UNREACHABLE` (WhatsApp, for
    `cause`: see `SessionState.cause`). `detail` is one sentence for the customer; `retry_in_s`, where it is known when
    to ask again."""

    code: str
    detail: str
    retry_in_s: float | None = None
    cause: str | None = None


class NumbersChecked(AskAnswer, frozen=True, kw_only=True, tag="NumbersChecked"):
    """By number: the JID of the account's own number, which may have other digits; null when it is not on WhatsApp."""

    jids: dict[str, str | None]


class GroupMember(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One who is in a group; `role` is `member`, `admin` or `owner`."""

    jid: str
    lid: str | None = None
    role: str = "member"


class GroupInvite(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """With what somebody who may not be added can join a group by themselves."""

    code: str
    expires_at: datetime | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A group. `size` is told where `members` are left out, because the answer would not fit with them."""

    jid: str
    subject: str
    members: list[GroupMember]
    created_at: datetime | None = None
    size: int | None = None
    codes: dict[str, int | None] | None = None
    """Of a group that was just made: as in `ParticipantsChanged`; None from an owner of the version before."""
    invites: dict[str, GroupInvite] = {}


class GroupsFound(AskAnswer, frozen=True, kw_only=True, tag="GroupsFound"):
    """The groups."""

    groups: list[Group]


class ParticipantsChanged(AskAnswer, frozen=True, kw_only=True, tag="ParticipantsChanged"):
    """By JID: None when it was done, else WhatsApp's code (403: only by invitation, 409: in it already)."""

    codes: dict[str, int | None]
    invites: dict[str, GroupInvite] = {}
    """Of those with 403, by JID."""


class MediaFetched(AskAnswer, frozen=True, kw_only=True, tag="MediaFetched"):
    """The file lies in GridFS."""

    bytes: int
    sha256: str


class PairCodeIssued(AskAnswer, frozen=True, kw_only=True, tag="PairCodeIssued"):
    """The code, as `ABCD-EFGH`."""

    code: str
    expires_at: datetime


AnyAskAnswer = AskDone | AskFailed | NumbersChecked | GroupsFound | ParticipantsChanged | MediaFetched | PairCodeIssued


# --- What the edge asks an owner of webhooks' deliveries -------------------------------------------------------------


class WebhookAsk(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", rename="camel", omit_defaults=True):
    """Base of what the edge asks about a webhook (`call.webhook.<shard>`)."""

    customer_id: str
    webhook_id: str


class TryWebhook(WebhookAsk, frozen=True, kw_only=True, tag="TryWebhook"):
    """Send a test now, once. Asked of the owner of the webhook id's shard. Answered `WebhookTried`."""


class RedeliverFrame(WebhookAsk, frozen=True, kw_only=True, tag="RedeliverFrame"):
    """Send this delivery (its `_id`) again, or at once. Asked of the owner of its session's shard. `AskDone`."""

    delivery_id: str


AnyWebhookAsk = TryWebhook | RedeliverFrame


class WebhookTried(AskAnswer, frozen=True, kw_only=True, tag="WebhookTried"):
    """What came of a test: the answer's status, or why there was none, and the beginning of the answer's body."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    response: str = ""


AnyWebhookAnswer = AskDone | AskFailed | WebhookTried
