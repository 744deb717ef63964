"""Webhooks and deliveries for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from libs.contracts.webhooks import Webhook, WebhookAttempt, WebhookDelivery, WebhookSecret, WebhookStart
from services.status.webhooks.schedule import Outcome

T0 = datetime(2026, 11, 20, 8, tzinfo=UTC)


def webhook(webhook_id: str = "whk_1", **fields: Any) -> Webhook:
    given: dict[str, Any] = {
        "id": webhook_id,
        "customer_id": "cus_1",
        "url": "https://example.com/hook",
        "secrets": [WebhookSecret(sealed="")],
        "start": WebhookStart(number=1, version=1, log="a", since=0),
        "version": 1,
        "enabled_at": T0,
        "created_at": T0,
        "updated_at": T0,
    }
    return Webhook(**(given | fields))


def delivery(seq: int = 1, *, session: str = "s1", webhook_id: str = "whk_1", **fields: Any) -> WebhookDelivery:
    given: dict[str, Any] = {
        "id": f"{webhook_id}/frm_{seq}",
        "customer_id": "cus_1",
        "webhook_id": webhook_id,
        "session_id": session,
        "shard": 7,
        "epoch": 1,
        "frame_id": f"frm_{seq}",
        "frame_type": "message.sent",
        "seq": seq,
        "start": 1,
        "payload": "{}",
        "next_at": T0,
        "created_at": T0,
    }
    return WebhookDelivery(**(given | fields))


def outcome(status: int | None = 200, *, retry_after_s: float | None = None) -> Outcome:
    attempt = WebhookAttempt(at=T0, url="https://example.com/hook", duration_ms=3, status=status)
    return Outcome(attempt=attempt, retry_after_s=retry_after_s)
