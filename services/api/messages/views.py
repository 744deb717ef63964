"""How the message endpoints answer: the message object, and the envelopes around one, a list and an acceptance."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar.params import PathParameter

from libs.contracts.records import MessageRow
from libs.contracts.updates import MessageError, MessageView
from services.api.languages import Localized, localized, localized_reason
from services.api.messages import store_messages
from services.api.sentences import Phrase
from services.api.times import Time

MessageRef = Annotated[str, PathParameter(description="The message's id.")]


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A rise of the status."""

    status: str
    at: Time
    reason: str | None = None


class MessageObject(MessageView, frozen=True, kw_only=True, rename="camel"):
    """The message object; with its history only where one message is read."""

    history: list[HistoryItem] | msgspec.UnsetType = msgspec.UNSET


class SendAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The message was accepted; `status` is `queued`, or where it got within the wait."""

    message_id: str
    status: str
    timestamp: Time
    message: Localized
    data: MessageObject
    success: bool = True


class MessageAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One message."""

    data: MessageObject
    message: Localized | msgspec.UnsetType = msgspec.UNSET
    success: bool = True


class Paging(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where the list goes on: the `cursor` of the next request, null at the end."""

    limit: int
    next: str | None
    has_more: bool


class MessageList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Messages, newest first."""

    messages: list[MessageObject]
    data: list[MessageObject]
    pagination: Paging
    success: bool = True


def message_object(shown: dict[str, Any]) -> MessageObject:
    """The message object, its error told in the language of the answer."""
    view = msgspec.convert(shown, MessageObject)
    if view.error is None:
        return view
    error = MessageError(code=view.error.code, message=localized_reason(view.error.message))
    return msgspec.structs.replace(view, error=error)


def answer_with(row: MessageRow, message: Phrase) -> MessageAnswer:
    """The message as it stands, with a sentence."""
    return MessageAnswer(data=message_object(store_messages.shown(row)), message=localized(message))
