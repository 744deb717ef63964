"""The media id of a message that came in: told with the message, and read back from the id alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.contracts.ids import incoming_media_id, message_of_media, new_message_id
from libs.contracts.records import MessageRow
from libs.contracts.views import message_view

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MESSAGE = "01a1f92c-d9d9-71e1-88ca-90186eeafa67"


def row(**more: Any) -> MessageRow:
    values: dict[str, Any] = {
        "id": "s1/in/f1",
        "customer_id": "cus_1",
        "session_id": "s1",
        "shard": 0,
        "wa_id": "3EB0",
        "direction": "in",
        "message_id": new_message_id(),
        "type": "image",
        "mimetype": "image/jpeg",
        "created_at": AT,
    }
    return MessageRow(**{**values, **more})


def test_an_incoming_medium_has_its_id_before_it_is_downloaded() -> None:
    came_in = row(media_ref=b"ref")
    media = message_view(came_in).media
    assert media is not None
    assert media.media_id is not None
    assert message_of_media(media.media_id) == came_in.message_id


def test_a_medium_without_a_reference_cannot_be_read() -> None:
    media = message_view(row()).media
    assert media is not None
    assert media.media_id is None


def test_a_medium_that_was_sent_keeps_its_own_id() -> None:
    media = message_view(row(media_id="med_1", media_ref=b"ref")).media
    assert media is not None
    assert media.media_id == "med_1"


@pytest.mark.parametrize("media_id", ["med_0123", "in_", "in_x", MESSAGE, "in_in_" + MESSAGE])
def test_other_ids_are_of_no_message(media_id: str) -> None:
    assert message_of_media(media_id) is None


def test_an_id_fits_into_a_send() -> None:
    assert len(incoming_media_id(new_message_id())) <= 64
