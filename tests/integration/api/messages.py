"""Messages for the tests: how they are sent, and their rows as sender and status keep them."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import Any

from libs.contracts.content import Text
from libs.contracts.ids import whatsapp_id
from libs.contracts.records import HistoryEntry, MessageRow, OutboxRow
from libs.contracts.words import words_of
from libs.runtime.mongo import to_document
from tests import media
from tests.integration.api.commands import commands
from tests.integration.api.edges import BOUND_S, Site

PNG = media.picture()
PDF = b"%PDF-1.7\n" + b"\0" * 64
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = {"type": "text", "to": "081234567890", "text": "Halo"}


def encoded(data: bytes) -> str:
    """As JSON carries it."""
    return base64.b64encode(data).decode()


async def send(site: Site, session_id: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await site.call("POST", f"/sessions/{session_id}/messages", json=body or TEXT, headers=named)


def outbox_row(site: Site, session_id: str, message_id: str, **more: Any) -> OutboxRow:
    values: dict[str, Any] = {
        "id": message_id,
        "customer_id": site.account.customer_id,
        "session_id": session_id,
        "shard": 0,
        "engine": "scripted",
        "wa_id": whatsapp_id(message_id),
        "to": "6281234567890@s.whatsapp.net",
        "content": Text(text="Halo"),
        "order": 1,
        "status": "queued",
        "due_at": AT,
        "accepted_at": AT,
        "epoch": 1,
    }
    return OutboxRow(**{**values, **more})


def message_row(site: Site, session_id: str, message_id: str, **more: Any) -> MessageRow:
    values: dict[str, Any] = {
        "id": f"{session_id}/{whatsapp_id(message_id)}",
        "customer_id": site.account.customer_id,
        "session_id": session_id,
        "shard": 0,
        "wa_id": whatsapp_id(message_id),
        "direction": "out",
        "message_id": message_id,
        "type": "text",
        "to": "6281234567890",
        "chat": "6281234567890",
        "text": "Halo",
        "status": "sent",
        "created_at": AT,
        "sent_at": AT,
        "history": [
            HistoryEntry(status="queued", at=AT, fact_seq=1),
            HistoryEntry(status="sent", at=AT, fact_seq=2),
        ],
    }
    return MessageRow(**{**values, **more})


def stored(row: MessageRow) -> dict[str, Any]:
    """The row as status stores it: with the words by which it is found."""
    return {**to_document(row), "words": words_of(row.text, row.caption, row.file_name)}


async def until_command(site: Site, kind: type) -> Any:
    async with asyncio.timeout(BOUND_S):
        while True:
            for command in await commands(site):
                if isinstance(command, kind):
                    return command
            await asyncio.sleep(0.01)
