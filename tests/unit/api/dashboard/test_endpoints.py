"""Webhooks and deliveries as their pages show them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from libs.contracts.webhooks import WebhookHealth
from libs.runtime.targets import PRIVATE
from services.api.dashboard.endpoints import (
    body_in_lines,
    endpoint_of,
    families,
    patterns_beyond,
    place_before,
    shipment_of,
)
from services.api.webhooks.definitions import TYPES, checked_events
from services.api.webhooks.store_webhooks import Kept
from services.status.webhooks.posting import NO_SUCCESS, REDIRECTED
from tests.unit.status.deliveries import delivery, webhook

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_every_type_is_offered_once_with_a_pattern_that_the_api_takes() -> None:
    offered = [each for family in families() for each in family.types]
    assert offered == list(TYPES)
    patterns = [family.pattern for family in families()]
    assert checked_events([*patterns, *offered]) == [*patterns, *offered]


def test_a_pattern_of_a_program_is_kept_beside_those_that_are_offered() -> None:
    assert patterns_beyond(["message.*", "*.failed", "session.qr"]) == ["*.failed"]


@pytest.mark.parametrize(
    ("payload", "place"), [('{"cursor":"1a-10"}', "1a-9"), ('{"cursor":null}', "")], ids=["frame", "none"]
)
def test_a_replay_from_a_delivery_begins_just_before_it(payload: str, place: str) -> None:
    assert place_before(delivery(payload=payload)) == place


def test_a_body_is_shown_in_lines() -> None:
    row = delivery(payload='{"a":{"b":1}}')
    assert body_in_lines(row) == '{\n  "a": {\n    "b": 1\n  }\n}'


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NO_SUCCESS.format(status=500), "alamat tujuan menjawab 500"),
        (REDIRECTED.format(status=302), "alamat tujuan menjawab 302: pengalihan tidak diikuti"),
        ("the endpoint took longer than 5 s", "alamat tujuan lebih lama dari 5 detik"),
        (f"the address is refused: {PRIVATE}", "alamatnya ditolak: berada di mesin ini"),
        ("the request failed", "permintaan gagal"),
        ("something new", "something new"),
    ],
)
def test_why_a_webhook_fails_is_told_in_the_language_of_the_page(error: str, says: str) -> None:
    health = WebhookHealth(id="whk_1", customer_id="cus_1", failing_since=AT, last_failure_at=AT, last_error=error)
    kept = Kept(webhook=webhook(), health=health)
    assert f"Kiriman tidak diterima: {says}" in endpoint_of(kept, {}, "id").advice
    assert f"It does not take deliveries: {error}" in endpoint_of(kept, {}, "en").advice


def test_a_delivery_names_its_device_or_the_account() -> None:
    assert shipment_of(delivery(session="s1"), {"s1": "Sales"}).device == "Sales"
    assert shipment_of(delivery(session="cus_1"), {}).device == ""
