"""How a session looks on the devices page, and what a person may do about it. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from libs.contracts.events import SessionStatus
from libs.contracts.records import Pacing
from libs.contracts.stages import CONNECT_FAILED
from services.api.dashboard.rendering import Clock
from services.api.dashboard.words import Say
from services.api.sessions.reasons import why_in
from services.api.sessions.store_sessions import Queue, Seen
from services.api.sessions.views import CONNECTED

NEEDS_A_PERSON = (
    *(SessionStatus.QR_READY, SessionStatus.PASSKEY_REQUIRED, SessionStatus.RESTRICTED),
    *(SessionStatus.LOGGED_OUT, SessionStatus.BANNED, SessionStatus.FAILED, SessionStatus.CREATED),
)
SIMULATED = ("simulator", "scripted")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A session, ready to be shown. `advice` is empty where nothing is to be done."""

    id: str
    name: str
    network: str
    status: str
    phone: str | None
    advice: str
    waiting: int
    undecided: int
    """Messages that were queued under a number that is linked no more."""
    last_seen: datetime | None
    created_at: datetime
    is_running: bool
    is_linked: bool
    is_degraded: bool
    is_default: bool
    has_proxy: bool
    device_name: str
    """How the phone lists it; empty: as this deployment says."""
    pacing: Pacing | None
    """None: the default of its network."""
    can_link: bool
    """Whether the person is offered the link dialog."""

    @property
    def needs_a_person(self) -> bool:
        """Whether it stands under "needs attention"."""
        return bool(self.advice)


def card_of(seen: Seen, queue: Queue, say: Say, clock: Clock) -> Card:
    """The session as its card shows it."""
    record, state = seen.record, seen.state
    linked = state is not None and state.linked
    return Card(
        id=record.id,
        name=record.name,
        network=record.engine,
        status=seen.status.value,
        phone=state.phone if state else None,
        advice=advice_on(seen, say, clock),
        waiting=queue.open,
        undecided=queue.undecided,
        last_seen=state.last_seen_at if state else None,
        created_at=record.created_at,
        is_running=record.running,
        is_linked=linked,
        is_degraded=bool(state and state.degraded and seen.status in CONNECTED),
        is_default=record.is_default,
        has_proxy=record.proxy is not None,
        device_name=record.device_name or "",
        pacing=record.pacing,
        can_link=not linked and seen.status is not SessionStatus.BANNED,
    )


def advice_on(seen: Seen, say: Say, clock: Clock) -> str:
    """What a person can do about it; nothing to do is nothing said."""
    state, status = seen.state, seen.status
    if status is SessionStatus.STOPPED:
        return say("advice.unlinked") if state is not None and not state.linked else ""
    if status not in NEEDS_A_PERSON:
        if state is None or state.reason != CONNECT_FAILED:
            return ""
        reason = why_in(state, clock.language)
        return say("advice.connect_failed", reason=reason)
    if status is SessionStatus.RESTRICTED and state is not None and state.resume_at is not None:
        return say("advice.restricted_until", until=clock.moment(state.resume_at))
    reason = why_in(state, clock.language) or say("advice.no_reason")
    return say(f"advice.{status.value}", reason=reason)
