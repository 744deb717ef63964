"""What a message refers to: the one it answers, or reacts to, looked up and held to its chat."""

from __future__ import annotations

from libs.contracts.content import Quote
from libs.contracts.errors import ApiError
from libs.contracts.numbers import NOT_NOTED
from libs.contracts.records import MessageRow, SessionRecord
from services.api.chats.addresses import further_addresses
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.messages import numbers
from services.api.messages.finding import message_of
from services.api.messages.jids import PERSON, is_group
from services.api.messages.phones import Recipient

MOST_EXCERPT = 1_024


async def cited(edge: Edge, session: SessionRecord, message_id: str, *, path: str) -> MessageRow:
    """The message of this session that the field `path` names. Raises Refusal MESSAGE_NOT_FOUND."""
    row = await message_of(edge, session.customer_id, message_id)
    if row is None or row.session_id != session.id or row.message_id is None:
        raise Refusal(ApiError.MESSAGE_NOT_FOUND, details=_field(path, "this session has no such message"))
    return row


async def check_chat(edge: Edge, row: MessageRow, to: Recipient, *, path: str) -> None:
    """Raises Refusal OTHER_CHAT unless the message belongs to the chat that is written to, by whichever address."""
    if to.jid == row.chat_jid or to.display == row.chat:
        return
    others = await further_addresses(edge.database, row.customer_id, [row.session_id], to)
    if row.chat not in others:
        reason = f"that message belongs to the chat {row.chat}"
        raise Refusal(ApiError.OTHER_CHAT, details=_field(path, reason), reason=reason)


def _field(path: str, reason: str) -> dict[str, object]:
    return {"fields": [{"path": path, "reason": reason}]}


async def quote_of(edge: Edge, row: MessageRow) -> Quote:
    """The message as an answer quotes it, which names its author. Raises Refusal OTHER_NUMBER: nobody noted that."""
    number: str | None = None
    if row.direction == "out" and row.sent_at is not None:
        number = numbers.number_of(row, await numbers.numbers_linked(edge, row.session_id))
        if number == NOT_NOTED:
            raise Refusal(ApiError.OTHER_NUMBER)
    return Quote(wa_id=row.wa_id, sender=sender_of(row), text=excerpt_of(row), number=number)


async def author_to_react_to(edge: Edge, row: MessageRow) -> str | None:
    """JID of who wrote the message; None: the number that is linked now.

    Raises Refusal OTHER_NUMBER: what a former number wrote or received in a chat of two is in no chat of this one.
    """
    linked = await numbers.numbers_linked(edge, row.session_id)
    if not numbers.is_of_another(row, linked):
        return sender_of(row)
    number = numbers.number_of(row, linked)
    if not is_group(chat_of(row)) or (row.direction == "out" and not number):
        raise Refusal(ApiError.OTHER_NUMBER)
    return sender_of(row) or f"{number}{PERSON}"


def excerpt_of(row: MessageRow) -> str | None:
    """What the recipient sees of the message that is answered."""
    words = row.text or row.caption or row.file_name
    return words[:MOST_EXCERPT] if words else None


def sender_of(row: MessageRow) -> str | None:
    """JID of who wrote the message; None: this number."""
    if row.direction == "out":
        return None
    written = row.from_ or row.chat or ""
    return written if "@" in written else written + PERSON


def chat_of(row: MessageRow) -> str:
    """JID of the message's chat."""
    chat = row.chat_jid or row.chat or row.to or ""
    return chat if "@" in chat else chat + PERSON
