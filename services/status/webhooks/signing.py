"""Signs what is posted to webhooks, as the specification Standard Webhooks 1.0 says (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from libs.contracts.webhooks import SECRET_PREFIX, SIGNATURES, WebhookSecret
from libs.runtime.crypto import KeyRing


def headers_of(message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers: id, Unix seconds of this attempt, and a signature with each secret, parted by spaces."""
    signatures = [f"{SIGNATURES},{signature(message_id, timestamp, body, secret)}" for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def signature(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """HMAC-SHA256 over `<id>.<timestamp>.<body>`, base64; the key is the secret's base64 behind `whsec_`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def secrets_at(secrets: Sequence[WebhookSecret], at: datetime) -> list[WebhookSecret]:
    """The secrets that sign at this time: the newest, and those that it has replaced and that still overlap."""
    return [each for each in secrets if each.expires_at is None or each.expires_at > at]


def opened(secrets: Sequence[WebhookSecret], ring: KeyRing, webhook_id: str) -> list[str]:
    """The secrets themselves. Raises KeyRingError when a key of the ring is missing."""
    return [ring.open(each.sealed, about=webhook_id).decode() for each in secrets]
