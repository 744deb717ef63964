"""Facts as tests need them: everything has a default but what the test is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from libs.contracts.content import Text
from libs.contracts.events import (
    ActionFailed,
    AnyFact,
    CustomerNotified,
    MessageEdited,
    MessageHeld,
    MessageProgressed,
    MessageQueued,
    MessageReacted,
    MessageReceived,
    MessageRevoked,
    MessageUndecryptable,
    PollVoted,
    ReceiptReceived,
    SessionChanged,
    SessionStatus,
)
from libs.contracts.ids import shard_of
from libs.runtime.feeds import Delivery

T0 = datetime.now(UTC).replace(microsecond=0)
"""Of today: MongoDB deletes rows that are older than the retention, under a test too."""
CUSTOMER, SESSION = "cus_1", "0123456789abcdef"
NEIGHBOUR = next(name for n in range(10_000) if shard_of(name := f"cus_{n}") == shard_of(SESSION))
"""A customer whose notices are told by the owner of the session's shard."""
MESSAGE = "019a9d3c-7c00-7000-8000-000000000001"
WA_ID = "3EB0000000000000000001"
ROW = f"{SESSION}/{WA_ID}"
INCOMING = "ABCDEF0123456789"
"""WhatsApp id of the message that came in."""
PHONE, OURS = "6281234567890", "6280000000001"


def at(seconds: float) -> datetime:
    """So many seconds after the tests' beginning of time."""
    return T0 + timedelta(seconds=seconds)


def _fields(fact_id: str, seconds: float, fields: dict[str, Any]) -> dict[str, Any]:
    return {"id": fact_id, "customer_id": CUSTOMER, "session_id": SESSION, "at": at(seconds), **fields}


def queued(fact_id: str = "q1", seconds: float = 0, **fields: Any) -> MessageQueued:
    about = {
        "message_id": MESSAGE,
        "wa_id": WA_ID,
        "to": f"{PHONE}@s.whatsapp.net",
        "content": Text(text="halo"),
        "accepted_at": T0,
    }
    return MessageQueued(**{**about, **_fields(fact_id, seconds, fields)})


def progressed(status: str, fact_id: str = "", seconds: float = 0, **fields: Any) -> MessageProgressed:
    about = {"message_id": MESSAGE, "wa_id": WA_ID, "status": status, "attempts": 1}
    return MessageProgressed(**{**about, **_fields(fact_id or f"{status}1", seconds, fields)})


def held(waiting_for: str | None, fact_id: str = "h1", seconds: float = 0, **fields: Any) -> MessageHeld:
    about = {"message_id": MESSAGE, "wa_id": WA_ID, "waiting_for": waiting_for}
    return MessageHeld(**{**about, **_fields(fact_id, seconds, fields)})


def receipt(kind: str = "delivered", fact_id: str = "", seconds: float = 0, **fields: Any) -> ReceiptReceived:
    about = {"wa_ids": [WA_ID], "receipt": kind, "chat": PHONE, "sender": PHONE}
    return ReceiptReceived(**{**about, **_fields(fact_id or f"{kind}1", seconds, fields)})


def received(fact_id: str = "in1", seconds: float = 0, **fields: Any) -> MessageReceived:
    about = {
        "wa_id": INCOMING,
        "chat": PHONE,
        "sender": PHONE,
        "chat_jid": f"{PHONE}@s.whatsapp.net",
        "sender_jid": f"{PHONE}@s.whatsapp.net",
        "content_class": "text",
        "text": "apa kabar",
    }
    return MessageReceived(**{**about, **_fields(fact_id, seconds, fields)})


def undecryptable(fact_id: str = "un1", seconds: float = 0, **fields: Any) -> MessageUndecryptable:
    about = {"wa_id": INCOMING, "chat": PHONE, "sender": PHONE}
    return MessageUndecryptable(**{**about, **_fields(fact_id, seconds, fields)})


def _about(fact_id: str, seconds: float, fields: dict[str, Any]) -> dict[str, Any]:
    """About the message that came in, by the person who wrote it, or with `from_me` about the one that we sent."""
    is_ours = fields.get("from_me", False)
    about = {"wa_id": WA_ID if is_ours else INCOMING, "chat": PHONE, "sender": OURS if is_ours else PHONE}
    return {**about, **_fields(fact_id, seconds, fields)}


def edited(text: str = "baru", fact_id: str = "", seconds: float = 0, **fields: Any) -> MessageEdited:
    return MessageEdited(text=text, **_about(fact_id or f"edited {text}", seconds, fields))


def revoked(fact_id: str = "revoked1", seconds: float = 0, **fields: Any) -> MessageRevoked:
    return MessageRevoked(**_about(fact_id, seconds, fields))


def reacted(emoji: str = "👍", fact_id: str = "", seconds: float = 0, **fields: Any) -> MessageReacted:
    return MessageReacted(emoji=emoji, **_about(fact_id or f"reacted {emoji} {seconds} {fields}", seconds, fields))


def voted(*options: str, fact_id: str = "", seconds: float = 0, **fields: Any) -> PollVoted:
    return PollVoted(options=list(options), **_about(fact_id or f"voted {options} {seconds} {fields}", seconds, fields))


def action_failed(action: str = "edit", fact_id: str = "", seconds: float = 0, **fields: Any) -> ActionFailed:
    about = {"message_id": MESSAGE, "wa_id": WA_ID, "action": action, "code": "REFUSED", "detail": "No."}
    return ActionFailed(**{**about, **_fields(fact_id or f"{action} failed", seconds, fields)})


def changed(update: str = "connected", fact_id: str = "", seconds: float = 0, **fields: Any) -> SessionChanged:
    about = {"update": update, "status": SessionStatus.CONNECTED, "epoch": 1, "connection": 1}
    return SessionChanged(**{**about, **_fields(fact_id or f"{update}1", seconds, fields)})


def notified(update: str = "credits.low", fact_id: str = "", seconds: float = 0, **data: Any) -> CustomerNotified:
    """About a customer of the same shard as the session."""
    about = {"customer_id": NEIGHBOUR, "session_id": NEIGHBOUR, "update": update, "data": data}
    return CustomerNotified(**_fields(fact_id or f"{update} {seconds}", seconds, about))


def deliveries(facts: Iterable[AnyFact], first_seq: int = 1) -> list[Delivery[AnyFact]]:
    """The facts as a feed hands them out, in consecutive places of the stream."""
    return [Delivery(fact, first_seq + number, {}, 1) for number, fact in enumerate(facts)]
