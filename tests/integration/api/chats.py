"""Chats for the tests, as status keeps them, and the facts that the edge tells about them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from libs.contracts.events import AnyFact
from libs.contracts.ids import EVENTS
from libs.contracts.records import ChatLine, ChatRow
from libs.runtime.mongo import to_document
from services.status.chats.rules import chat_id, key_of
from tests.integration.api.commands import everything
from tests.integration.api.edges import Site
from tests.integration.api.messages import AT


def line(direction: str, seq: int, text: str | None = "Halo", **fields: Any) -> ChatLine:
    given: dict[str, Any] = {"message_id": f"m{seq}", "type": "text", "at": AT + timedelta(seconds=seq)}
    return ChatLine(direction=direction, text=text, fact_seq=seq, **{**given, **fields})


def chat_row(site: Site, session_id: str, phone: str, seq: int = 1, **more: Any) -> ChatRow:
    """Somebody who has written once, which nobody has read; `seq` seconds after the beginning."""
    jid, last = f"{phone}@s.whatsapp.net", line("in", seq)
    values: dict[str, Any] = {
        "id": chat_id(session_id, jid),
        "customer_id": site.account.customer_id,
        "session_id": session_id,
        "shard": 0,
        "keys": [key_of(session_id, jid)],
        "chat_jid": jid,
        "phone": phone,
        "name": "Bu Sari",
        "last": last,
        "last_incoming": last,
        "incoming": 1,
        "unread": 1,
        "moved_at": last.at,
        "created_at": AT,
        "fact_seq": seq,
    }
    return ChatRow(**{**values, **more})


async def keep(rows: Any, *chats: ChatRow) -> None:
    """Put them where status keeps them."""
    await rows.chats.insert_many([to_document(chat) for chat in chats])


async def facts(site: Site) -> list[Any]:
    """All facts, in order."""
    return [
        msgspec.json.decode(message.data, type=AnyFact) for message in await everything(site.edge.bus, EVENTS, "fact.>")
    ]
