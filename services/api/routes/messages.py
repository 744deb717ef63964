"""Messages: send any kind, list, and read one with its history."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, QueryParameter

from services.api import confirmations
from services.api.access.admission import admit_message
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.errors import invalid
from services.api.languages import localized
from services.api.messages import store_messages
from services.api.messages.composing import wishes_of
from services.api.messages.drafting import draft_of
from services.api.messages.filters import wanted_messages
from services.api.messages.finding import message_for, row_of_command
from services.api.messages.new_messages import AnyNewMessage
from services.api.messages.sending import Accepted, Draft, accept, check_session, command_of
from services.api.messages.store_messages import Wanted
from services.api.messages.views import MessageAnswer, MessageList, MessageRef, Paging, SendAnswer, message_object
from services.api.routes import actions
from services.api.times import iso

MOST_LISTED = 200

# --- Sending ---------------------------------------------------------------------------------------------------------


@post("/sessions/{session_ref:str}/messages", operation_id="send_message", status_code=202)
async def send_message(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session_ref: FromPath[str],
    data: JSONBody[AnyNewMessage],
) -> Response[SendAnswer]:
    """Send a message. 202 once it is stored for good; 200 when `Prefer: wait=N` saw it leave.

    `Idempotency-Key` makes a repeat safe for a day.
    """
    caller.require("send")
    session = await session_for(edge, caller, session_ref)
    await check_session(edge, session)
    draft = await draft_of(edge, caller, session, data)
    await admit_message(edge, caller)
    accepted = await accept(edge, draft, wishes_of(edge, request))
    return Response(
        _send_answer(edge, draft, accepted),
        status_code=200 if accepted.is_settled else 202,
        headers={"Idempotent-Replayed": "true"} if accepted.replayed else None,
    )


def _send_answer(edge: Edge, draft: Draft, accepted: Accepted) -> SendAnswer:
    shown = accepted.shown or store_messages.shown(row_of_command(edge, command_of(draft, accepted)))
    return SendAnswer(
        message_id=accepted.message_id,
        status=accepted.status,
        timestamp=iso(accepted.accepted_at),
        message=localized(confirmations.MESSAGE_IN[accepted.status]),
        data=message_object(shown),
    )


# --- Reading ---------------------------------------------------------------------------------------------------------


@get("/messages", operation_id="list_messages")
async def list_messages(
    edge: NamedDependency[Edge],
    wanted: NamedDependency[Wanted],
    cursor: Annotated[str | None, QueryParameter(max_length=400)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LISTED)] = 50,
) -> MessageList:
    """The customer's messages, newest first, in pages. What comes in meanwhile moves none of them to another page."""
    try:
        page = await store_messages.messages_newest_first(edge.database, wanted, after=cursor or None, limit=limit)
    except ValueError as error:
        raise invalid("cursor", "it is not a cursor of this list") from error
    shown = [message_object(store_messages.shown(row)) for row in page.rows]
    paging = Paging(limit=limit, next=page.next, has_more=page.next is not None)
    return MessageList(messages=shown, data=shown, pagination=paging)


@get("/messages/{message_id:str}", operation_id="get_message")
async def get_message(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], message_id: MessageRef
) -> MessageAnswer:
    """One message with everything that became of it; known from the moment it was accepted."""
    caller.require("read")
    row = await message_for(edge, caller, message_id)
    return MessageAnswer(data=message_object(store_messages.shown_with_history(row)))


PLACE = "/api/customer/whatsapp"
sending = Router(path=PLACE, route_handlers=[send_message], tags=["Messages"])
"""Apart, since media come within its JSON."""
router = Router(
    path=PLACE,
    dependencies={"wanted": Provide(wanted_messages)},
    route_handlers=[list_messages, get_message, *actions.handlers],
    tags=["Messages"],
)
