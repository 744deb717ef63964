"""Customer endpoints for what was queued under a number that is linked no more: release it, or discard it."""

from __future__ import annotations

import msgspec
from litestar import Response, Router, post
from litestar.di import NamedDependency

from libs.contracts.commands import DiscardQueue, ReleaseQueue
from services.api import confirmations
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.languages import Localized, localized
from services.api.messages.deciding import Decided, decide
from services.api.routes.sessions import SessionRef
from services.api.sentences import Phrase


class QueueDecision(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages waited for the decision."""

    messages: int


class QueueAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a decision."""

    data: QueueDecision
    message: Localized
    success: bool = True


@post("/sessions/{session_ref:str}/queue/release", operation_id="release_queue", status_code=202)
async def release_queue(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> Response[QueueAnswer]:
    """Send what was queued under a former number from the number that is linked now.

    These messages have `waitingFor: former_number`; scheduled ones keep their time. A reaction fails instead: it
    belongs to a chat of the former number. 200 when it was seen to be done, 202 when it will be.
    """
    caller.require("send")
    session = await session_for(edge, caller, session_ref)
    return _answer(
        await decide(edge, session, ReleaseQueue), confirmations.QUEUE_RELEASED, confirmations.QUEUE_TO_BE_RELEASED
    )


@post("/sessions/{session_ref:str}/queue/discard", operation_id="discard_queue", status_code=202)
async def discard_queue(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> Response[QueueAnswer]:
    """Cancel what was queued under a former number (`waitingFor: former_number`). Each can still be sent again."""
    caller.require("send")
    session = await session_for(edge, caller, session_ref)
    return _answer(
        await decide(edge, session, DiscardQueue), confirmations.QUEUE_CANCELLED, confirmations.QUEUE_TO_BE_CANCELLED
    )


def _answer(decided: Decided, done_is: Phrase, will_be: Phrase) -> Response[QueueAnswer]:
    message = confirmations.NOTHING_TO_DECIDE if decided.messages == 0 else done_is if decided.is_done else will_be
    answer = QueueAnswer(data=QueueDecision(messages=decided.messages), message=localized(message))
    return Response(answer, status_code=200 if decided.is_done else 202)


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[release_queue, discard_queue],
    tags=["Messages"],
)
