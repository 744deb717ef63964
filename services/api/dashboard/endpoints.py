"""How a webhook and its deliveries look on their pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from libs.contracts.webhooks import WebhookAttempt, WebhookDelivery
from services.api.dashboard.rendering import reason_in
from services.api.dashboard.words import Language, saying
from services.api.live.filters import Cursor, cursor_of
from services.api.webhooks.definitions import TYPES
from services.api.webhooks.store_webhooks import Kept
from services.api.webhooks.views import SWITCHED_OFF, WebhookObject, shown_id, webhook_object

WORKING, UNPROVEN, OFF, DISABLED, FAILING = "working", "unproven", "off", "disabled", "failing"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook, ready to be shown. `advice` is empty while all is well."""

    id: str
    title: str
    """Its description, else the host of its address."""
    url: str
    description: str
    status: str
    """`working failing disabled`; `off`: a person has switched it off; `unproven`: nothing was
    delivered since it was made, switched on or pointed elsewhere."""
    advice: str
    events: list[str]
    """Empty: all."""
    session_ids: list[str] | None
    devices: list[str] | None
    """The names of its sessions; None: all, and the account."""
    ordered: bool
    enabled: bool
    last_success_at: datetime | None
    last_failure_at: datetime | None
    old_secret_until: datetime | None
    created_at: datetime

    @property
    def needs_a_person(self) -> bool:
        """Whether it stands under "needs attention"; who has switched one off knows."""
        return self.status in (FAILING, DISABLED)


def endpoint_of(kept: Kept, names: Mapping[str, str], language: Language) -> Endpoint:
    """The webhook as its page shows it; `names` are those of the sessions."""
    webhook, health, shown = kept.webhook, kept.health, webhook_object(kept)
    replaced = [secret.expires_at for secret in webhook.secrets if secret.expires_at is not None]
    ids = webhook.session_ids
    delivered_at = health.last_success_at if health else None
    return Endpoint(
        id=webhook.id,
        title=webhook.description or urlsplit(webhook.url).hostname or webhook.url,
        url=webhook.url,
        description=webhook.description,
        status=_status_of(shown, is_proven=delivered_at is not None and delivered_at >= webhook.enabled_at),
        advice=_advice_on(shown.status, shown.disabled_reason, shown.last_error, language),
        events=webhook.events,
        session_ids=ids,
        devices=None if ids is None else [names.get(each, each) for each in ids],
        ordered=webhook.ordered,
        enabled=shown.enabled,
        last_success_at=delivered_at,
        last_failure_at=health.last_failure_at if health else None,
        old_secret_until=max(replaced, default=None),
        created_at=webhook.created_at,
    )


def _status_of(shown: WebhookObject, *, is_proven: bool) -> str:
    if shown.disabled_reason == SWITCHED_OFF:
        return OFF
    return UNPROVEN if shown.status == WORKING and not is_proven else shown.status


def _advice_on(status: str, reason: str | None, error: str | None, language: Language) -> str:
    say = saying(language)
    error = (reason_in(error, language) if error else say("webhook.no_answer")).rstrip(".")
    if reason is not None:
        return say(f"webhook.advice.{reason}", error=error)
    return say("webhook.advice.failing", error=error) if status == FAILING else ""


# --- Deliveries ------------------------------------------------------------------------------------------------------


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as the log shows it; `device` is empty for what is about the account."""

    id: str
    type: str
    status: str
    device: str
    created_at: datetime
    attempts: int
    next_at: datetime | None
    """When it is tried again; None when it is settled, or was not tried yet."""
    last: WebhookAttempt | None


def shipment_of(row: WebhookDelivery, names: Mapping[str, str]) -> Shipment:
    """The delivery as the log shows it."""
    waits = row.status == "pending" and row.failures > 0
    return Shipment(
        id=shown_id(row),
        type=row.frame_type,
        status=row.status,
        device="" if row.session_id == row.customer_id else names.get(row.session_id, row.session_id),
        created_at=row.created_at,
        attempts=row.attempts,
        next_at=row.next_at if waits else None,
        last=row.log[-1] if row.log else None,
    )


def body_in_lines(row: WebhookDelivery) -> str:
    """The body of its requests, indented for people."""
    return msgspec.json.format(row.payload, indent=2)


def place_before(row: WebhookDelivery) -> str:
    """The cursor from which a replay sends this delivery again, and all that follow it."""
    cursor = cursor_of(msgspec.json.decode(row.payload, type=_Placed).cursor or "")
    return "" if cursor is None else str(Cursor(cursor.log, cursor.position - 1))


class _Placed(msgspec.Struct, frozen=True):
    cursor: str | None = None


# --- Events to choose from -------------------------------------------------------------------------------------------


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Types with one beginning, and the pattern of them all."""

    name: str
    pattern: str
    types: list[str]


def families() -> list[Family]:
    """All types, by their beginnings."""
    names = dict.fromkeys(each.partition(".")[0] for each in TYPES)
    return [
        Family(name=name, pattern=f"{name}.*", types=[each for each in TYPES if each.startswith(f"{name}.")])
        for name in names
    ]


def patterns_beyond(events: Sequence[str]) -> list[str]:
    """The patterns that a webhook has and no family offers: made by a program, and kept."""
    offered = {pattern for family in families() for pattern in (family.pattern, *family.types)}
    return [each for each in events if each not in offered]
