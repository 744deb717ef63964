"""Messages and chats as the single-session admin dashboard knows them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.records import ChatLine, ChatRow, HistoryEntry, MessageRow
from services.api.messages.admin_messages import STATUSES, admin_chat, admin_message, status_of
from tests.unit.api.builders import AT, HOUR


def row(status: str, **fields: Any) -> MessageRow:
    given: dict[str, Any] = {
        "id": "s/w",
        "customer_id": "cus_1",
        "session_id": "s",
        "shard": 0,
        "wa_id": "w",
        "direction": "out",
        "message_id": "m",
        "type": "text",
        "to": "6281234567890",
        "text": "Halo",
        "status": status,
        "created_at": AT,
    }
    return MessageRow(**{**given, **fields})


@pytest.mark.parametrize(
    ("status", "waiting_for", "expected"),
    [
        ("queued", "schedule", "PENDING"),
        ("sending", None, "PENDING"),
        ("queued", None, "QUEUED"),
        ("queued", "session", "QUEUED"),
        ("sent", None, "SENT"),
        ("delivered", None, "SENT"),
        ("read", None, "SENT"),
        ("played", None, "SENT"),
        ("failed", None, "FAILED"),
        ("cancelled", None, "FAILED"),
        ("expired", None, "FAILED"),
    ],
)
def test_each_status_is_one_of_four(status: str, waiting_for: str | None, expected: str) -> None:
    found = row(status, waiting_for=waiting_for)
    assert status_of(found) == expected
    assert status in STATUSES[expected], "and is found under it"


def test_a_message_that_failed_tells_why_and_how_often_it_was_tried() -> None:
    history = [HistoryEntry(status="failed", at=AT + HOUR, fact_seq=1)]
    shown = msgspec.to_builtins(admin_message(row("failed", code="REFUSED", detail="No.", attempts=3, history=history)))
    assert shown == {
        "id": "m",
        "userId": "cus_1",
        "phoneNumber": "6281234567890",
        "message": "Halo",
        "status": "FAILED",
        "retryCount": 2,
        "createdAt": "2026-03-04T05:06:07.089Z",
        "updatedAt": "2026-03-04T06:06:07.089Z",
        "errorMessage": "No.",
    }


def test_a_message_that_left_has_no_error_though_an_attempt_of_it_had() -> None:
    shown = msgspec.to_builtins(admin_message(row("sent", code="TEMPORARY", sent_at=AT, attempts=1)))
    assert "errorMessage" not in shown
    assert (shown["sentAt"], shown["retryCount"]) == ("2026-03-04T05:06:07.089Z", 0)


def line(direction: str, seq: int, text: str | None) -> ChatLine:
    return ChatLine(message_id=f"m{seq}", direction=direction, type="text", text=text, at=AT, fact_seq=seq)


def chat(last: ChatLine, last_incoming: ChatLine | None, unread: int = 0) -> ChatRow:
    return ChatRow(
        id="chat_1",
        customer_id="cus_1",
        session_id="s",
        shard=0,
        keys=["s/6281@s.whatsapp.net"],
        chat_jid="6281@s.whatsapp.net",
        phone="6281",
        last=last,
        last_incoming=last_incoming,
        unread=unread,
        moved_at=AT + timedelta(hours=1),
        created_at=AT,
        fact_seq=last.fact_seq,
    )


@pytest.mark.parametrize(
    ("last", "last_incoming", "unread", "message", "is_read", "is_triggered"),
    [
        pytest.param(line("in", 2, "hai"), line("in", 2, "hai"), 1, "hai", False, False, id="unread"),
        pytest.param(line("out", 3, "ya"), line("in", 2, "hai"), 0, "hai", True, True, id="answered"),
        pytest.param(line("out", 3, "ya"), None, 0, "ya", True, False, id="nobody wrote yet"),
        pytest.param(line("in", 2, None), line("in", 2, None), 0, "", True, False, id="a picture"),
    ],
)
def test_a_chat_is_shown_by_what_came_in_last(
    last: ChatLine, last_incoming: ChatLine | None, unread: int, message: str, is_read: bool, is_triggered: bool
) -> None:
    shown = msgspec.to_builtins(admin_chat(chat(last, last_incoming, unread)))
    assert (shown["message"], shown["isRead"], shown["isTriggered"]) == (message, is_read, is_triggered)
    assert (shown["phoneNumber"], shown["messageType"]) == ("6281", "text")
