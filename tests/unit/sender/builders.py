"""Rows and fakes for the tests of sender's rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from libs.contracts.commands import SendMessage
from libs.contracts.content import Text
from libs.contracts.records import OutboxRow
from services.sender import rows

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def command(message_id: str = "m1", **fields: Any) -> SendMessage:
    values: dict[str, Any] = {
        "customer_id": "cus_1",
        "session_id": "s1",
        "engine": "simulator",
        "to": "6281234567890@s.whatsapp.net",
        "content": Text(text="hello"),
        "accepted_at": NOW,
        **fields,
    }
    return SendMessage(message_id=message_id, **values)


def queued_row(message_id: str = "m1", *, order: int = 1, told: bool = True, **fields: Any) -> OutboxRow:
    """A row as `new_row` makes it; with `told`, its first fact is published already."""
    row = rows.new_row(command(message_id), order=order, shard=1, epoch=3, now=NOW)
    return msgspec.structs.replace(row, untold=[] if told else row.untold, **fields)


def sending_row(message_id: str = "m1", **fields: Any) -> OutboxRow:
    return msgspec.structs.replace(rows.handing_over(queued_row(message_id)), **fields)


def statuses_told(row: OutboxRow) -> list[str]:
    """What the row's untold facts say, in order."""
    return [_said(fact) for fact in row.untold]


def _said(fact: dict[str, Any]) -> str:
    if fact["kind"] == "MessageHeld":
        return f"held for {fact.get('waitingFor')}"
    return "queued" if fact["kind"] == "MessageQueued" else str(fact["status"])
