"""How webhooks and their deliveries look to customers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.webhooks import WebhookAttempt, WebhookDelivery, is_working
from services.api.languages import Localized, localized_reason
from services.api.messages.views import Paging
from services.api.times import Time, iso, iso_or_none
from services.api.webhooks.store_webhooks import Kept

SWITCHED_OFF = "SWITCHED_OFF"
DELIVERY_PART, SHOWN_PART = "/", "."
"""A delivery's id is `<webhook>/<frame>` within, and holds a dot in paths."""


class WebhookObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A webhook. `events` empty: every type; `sessions` null: all, and what concerns the whole account.

    `status`: `working`; `failing` since `failingSince`; or `disabled`: `disabledReason` is `SWITCHED_OFF`, `FAILING`
    (for days, without a success) or `GONE` (the endpoint answered 410). `enabled: true` by PUT switches it on again.
    """

    id: str
    url: str
    events: list[str]
    sessions: list[str] | None
    description: str
    ordered: bool
    enabled: bool
    status: Literal["working", "failing", "disabled"]
    disabled_reason: str | None
    disabled_at: Time | None
    failing_since: Time | None
    last_success_at: Time | None
    last_failure_at: Time | None
    last_error: Localized | None
    previous_secret_until: Time | None
    """Until when requests are signed with the replaced secret too."""
    created_at: Time
    updated_at: Time


class WebhookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook."""

    data: WebhookObject
    message: Localized | UnsetType = UNSET
    success: bool = True


class WebhookSecretAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, and its new secret, which is shown this once."""

    data: WebhookObject
    secret: str
    message: Localized
    success: bool = True


class WebhookPagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where this page is."""

    total: int
    limit: int
    offset: int
    has_more: bool


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """Webhooks, newest first."""

    data: list[WebhookObject]
    pagination: WebhookPagination
    success: bool = True


class WebhookAttemptView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One request and its answer: `status` null and `error` set when there was none. `response` is cut."""

    at: Time
    url: str
    duration_ms: int
    status: int | None
    error: Localized | None
    response: str
    timestamp: int
    """`webhook-timestamp` of the request."""


class WebhookDeliveryObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A frame on its way to a webhook; `nextAttemptAt` while it is pending and has failed before."""

    id: str
    webhook_id: str
    frame_id: str
    """`webhook-id` of its requests."""
    type: str
    session_id: str | None
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    next_attempt_at: Time | None
    created_at: Time
    settled_at: Time | None
    last_attempt: WebhookAttemptView | None


class WebhookDeliveryDetail(WebhookDeliveryObject, frozen=True, kw_only=True, rename="camel"):
    """A delivery with the body of its requests and its last ten attempts, the oldest first."""

    body: str
    log: list[WebhookAttemptView]


class WebhookDeliveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery."""

    data: WebhookDeliveryDetail
    message: Localized | UnsetType = UNSET
    success: bool = True


class WebhookDeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    data: list[WebhookDeliveryObject]
    pagination: Paging
    success: bool = True


class WebhookTestResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of a test: `delivered` when the endpoint answered 2xx."""

    delivered: bool
    status: int | None
    error: Localized | None
    response: str
    duration_ms: int


class WebhookTestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a test."""

    data: WebhookTestResult
    message: Localized
    success: bool = True


def webhook_object(kept: Kept) -> WebhookObject:
    """The webhook as it is shown."""
    webhook, health = kept.webhook, kept.health
    ended = health if health is not None and not is_working(webhook, health.disabled_start) else None
    failing_since = _failing_since(kept)
    is_disabled = ended is not None or not webhook.is_enabled
    replaced = [secret.expires_at for secret in webhook.secrets if secret.expires_at is not None]
    return WebhookObject(
        id=webhook.id,
        url=webhook.url,
        events=webhook.events,
        sessions=webhook.session_ids,
        description=webhook.description,
        ordered=webhook.ordered,
        enabled=not is_disabled,
        status="disabled" if is_disabled else "failing" if failing_since is not None else "working",
        disabled_reason=_disabled_reason(kept),
        disabled_at=iso_or_none(ended.disabled_at) if ended is not None and webhook.is_enabled else None,
        failing_since=iso_or_none(failing_since),
        last_success_at=iso_or_none(health.last_success_at) if health is not None else None,
        last_failure_at=iso_or_none(health.last_failure_at) if health is not None else None,
        last_error=reason_shown(health.last_error) if health is not None else None,
        previous_secret_until=iso_or_none(max(replaced, default=None)),
        created_at=iso(webhook.created_at),
        updated_at=iso(webhook.updated_at),
    )


def reason_shown(reason: str | None) -> Localized | None:
    """A reason of status, in the language of the answer."""
    return None if reason is None else localized_reason(reason)


def _failing_since(kept: Kept) -> datetime | None:
    """Failures before it was switched on, or pointed elsewhere, do not count against it."""
    began, health = kept.webhook.enabled_at, kept.health
    if health is None or health.failing_since is None or (health.last_failure_at or began) < began:
        return None
    return max(health.failing_since, began)


def _disabled_reason(kept: Kept) -> str | None:
    if not kept.webhook.is_enabled:
        return SWITCHED_OFF
    health = kept.health
    if health is None or is_working(kept.webhook, health.disabled_start):
        return None
    return health.disabled_reason


def shown_id(row: WebhookDelivery) -> str:
    """The delivery's id as it stands in paths."""
    return row.id.replace(DELIVERY_PART, SHOWN_PART)


def stored_id(shown: str) -> str:
    """The delivery's `_id`."""
    return shown.replace(SHOWN_PART, DELIVERY_PART)


def delivery_object(row: WebhookDelivery) -> WebhookDeliveryObject:
    """The delivery as lists show it."""
    return WebhookDeliveryObject(**_fields_of(row))


def delivery_detail(row: WebhookDelivery) -> WebhookDeliveryDetail:
    """The delivery with everything."""
    return WebhookDeliveryDetail(**_fields_of(row), body=row.payload, log=[_attempt_view(each) for each in row.log])


def _fields_of(row: WebhookDelivery) -> dict[str, Any]:
    is_about_customer = row.session_id == row.customer_id
    waits = row.status == "pending" and row.failures > 0
    return {
        "id": shown_id(row),
        "webhook_id": row.webhook_id,
        "frame_id": row.frame_id,
        "type": row.frame_type,
        "session_id": None if is_about_customer else row.session_id,
        "status": row.status,
        "attempts": row.attempts,
        "next_attempt_at": iso(row.next_at) if waits else None,
        "created_at": iso(row.created_at),
        "settled_at": iso_or_none(row.settled_at),
        "last_attempt": _attempt_view(row.log[-1]) if row.log else None,
    }


def _attempt_view(attempt: WebhookAttempt) -> WebhookAttemptView:
    return WebhookAttemptView(
        at=iso(attempt.at),
        url=attempt.url,
        duration_ms=attempt.duration_ms,
        status=attempt.status,
        error=reason_shown(attempt.error),
        response=attempt.response,
        timestamp=attempt.timestamp,
    )
