"""Webhooks and deliveries as their pages show them."""

from __future__ import annotations

import pytest

from services.api.dashboard.endpoints import body_in_lines, families, patterns_beyond, place_before, shipment_of
from services.api.webhooks.definitions import TYPES, checked_events
from tests.unit.status.deliveries import delivery


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


def test_a_delivery_names_its_device_or_the_account() -> None:
    assert shipment_of(delivery(session="s1"), {"s1": "Sales"}).device == "Sales"
    assert shipment_of(delivery(session="cus_1"), {}).device == ""
