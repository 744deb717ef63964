"""Webhooks as api defines them and as status delivers to them: the records that both read, and what a webhook takes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.patterns import fits
from libs.contracts.records import Record
from libs.contracts.times import Time

VERSIONS_ID = "webhooks"
"""`_id` of the row of `webhook_versions` that counts the changes of all definitions."""
SIGNATURES = "v1"
SECRET_PREFIX = "whsec_"  # noqa: S105 - what every secret of Standard Webhooks begins with
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
TEST_TYPE = "webhook.test"
"""Type of the body of a test delivery; it stands in no stream."""
MOST_ATTEMPTS_KEPT = 10


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of a webhook's secrets: `whsec_...`, sealed by the key ring about the webhook's id."""

    sealed: str
    expires_at: datetime | None = None
    """Until when it still signs beside the newer one; null: the one that counts."""


class WebhookStart(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """From where on a webhook gets frames; another one when it is switched on again.

    It gets those above `since`, a sequence of UPDATES in its life `log`, unless they were sent before.
    """

    number: int
    """Starts and replays of a webhook are numbered together, from 1."""
    version: int
    """The version of the definition that brought it."""
    log: str
    since: int


class WebhookReplay(WebhookStart, frozen=True, kw_only=True, rename="camel"):
    """The customer wants the frames in (`since`, `until`] again, even if they were sent before."""

    until: int


class Webhook(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `webhooks`, written by api: where a customer wants which frames.

    A deleted one stays for a day with `deleted_at`, so that every replica sees that it is gone.
    """

    url: str
    events: list[str] = []
    """Patterns as on the live stream (`message.*`); empty: every type."""
    session_ids: list[str] | None = None
    """Only frames of these sessions, and none about the customer; null: all."""
    description: str = ""
    ordered: bool = True
    """Whether a session's frames arrive one after the other; else each is sent as soon as it can be."""
    is_enabled: bool = True
    enabled_at: datetime
    """When it was made, switched on or pointed elsewhere: failures before that do not count against it."""
    secrets: list[WebhookSecret]
    """The newest first."""
    start: WebhookStart
    replays: list[WebhookReplay] = []
    """The last ones, the newest last; long made, but for shards that do not know of them yet."""
    version: int
    """Of this definition: a number from the one counter of all changes, so readers ask for what is above theirs."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    def takes(self, session_id: str | None, frame_type: str) -> bool:
        """Whether it wants a frame of this session (None: about the customer) and type."""
        if self.session_ids is not None and session_id not in self.session_ids:
            return False
        return not self.events or any(fits(frame_type, pattern) for pattern in self.events)

    def has_begun(self, log: str, seq: int) -> bool:
        """Whether the frame at this place of this life of UPDATES comes after its start."""
        return log != self.start.log or seq > self.start.since

    @property
    def number(self) -> int:
        """Of the latest start or replay."""
        return max(self.start.number, *(each.number for each in self.replays), 0)

    def begun_after(self, version: int) -> list[WebhookStart | WebhookReplay]:
        """The starts and replays above this version, in their order."""
        return [each for each in (self.start, *self.replays) if each.version > version]

    @property
    def is_wanted(self) -> bool:
        """Whether the customer wants it to get anything."""
        return self.is_enabled and self.deleted_at is None


class WebhookAttempt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request and what came of it. `error` is one sentence when there was no answer, or none that counts."""

    at: datetime
    url: str
    duration_ms: int
    status: int | None = None
    error: str | None = None
    response: str = ""
    """The first bytes of the answer's body."""
    timestamp: int = 0
    """`webhook-timestamp` of the request, which its signature covers."""


class WebhookDelivery(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `deliveries`, written by the owner of the session's shard in status: a frame on its way to a webhook.

    `id` is `<webhook>/<frame>`. Every write is conditional on `epoch` not being above the writer's own.
    """

    webhook_id: str
    session_id: str
    """Whose order it keeps: the frame's session, or the customer's id for frames about the customer."""
    shard: int
    epoch: int
    frame_id: str
    frame_type: str
    seq: int
    """The frame's place in UPDATES."""
    start: int
    """Number of the webhook's start or replay under which it is sent."""
    payload: str
    """The body of the request, as it is signed."""
    status: str = PENDING
    """`pending`, `delivered` or `failed`."""
    failures: int = 0
    """Failed attempts since it became pending."""
    attempts: int = 0
    """Attempts ever."""
    next_at: datetime
    """Not to be tried before; meaningless once it is settled."""
    created_at: datetime
    settled_at: datetime | None = None
    log: list[WebhookAttempt] = []
    """The last ten attempts, the oldest first."""


class WebhookHealth(Record, frozen=True, kw_only=True, rename="camel"):
    """Collection `webhook_health`, written by status: how a webhook's endpoint does; `id` is the webhook's."""

    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None
    failing_since: datetime | None = None
    """The first failure since the last success."""
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    """`FAILING` (for too long), or `GONE` (the endpoint answered 410)."""
    disabled_start: int = 0
    """The webhook's start that was ended so; a later one makes it work again."""


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is posted: the frame as on the live stream, with its cursor. Pictures of QR codes are left to the reader."""

    id: str
    cursor: str | None
    """Where to replay from to get what follows; null in a test."""
    type: str
    session_id: str | None
    occurred_at: Time
    data: msgspec.Raw
    v: int = 1


def is_working(webhook: Webhook, disabled_start: int) -> bool:
    """Whether frames are kept for it and sent; `disabled_start` as its health has it, 0 for none."""
    return webhook.is_wanted and webhook.start.number > disabled_start


def delivery_id(webhook_id: str, frame_id: str) -> str:
    """`_id` of the delivery of this frame to this webhook."""
    return f"{webhook_id}/{frame_id}"
