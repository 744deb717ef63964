"""Begins a link and waits for its first QR code: what GET qr does in both dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from libs.contracts.errors import ApiError
from libs.contracts.events import SessionStatus
from libs.contracts.stages import CONNECT_FAILED
from services.api.context import Edge
from services.api.errors import Refusal, unavailable
from services.api.live.hub import WatchedFrame
from services.api.sessions import desired, store_sessions
from services.api.sessions.reasons import why
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import CONNECTED, code_of
from services.api.times import now

LOOK_EVERY_S = 0.5
FRESH = timedelta(seconds=3)
"""An attempt that failed this short a time ago is not repeated at once for whoever asks."""
UNDER_WAY = (SessionStatus.STARTING, SessionStatus.CONNECTING, SessionStatus.RECONNECTING)
AT_REST = (SessionStatus.CREATED, SessionStatus.STOPPED, SessionStatus.LOGGED_OUT, SessionStatus.FAILED)


def is_seen(seen: Seen) -> bool:
    """Whether the owner has seen every start and logout that was asked for."""
    record, state = seen.record, seen.state
    if state is None:
        return False
    return state.seen_starts >= record.starts and state.seen_logouts >= record.logouts


def needs_start(seen: Seen, at: datetime) -> bool:
    """Whether nobody links this session now, nor is about to; or only after a pause, WhatsApp being out of reach."""
    asked = seen.record.running and seen.record.starts > 0
    if asked and not is_seen(seen):
        return False
    return seen.status in AT_REST or (is_unreached(seen) and not _is_fresh(seen, at))


def is_unreached(seen: Seen) -> bool:
    """Whether the last attempt to connect, as it is wanted now, did not reach WhatsApp."""
    state = seen.state
    if state is None or state.seen_version < seen.record.version:
        return False
    return state.status in UNDER_WAY and state.reason == CONNECT_FAILED


def _is_fresh(seen: Seen, at: datetime) -> bool:
    return seen.state is not None and at - seen.state.updated_at < FRESH


def is_settled(seen: Seen, *, besides: str | None) -> bool:
    """Whether waiting has an end: a code (other than `besides`), a connection, or a state from which no code comes.

    An attempt that did not reach WhatsApp is such a state: it is repeated after a pause.
    """
    if not is_seen(seen):
        return False
    if seen.status in CONNECTED or seen.status in (SessionStatus.BANNED, SessionStatus.FAILED) or is_unreached(seen):
        return True
    code = code_of(seen, now())
    return code is not None and code != besides


def banned(seen: Seen) -> Refusal:
    """WhatsApp has banned the number, and why where it said so."""
    reason = why(seen.state)
    return Refusal(ApiError.SESSION_BANNED, reason=reason or "no reason was given")


async def begun(edge: Edge, seen: Seen) -> Seen:
    """The session, its link begun when nothing else would begin it."""
    return await desired.start_once(edge, seen) if needs_start(seen, now()) else seen


async def settled(edge: Edge, seen: Seen, *, wait_s: float, besides: str | None = None) -> Seen:
    """The session as soon as it `is_settled`, at the latest after `wait_s`."""
    return await _until(edge, seen, lambda now_seen: is_settled(now_seen, besides=besides), wait_s)


async def until_begun(edge: Edge, seen: Seen, *, wait_s: float) -> Seen:
    """The session as soon as its link goes on, by code or otherwise; at the latest after `wait_s`."""
    return await _until(edge, seen, lambda now_seen: is_seen(now_seen) and now_seen.status not in AT_REST, wait_s)


async def _until(edge: Edge, seen: Seen, is_it: Callable[[Seen], bool], wait_s: float) -> Seen:
    """A frame of the session wakes it; it also looks by itself, for the live feed may be behind.

    Raises Refusal SERVICE_UNAVAILABLE when the edge ends: another answers the next try.
    """
    deadline = asyncio.get_running_loop().time() + wait_s
    while not is_it(seen):
        with edge.hub.watch(seen.record.id, _is_about_session) as watch:
            seen = msgspec.structs.replace(seen, state=await store_sessions.state_of(edge.database, seen.record.id))
            left_s = deadline - asyncio.get_running_loop().time()
            if is_it(seen) or left_s <= 0:
                break
            if edge.hub.waits_are_over:
                raise unavailable()
            await watch.first(min(LOOK_EVERY_S, left_s))
    return seen


def _is_about_session(frame: WatchedFrame) -> bool:
    return frame.type.startswith("session.")
