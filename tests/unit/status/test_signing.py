"""Signatures are those that the specification's own library accepts."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from libs.contracts.webhooks import WebhookSecret
from services.status.webhooks.signing import headers_of, secrets_at, signature

OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
BODY = '{"type":"message.sent","data":{"text":"Apa kabar? \u00e9\U0001f54a"}}'.encode()


def test_the_example_of_the_specification_has_its_signature() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert signed == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_accepts_what_we_sign() -> None:
    headers = headers_of("frm_1", int(time.time()), BODY, [NEW])
    assert Webhook(NEW).verify(BODY, headers)["type"] == "message.sent"


@pytest.mark.parametrize("secret", [OLD, NEW], ids=["old", "new"])
def test_while_two_secrets_overlap_either_accepts(secret: str) -> None:
    headers = headers_of("frm_1", int(time.time()), BODY, [NEW, OLD])
    assert Webhook(secret).verify(BODY, headers)


def test_another_body_is_refused() -> None:
    headers = headers_of("frm_1", int(time.time()), BODY, [NEW])
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY.replace(b"sent", b"read"), headers)


def test_a_replaced_secret_signs_until_its_overlap_is_over() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    newest, old = WebhookSecret(sealed="n"), WebhookSecret(sealed="o", expires_at=at)
    assert secrets_at([newest, old], at - timedelta(seconds=1)) == [newest, old]
    assert secrets_at([newest, old], at) == [newest]
