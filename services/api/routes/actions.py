"""What is done to messages that exist: edit, cancel or delete for everybody, send again, mark as read."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from libs.contracts.records import MessageRow, SessionRecord
from services.api import confirmations
from services.api.access.auth import session_of
from services.api.access.callers import Caller
from services.api.chats import reading
from services.api.context import Edge
from services.api.errors import invalid
from services.api.languages import Localized, localized
from services.api.messages import acting, changing
from services.api.messages.composing import MOST_CAPTION, text_content, wishes_of
from services.api.messages.finding import message_for
from services.api.messages.views import MessageAnswer, MessageRef, answer_with
from services.api.sentences import Phrase

AnyRequest = Request[Any, Any, Any]


class MessageEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The new words of a text, or of a caption."""

    text: Annotated[str, Meta(min_length=1, max_length=65_536)]


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages were marked, the given one included."""

    messages: int


class MarkedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a read mark."""

    data: Marked
    message: Localized
    success: bool = True


@patch("/messages/{message_id:str}", operation_id="edit_message", status_code=202)
async def edit_message(
    request: AnyRequest,
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    message_id: MessageRef,
    data: JSONBody[MessageEdit],
) -> Response[MessageAnswer]:
    """Give a sent text or caption new words. 202 once that is stored; 200 when `Prefer: wait=N` saw it done."""
    caller.require("send")
    text = text_content(data.text, path="text").text
    row, session = await _found(edge, caller, message_id)
    if row.type != "text" and len(text) > MOST_CAPTION:
        raise invalid("text", f"a caption has at most {MOST_CAPTION:,} characters")
    done = await acting.edited(edge, session, row, text, wait_s=wishes_of(edge, request).wait_s)
    return _answer(done, row, done_is=confirmations.MESSAGE_EDITED, will_be=confirmations.MESSAGE_TO_BE_EDITED)


@delete("/messages/{message_id:str}", operation_id="cancel_message", status_code=200)
async def cancel_message(
    request: AnyRequest, edge: NamedDependency[Edge], caller: NamedDependency[Caller], message_id: MessageRef
) -> Response[MessageAnswer]:
    """Cancel a message that was not handed to WhatsApp yet, else delete it for everybody.

    200 when it is done (for a deletion: when `Prefer: wait=N` saw it), 202 when it will be.
    """
    caller.require("send")
    row, session = await _found(edge, caller, message_id)
    if row.direction == "out" and row.status not in acting.LEFT:
        row = await changing.cancelled(edge, row)
        done = row if row.status == changing.CANCELLED else None
        return _answer(
            done, row, done_is=confirmations.MESSAGE_CANCELLED, will_be=confirmations.MESSAGE_TO_BE_CANCELLED
        )
    done = await acting.deleted(edge, session, row, wait_s=wishes_of(edge, request).wait_s)
    return _answer(done, row, done_is=confirmations.MESSAGE_DELETED, will_be=confirmations.MESSAGE_TO_BE_DELETED)


@post("/messages/{message_id:str}/retry", operation_id="retry_message", status_code=202)
async def retry_message(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], message_id: MessageRef
) -> MessageAnswer:
    """Send a failed, cancelled or expired message again, under the same id."""
    caller.require("send")
    row = await changing.queued_again(edge, await message_for(edge, caller, message_id))
    return answer_with(row, confirmations.MESSAGE_QUEUED_AGAIN)


@post("/messages/{message_id:str}/read", operation_id="mark_message_read", status_code=202)
async def mark_message_read(
    request: AnyRequest, edge: NamedDependency[Edge], caller: NamedDependency[Caller], message_id: MessageRef
) -> Response[MarkedAnswer]:
    """Mark a message that came in, and those before it in its chat, as read. 200 when `Prefer: wait=N` saw it done."""
    caller.require("send")
    row, session = await _found(edge, caller, message_id)
    count, done = await acting.marked_read(edge, session, row, wait_s=wishes_of(edge, request).wait_s)
    await reading.note_message_read(edge, row)
    message = localized(confirmations.MESSAGES_READ if done else confirmations.MESSAGES_TO_BE_READ)
    return Response(MarkedAnswer(data=Marked(messages=count), message=message), status_code=200 if done else 202)


async def _found(edge: Edge, caller: Caller, message_id: str) -> tuple[MessageRow, SessionRecord]:
    """The message and its session. Raises Refusal MESSAGE_NOT_FOUND, SESSION_NOT_FOUND (deleted meanwhile)."""
    row = await message_for(edge, caller, message_id)
    return row, await session_of(edge, row.customer_id, row.session_id)


def _answer(
    done: MessageRow | None, before: MessageRow, *, done_is: Phrase, will_be: Phrase
) -> Response[MessageAnswer]:
    if done is None:
        return Response(answer_with(before, will_be), status_code=202)
    return Response(answer_with(done, done_is), status_code=200)


handlers = [edit_message, cancel_message, retry_message, mark_message_read]
"""Served by the router of `messages.py`: a path has one."""
