"""Customer endpoint for the health of a session: its state with the evidence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency

from libs.contracts.events import SessionStatus
from services.api.access.callers import Caller
from services.api.billing.standings import standing_now
from services.api.billing.terms import why_waiting
from services.api.context import Edge
from services.api.languages import Localized, localized
from services.api.routes.sessions import SessionRef, seen_for
from services.api.sentences import Phrase
from services.api.sessions import store_sessions
from services.api.sessions.reasons import why
from services.api.sessions.store_sessions import Queue, Seen
from services.api.sessions.views import in_dialect
from services.api.times import Time, iso_or_none, now

HOUR = timedelta(hours=1)
Noted = Literal["restriction", "former_number", "lookup", "upload"]
"""What sender notes of messages that wait though the session is connected; what may concern all comes first."""
WaitingFor = Literal["subscription", Noted]
WORDS: dict[Noted, Phrase] = {
    "restriction": Phrase(
        "Messages wait: WhatsApp holds them back now; they are tried again by themselves.",
        "Pesan menunggu: WhatsApp sedang menahannya; pesan dicoba lagi dengan sendirinya.",
    ),
    "former_number": Phrase(
        "{count} messages were queued under a number that is linked no more; release or discard them.",
        "{count} pesan masuk antrean dari nomor yang tidak lagi tertaut; lepaskan atau buang pesan itu.",
    ),
    "lookup": Phrase(
        "Some messages wait: WhatsApp does not say now how their recipients are reached.",
        "Sebagian pesan menunggu: WhatsApp belum memberi tahu cara menghubungi penerimanya.",
    ),
    "upload": Phrase(
        "Some messages wait: WhatsApp has not taken their files yet.",
        "Sebagian pesan menunggu: WhatsApp belum menerima berkasnya.",
    ),
}


class Restriction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """WhatsApp holds back what this number sends."""

    reason: str | None
    resume_at: Time | None


class WaitingMessages(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """So many messages wait for `reason` (as `waitingFor` of a message), the first of them until `resumeAt`."""

    reason: str
    messages: int
    resume_at: Time | None


class SessionHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The session's state with its evidence; a time is null when there was none yet."""

    session_id: str
    session_name: str
    status: str
    state: str
    """The internal state, finer than `status`."""
    wanted: Literal["running", "stopped"]
    degraded: bool
    reason: str | None
    cause: str | None
    """Why WhatsApp could not be reached, where `reason` is `connect_failed`."""
    resume_at: Time | None
    """When the state ends by itself: a restriction, or a ban."""
    connected_at: Time | None
    last_seen_at: Time | None
    """The last frame from WhatsApp; `lastFrameAt` is the same."""
    last_frame_at: Time | None
    last_ack_at: Time | None
    reconnects_last_hour: int
    next_attempt_at: Time | None
    queue_depth: int
    oldest_queued_at: Time | None
    restriction: Restriction | None
    waits: list[WaitingMessages]
    """What messages of the session say that they wait for; of a long queue the first ones."""
    awaiting_decision: int
    """Of `queueDepth`: messages that were queued under a number that is linked no more. They wait until they are
    released or discarded."""
    waiting_for: WaitingFor | None
    """Set while messages wait though the session could send: no subscription is active, WhatsApp holds messages back
    (`restriction`), `awaitingDecision` of them were queued under a former number, or WhatsApp does not say how some
    recipients are reached, or does not take their files; the others are served."""
    message: Localized | None
    """In words: why messages wait, or why the session is as it is."""


class SessionHealthAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET health."""

    data: SessionHealth
    success: bool = True


@get("/sessions/{session_ref:str}/health", operation_id="get_session_health")
async def get_session_health(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> SessionHealthAnswer:
    """The session's state with its evidence: last frame, last ack, reconnects, queue, restriction."""
    caller.require("read")
    seen = await seen_for(edge, caller, session_ref)
    queue = await store_sessions.queue_of(edge.database, seen.record)
    waiting = why_waiting(await standing_now(edge, caller.customer_id))
    return SessionHealthAnswer(data=health_of(seen, queue, now(), waiting=waiting))


def health_of(seen: Seen, queue: Queue, at: datetime, *, waiting: Phrase | None) -> SessionHealth:
    """The view, from what is stored; `waiting` says why the customer's messages wait."""
    record, state = seen.record, seen.state
    waiting_for, waits = _wait_of(queue, waiting)
    said = waits or why(state)
    return SessionHealth(
        session_id=record.id,
        session_name=record.name,
        status=in_dialect(seen.status, "lower"),
        state=seen.status.value,
        wanted="running" if record.running else "stopped",
        degraded=state.degraded if state else False,
        reason=state.reason if state else None,
        cause=state.cause if state else None,
        resume_at=iso_or_none(state.resume_at) if state else None,
        connected_at=iso_or_none(state.connected_at) if state else None,
        last_seen_at=iso_or_none(state.last_seen_at) if state else None,
        last_frame_at=iso_or_none(state.last_seen_at) if state else None,
        last_ack_at=iso_or_none(state.last_ack_at) if state else None,
        reconnects_last_hour=len([moment for moment in state.reconnected_at if at - moment < HOUR]) if state else 0,
        next_attempt_at=iso_or_none(state.next_attempt_at) if state else None,
        queue_depth=queue.open,
        oldest_queued_at=iso_or_none(queue.oldest_queued_at),
        restriction=Restriction(reason=state.reason, resume_at=iso_or_none(state.resume_at))
        if state and state.status is SessionStatus.RESTRICTED
        else None,
        waits=[
            WaitingMessages(reason=each.reason, messages=each.messages, resume_at=iso_or_none(each.resume_at))
            for each in queue.waits
        ],
        awaiting_decision=queue.undecided,
        waiting_for=waiting_for,
        message=None if said is None else localized(said),
    )


def _wait_of(queue: Queue, no_subscription: Phrase | None) -> tuple[WaitingFor | None, Phrase | None]:
    """What messages wait for though the session could send, and the same in words; what concerns all comes first."""
    if no_subscription is not None:
        return "subscription", no_subscription
    waits = {each.reason for each in queue.waits} | ({"former_number"} if queue.undecided else set[str]())
    reason: Noted | None = next((each for each in WORDS if each in waits), None)
    if reason is None:
        return None, None
    return reason, WORDS[reason].filled(count=queue.undecided)


router = Router(path="/api/customer/whatsapp", route_handlers=[get_session_health], tags=["Sessions"])
