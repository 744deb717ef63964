"""Records: what one service stores and another reads. Each collection has one writer, named here.

Field names in MongoDB are the camelCase of these; `id` is `_id`. Times are UTC with milliseconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from libs.contracts.content import Action, Content, Context
from libs.contracts.events import SessionStatus


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all stored records."""

    id: str = msgspec.field(name="_id")
    customer_id: str


class Allowance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a plan allows, and what a subscription to it allowed when it was bought."""

    max_sessions: int
    monthly_messages: int | None = None
    """Messages that may be accepted in a calendar month of the customer's time zone; None: any number."""
    is_metered: bool = False
    """Whether messages cost credits."""
    prices: dict[str, int] = {}
    """Credits by type of message; `default` stands for the types that are not named, and without it they cost 1."""
    features: list[str] = []


class Subscription(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `subscriptions`, written by api: a customer's plan from `started_at` to `ends_at` (null: no end).

    It carries the plan's terms as they were bought: a plan that is changed changes no subscription that runs. Which one
    counts at a time says `standing` (libs/contracts/subscriptions.py).
    """

    plan_id: str
    plan_name: str
    allowance: Allowance
    price: int
    """In whole units of `currency`, for each cycle."""
    currency: str
    billing_cycle: str
    """`monthly` or `yearly`."""
    created_at: datetime
    started_at: datetime
    ends_at: datetime | None = None
    status: str = "active"
    """`active`, `pending` (not paid yet: allows nothing) or `cancelled`; over when `ends_at` has passed."""
    held: bool = False
    """The customer is suspended: allows nothing until that is over."""
    notice: str | None = None
    """What is to be told of it next: `changed`, `expiring` or `expired`."""
    notice_at: datetime | None = None
    """When that is to be told."""


class Pacing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How fast a session's messages leave; all of it off (`per_minute` 0) for networks that mind nothing."""

    per_minute: int = 0
    """Messages per minute in the long run; 0: no limit."""
    burst: int = 5
    """How many may leave at once after a pause."""
    jitter: float = 0.3
    """Each pause is longer by up to this share at random, 0 to 1."""
    new_contacts: bool = True
    """Whether a young link's first messages to new contacts are limited: 20, 50, 200 a day below 1, 3, 7 days."""


class SessionRecord(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `sessions`, written by api: what the customer wants. The owner reconciles with it.

    `live` is true until the customer deletes the session; (customerId, name) is unique among the live ones.
    """

    name: str
    engine: str
    shard: int
    live: bool
    created_at: datetime
    updated_at: datetime
    running: bool = False
    """Desired state: the socket shall be open."""
    version: int = 1
    """Raised when a change shows to customers (name, flags); the owner tells `session.updated` once for each."""
    starts: int = 0
    """Raised by each call of start, restart and of a QR route that begins a link: ends every back-off and a failed
    state, and an ended link attempt begins anew."""
    restarts: int = 0
    """Raised by each restart: the owner closes the socket and opens it again, once for each raise."""
    logouts: int = 0
    """Raised by each logout: the owner unlinks the device and drops its keys, once for each raise."""
    is_default: bool = False
    is_notification: bool = False
    ai_config: dict[str, Any] | None = None
    device_name: str | None = None
    deleted_at: datetime | None = None
    proxy: str | None = None
    """Sealed by the key ring about the session's id: an `http`, `https` or `socks5` URL through which it connects."""
    pacing: Pacing | None = None
    """None: the default of its network."""


class LinkedNumber(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A number that a session was linked to from then on."""

    number: str
    """Digits; empty: one that nobody noted."""
    since: datetime


class SessionState(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `session_states`, written by the owner of the session in sessions: what is.

    Every write is conditional on `epoch` not being above the writer's own.
    """

    network: str
    shard: int
    status: SessionStatus = SessionStatus.CREATED
    reason: str | None = None
    cause: str | None = None
    """Why WhatsApp could not be reached, where that is the reason: `dns`, `refused`, `timeout`, `proxy_auth` ..."""
    phone: str | None = None
    jid: str | None = None
    lid: str | None = None
    qr: str | None = None
    """The string in the QR code that is good now."""
    expires_at: datetime | None = None
    """When the present QR or pairing code ends."""
    pair_code: str | None = None
    resume_at: datetime | None = None
    degraded: bool = False
    connected_at: datetime | None = None
    last_seen_at: datetime | None = None
    """Last frame from WhatsApp (evidence)."""
    last_ack_at: datetime | None = None
    """Last server ack of a message of ours (evidence)."""
    reconnected_at: list[datetime] = []
    """When the connection was lost, oldest first, the last 50."""
    epoch: int = 0
    connection: int = 0
    link: int = 1
    linked: bool = False
    """Whether the present link number has a device."""
    forgotten: int = 0
    """The highest link number whose keys are deleted; those between it and `link` are still to be."""
    failures: int = 0
    next_attempt_at: datetime | None = None
    seen_version: int = 0
    seen_starts: int = 0
    seen_restarts: int = 0
    seen_logouts: int = 0
    linked_at: datetime | None = None
    """When the present link was made: young links are paced more gently."""
    passkey: str | None = None
    """What a person's passkey must answer (JSON), or the code to compare, while the state is `passkey_required`."""
    numbers: list[LinkedNumber] | None = None
    """The numbers that were linked, oldest first, one entry for each change; the last 20. They outlast a logout.
    None: written by a version that did not note them (`numbers_of` of libs/contracts/numbers.py)."""
    restriction: str | None = None
    """What WhatsApp restricts, as long as it is known to: it outlasts a lost connection."""
    restricted_until: datetime | None = None
    replaced_at: list[datetime] = []
    """When another client took the connection, in the last 10 minutes."""
    deleted: bool = False
    """The customer deleted the session, and `session.deleted` is told (or untold below)."""
    cleaned: bool = False
    """Deleted, unlinked, and every key is gone: nothing is left to do."""
    untold: list[dict[str, Any]] = []
    """Facts that follow from this state and are not published yet, oldest first."""
    updated_at: datetime


class OutboxRow(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `outbox`, written by the owner of the shard in sender; `id` is the message id.

    `status`: `queued sending sent failed cancelled expired`. A finished row stays 30 days; its `content` is null unless
    it may be retried (failed, cancelled).
    """

    session_id: str
    shard: int
    engine: str
    wa_id: str
    to: str
    content: Content | Action | None
    context: Context | None = None
    about: str | None = None
    """The message that an action concerns; None for a message of its own."""
    order: int
    """The command's sequence in COMMANDS: the order of the lane."""
    priority: int = 0
    status: str
    attempts: int = 0
    due_at: datetime
    accepted_at: datetime
    not_before: datetime | None = None
    expires_at: datetime | None = None
    handed_over: bool = False
    """An attempt may have left: from then on only an answer or a receipt ends the message. Set before each hand-over,
    and taken back when the answer says that this attempt, like all before it, certainly did not leave."""
    unknown_since: datetime | None = None
    give_up_at: datetime | None = None
    """When a message whose recipient cannot be looked up, or whose medium cannot be uploaded, fails for `code`."""
    waiting_for: str | None = None
    resume_at: datetime | None = None
    code: str | None = None
    detail: str | None = None
    epoch: int
    untold: list[dict[str, Any]] = []
    finished_at: datetime | None = None
    credits: int = 0
    """What it costs: reserved before it leaves, and charged or given back before its end is told. 0: nothing."""
    retries: int = 0
    """How often it was queued again: each time it is reserved anew."""
    refunded: bool = False
    """A receipt proved that it was sent after its credits had been given back: they are taken again."""
    number: str | None = None
    """The number (digits) that it leaves, or left, from; of an action, the one that alone can do it. None: the one that
    was linked when it was accepted."""


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One rise of a message's status; `fact_seq` is the sequence in EVENTS of the fact that caused it.

    What happens to a message without raising it has an entry too: `edited revoked reaction poll_vote edit_failed
    revoke_failed`.
    """

    status: str
    at: datetime
    fact_seq: int
    fact_id: str = ""
    reason: str | None = None
    """Error code, when it failed."""
    detail: str | None = None
    attempts: int = 0
    due_seq: int = 0
    """The sequence in EVENTS of the fact with which the rise is told to customers: `fact_seq`, or, when a receipt
    outran its message, that of the fact which brought the content. 0 while it cannot be told."""


class ReactionEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One person's reaction to a message."""

    sender: str
    """Empty: this number, at the phone or through us."""
    emoji: str
    at: datetime


class VoteEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one person has chosen in a poll."""

    sender: str
    options: list[str]
    at: datetime


class MessageRow(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `messages`, written by the owner of the shard in status: what customers read.

    `id` is `<session>/<WhatsApp id>` for messages that this number sent, so that a receipt that outruns its row finds
    its place, and `<session>/in/<fact id>` for those that came in. A row whose content has not come yet (a receipt made
    it) has `message_id` null and is shown to nobody.
    """

    session_id: str
    shard: int
    wa_id: str
    direction: str
    message_id: str | None = None
    type: str | None = None
    to: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    chat: str | None = None
    chat_jid: str | None = None
    text: str | None = None
    caption: str | None = None
    file_name: str | None = None
    media_id: str | None = None
    mimetype: str | None = None
    media_bytes: int | None = None
    media_ref: bytes | None = None
    details: dict[str, Any] | None = None
    """A place, a card, a poll or a reaction, by the names of `libs/contracts/content.py`."""
    reply_to: str | None = None
    """WhatsApp id of the message that is answered."""
    mentions: list[str] = []
    number: str | None = None
    """The number (digits) of this side: it sent the message, or received it. None: not noted, or it has not left."""
    edited_at: datetime | None = None
    revoked_at: datetime | None = None
    reactions: list[ReactionEntry] = []
    votes: list[VoteEntry] = []
    status: str = "queued"
    rank: int = 0
    """Of `status`, from `services/status/ranks.py`; only rises."""
    waiting_for: str | None = None
    resume_at: datetime | None = None
    due_at: datetime | None = None
    """When it is to be sent, for a message that was scheduled."""
    code: str | None = None
    detail: str | None = None
    attempts: int = 0
    created_at: datetime
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    history: list[HistoryEntry] = []
    fact_seq: int = 0
    """The sequence in EVENTS of the last fact that changed this row: facts up to it are in it already."""
    epoch: int = 0


class ChatLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message as a list of chats shows it."""

    message_id: str
    direction: str
    type: str
    text: str | None
    """An excerpt of its words, its caption or its file's name."""
    at: datetime
    fact_seq: int
    """The sequence in EVENTS of the fact that brought it: which of two messages came later."""


class ChatRow(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `chats`, written by the owner of the shard in status: one conversation of a session.

    Who was met by LID and by number before it was known that they are the same has two rows; from then on the LID's is
    `merged_into` the number's, and holds what it brought along.
    """

    session_id: str
    shard: int
    keys: list[str]
    """`<session>/<JID>` for each address under which it is known: a number, a LID, a group."""
    chat_jid: str
    """Where it is written to: the number's JID when it is known."""
    phone: str | None = None
    lid: str | None = None
    name: str | None = None
    """As the contact calls itself."""
    last: ChatLine
    last_incoming: ChatLine | None = None
    incoming: int = 0
    """Messages that have come in."""
    unread: int = 0
    read_at: datetime | None = None
    moved_at: datetime
    """Of the last message; never falls."""
    created_at: datetime
    merged_into: str | None = None
    fact_seq: int
    """The sequence in EVENTS of the last fact that changed it: facts up to it are in it already."""
    epoch: int = 0
