"""How a chat looks to customers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.records import ChatLine, ChatRow
from services.api.languages import Localized
from services.api.messages.jids import is_group
from services.api.messages.views import Paging
from services.api.times import Time, iso, iso_or_none


class LastMessage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The message that came last, in or out; `text` is an excerpt of its words, caption or file name."""

    message_id: str
    direction: str
    type: str
    text: str | None
    at: Time


class ChatObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A chat. `chat` is as in messages: the number, else the JID; `name` is the contact's own, or the group's."""

    chat_id: str
    session_id: str
    chat: str
    jid: str
    phone: str | None
    lid: str | None
    name: str | None
    is_group: bool
    last_message: LastMessage
    unread: int
    last_read_at: Time | None
    created_at: Time
    updated_at: Time


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One chat."""

    data: ChatObject
    message: Localized | UnsetType = UNSET
    success: bool = True


class ChatList(msgspec.Struct, frozen=True, kw_only=True):
    """Chats, the one that moved last first."""

    chats: list[ChatObject]
    data: list[ChatObject]
    pagination: Paging
    success: bool = True


def chat_object(row: ChatRow, subjects: Mapping[str, str]) -> ChatObject:
    """The chat as the API shows it; `subjects` are what groups are called, by JID."""
    return ChatObject(
        chat_id=row.id,
        session_id=row.session_id,
        chat=shown_address(row),
        jid=row.chat_jid,
        phone=row.phone,
        lid=row.lid,
        name=subjects.get(row.chat_jid, row.name),
        is_group=is_group(row.chat_jid),
        last_message=_last_message(row.last),
        unread=row.unread,
        last_read_at=iso_or_none(row.read_at),
        created_at=iso(row.created_at),
        updated_at=iso(row.moved_at),
    )


def shown_address(row: ChatRow) -> str:
    """The number, else the JID."""
    return row.phone or row.chat_jid


def _last_message(line: ChatLine) -> LastMessage:
    return LastMessage(
        message_id=line.message_id, direction=line.direction, type=line.type, text=line.text, at=iso(line.at)
    )
