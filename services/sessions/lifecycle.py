"""The life of a session: which state follows from what happened, what is told of it, and what the owner does next."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

import msgspec

from libs.contracts.events import SessionStatus as S
from libs.contracts.numbers import numbers_of, with_number
from libs.contracts.records import SessionRecord, SessionState
from libs.contracts.stages import CONNECT_FAILED, PAIRED, PROXY_NOT_ALLOWED
from services.sessions.engines import base as engine

OWNER_CHANGED = "owner_changed"
RECONNECT_CAP_S = 60.0
RECONNECT_FIRST_S = 1.0
STABLE_AFTER_S = 30.0
REPLACED_PAUSE_S = 60.0
REPLACED_WINDOW = timedelta(minutes=10)
REPLACED_LIMIT = 3
BAN_WITHOUT_END = timedelta(hours=24)
OUTDATED_AGAIN = timedelta(hours=1)
"""A deployment that was upgraded meanwhile heals by itself."""
PROXY_AGAIN = timedelta(minutes=10)
"""A deployment that allows the proxy meanwhile, or a name that leads elsewhere, heals by itself."""
END_MARGIN = timedelta(seconds=2)
"""WhatsApp tells an end in whole seconds, by a clock of its own; who comes too early is refused anew."""
PASSKEY_AT_LEAST, PASSKEY_AT_MOST = timedelta(minutes=10), timedelta(minutes=30)
"""How long a person has for the passkey: what WhatsApp's challenge says, within these."""
PAIR_CODE_FOR = timedelta(seconds=160)
"""How long a pairing code is good (engine port, `pair_code`)."""

RESTING = frozenset({S.CREATED, S.STOPPED, S.LOGGED_OUT, S.BANNED, S.FAILED})
"""No socket is open, and none will be opened before somebody, or a known end, asks for it."""
ONLINE = frozenset({S.CONNECTED, S.RESTRICTED})
"""Logged in: messages can be handed over."""
LINKING = frozenset({S.QR_READY, S.PASSKEY_REQUIRED})
"""A person is asked for something: what is shown ends at `expires_at`."""


class Next(Enum):
    """What the owner does after a step."""

    NOTHING = auto()
    OPEN = auto()
    CLOSE = auto()
    LOG_OUT = auto()
    FORGET = auto()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What follows: the new state, the frame to tell (`session.<tell>`), and what to do."""

    state: SessionState
    tell: str | None = None
    then: Next = Next.NOTHING


def changed(state: SessionState, **fields: Any) -> SessionState:
    """The state with these fields changed."""
    return msgspec.structs.replace(state, **fields)


def without_code(state: SessionState, status: S, reason: str | None = None, **fields: Any) -> SessionState:
    """The state in a new status; no code, challenge or end of a wait outlives the status it belongs to."""
    cleared: dict[str, Any] = {"qr": None, "expires_at": None, "pair_code": None, "passkey": None}
    cleared |= {"resume_at": None, "degraded": False, "cause": None}
    return changed(state, status=status, reason=reason, **(cleared | fields))


# --- What the customer wants ------------------------------------------------------------------------------------------


def next_wish(state: SessionState, wish: SessionRecord, now: datetime) -> Step | None:
    """The next step from what is to what is wanted; None when both agree. Called until it says None."""
    if not wish.live:
        return None if state.deleted else Step(state=changed(state, deleted=True), tell="deleted", then=Next.LOG_OUT)
    if state.seen_version == 0:
        return Step(state=changed(state, seen_version=wish.version), tell="created")
    if wish.version > state.seen_version:
        return Step(state=changed(_with_new_hope(state, now), seen_version=wish.version), tell="updated")
    if wish.logouts > state.seen_logouts:
        # Still wanted to run: what was started, was started after the logout, and begins a new link then.
        seen_starts = state.seen_starts if wish.running else wish.starts
        return Step(state=changed(state, seen_logouts=wish.logouts, seen_starts=seen_starts), then=Next.LOG_OUT)
    if not wish.running:
        return None if state.status in RESTING else _stop(state)
    if wish.restarts > state.seen_restarts:
        caught_up = changed(state, seen_restarts=wish.restarts, seen_starts=wish.starts, failures=0)
        return start(caught_up)
    if wish.starts > state.seen_starts:
        caught_up = changed(state, seen_starts=wish.starts, failures=0)
        return Step(state=caught_up) if caught_up.status in ONLINE | LINKING else start(caught_up)
    if state.status in RESTING and is_due(state, now):
        return start(state)
    return None


def _with_new_hope(state: SessionState, now: datetime) -> SessionState:
    """What could not reach WhatsApp is tried at once when something of it was changed: it may be the proxy."""
    if state.reason == PROXY_NOT_ALLOWED:
        return changed(state, resume_at=None, next_attempt_at=now)
    if state.reason != CONNECT_FAILED or state.next_attempt_at is None:
        return state
    return changed(state, reason=None, cause=None, resume_at=None, next_attempt_at=now)


def is_due(state: SessionState, now: datetime) -> bool:
    """Whether the owner itself has something to attempt now: the end of a ban, or the next reconnect."""
    return state.next_attempt_at is not None and state.next_attempt_at <= now


def start(state: SessionState, reason: str | None = None) -> Step:
    """Open the socket: log in where there is a link, else begin one."""
    status = S.CONNECTING if state.linked else S.STARTING
    return Step(state=without_code(state, status, reason, next_attempt_at=None), tell=status.value, then=Next.OPEN)


def _stop(state: SessionState) -> Step:
    stopped = without_code(state, S.STOPPED, next_attempt_at=None, connected_at=None)
    return Step(state=stopped, tell="stopped", then=Next.CLOSE)


def on_taken_over(state: SessionState, wish: SessionRecord) -> Step | None:
    """What a new owner does with a session whose socket its former owner held; None when it was at rest."""
    if state.status in RESTING or not wish.running or not wish.live:
        return None
    if state.linked:
        quiet = state.status in {S.CONNECTING, S.RECONNECTING}  # told with the take-over, or by the former owner
        moved = without_code(state, S.RECONNECTING, OWNER_CHANGED, next_attempt_at=None)
        return Step(state=moved, tell=None if quiet else "reconnecting", then=Next.OPEN)
    return start(state)


def after_logout(state: SessionState, *, deleted: bool, confirmed: bool) -> Step:
    """The device is unlinked (`confirmed` by WhatsApp, or not): the next link has a new number, the keys go."""
    reason = "logout" if confirmed else "logout_unconfirmed"
    out = _unlinked(state, reason)
    return Step(state=out, tell=None if deleted else "logged_out", then=Next.FORGET)


def _unlinked(state: SessionState, reason: str) -> SessionState:
    return without_code(
        state,
        S.LOGGED_OUT,
        reason,
        linked=False,
        link=state.link + 1,
        phone=None,
        jid=None,
        lid=None,
        numbers=numbers_of(state),
        linked_at=None,
        restriction=None,
        restricted_until=None,
        connected_at=None,
        next_attempt_at=None,
        failures=0,
    )


# --- What the engine says ---------------------------------------------------------------------------------------------


def on_event(state: SessionState, event: engine.Event, now: datetime) -> Step | None:
    """The step that follows from an engine's event of the present connection; None when nothing follows."""
    match event:
        case engine.Paired():
            return _paired(state, event, now)
        case engine.Connected():
            return _connected(state, event, now)
        case engine.Disconnected() if event.cause == PROXY_NOT_ALLOWED:
            return _proxy_not_allowed(state, now)
        case engine.Disconnected():
            return on_disconnected(state, event.reason, now, cause=event.cause or None)
        case engine.QrEnded():
            return on_unlinked_in_time(state)
        case engine.LoggedOut():
            gone = _unlinked(state, f"unlinked_{event.code}")
            return Step(state=gone, tell="logged_out", then=Next.FORGET)
        case engine.Replaced():
            return _replaced(state, now)
        case engine.Banned():
            return _banned(state, event, now)
        case engine.Outdated():
            return _outdated(state, now)
        case engine.Restricted():
            return _restricted(state, event, now)
        case engine.KeepaliveLost():
            return _degraded(state)
        case engine.KeepaliveRestored():
            return Step(state=changed(state, degraded=False), tell=state.status.value) if state.degraded else None
        case engine.PasskeyRequired():
            return _challenged(state, event, now)
        case engine.PasskeyConfirmation():
            return _to_compare(state, event)
        case engine.PasskeyFailed():
            return _not_taken(state)
        case _:
            return None


def on_code(state: SessionState, code: str, expires_at: datetime) -> Step:
    """A QR code is good until `expires_at`."""
    return Step(state=changed(without_code(state, S.QR_READY), qr=code, expires_at=expires_at), tell="qr")


def on_pair_code(state: SessionState, code: str, expires_at: datetime) -> Step:
    """A pairing code was made: it is to be typed on the phone until `expires_at`."""
    shown = without_code(state, S.QR_READY, pair_code=code, expires_at=expires_at)
    return Step(state=shown, tell="pair_code")


def on_unlinked_in_time(state: SessionState) -> Step:
    """Nobody scanned, typed or answered in time: an unlinked session costs nothing."""
    reason = "passkey_expired" if state.status == S.PASSKEY_REQUIRED else "qr_expired"
    return Step(state=without_code(state, S.STOPPED, reason, next_attempt_at=None), tell="stopped")


def _not_taken(state: SessionState) -> Step | None:
    """WhatsApp did not take the passkey's answer: the person may try again while the challenge stands."""
    if state.status is not S.PASSKEY_REQUIRED:
        return None
    return Step(state=changed(state, reason="refused"), tell="passkey")


def why_no_pair_code(state: SessionState, wish: SessionRecord) -> str | None:
    """Why no pairing code can be made now, as a sentence; None when one can."""
    if not wish.live or not wish.running:
        return "The session is stopped; start it first."
    if state.linked:
        return "The session is linked already; log it out to link it anew."
    if state.status is S.PASSKEY_REQUIRED:
        return "WhatsApp waits for a passkey; answer it, or start the session again."
    return None


def on_proxy_unreadable(state: SessionState) -> Step:
    """The proxy cannot be decrypted: better no connection than one around it."""
    return Step(state=_failed(state, "proxy_unreadable"), tell="failed", then=Next.CLOSE)


def _proxy_not_allowed(state: SessionState, now: datetime) -> Step | None:
    """The guard refused the proxy's address, and nothing was connected to."""
    if state.status in RESTING:
        return None
    again_at = now + PROXY_AGAIN
    refused = changed(_failed(state, PROXY_NOT_ALLOWED), next_attempt_at=again_at, resume_at=again_at)
    return Step(state=refused, tell="failed")


def _challenged(state: SessionState, event: engine.PasskeyRequired, now: datetime) -> Step:
    asked = without_code(
        state, S.PASSKEY_REQUIRED, "challenge", passkey=event.challenge, expires_at=now + _patience(event.challenge)
    )
    return Step(state=asked, tell="passkey")


def _patience(challenge: str) -> timedelta:
    try:
        told = timedelta(milliseconds=float(json.loads(challenge).get("timeout", 0)))
    except (ValueError, TypeError, AttributeError, OverflowError):
        told = PASSKEY_AT_LEAST
    return min(max(told, PASSKEY_AT_LEAST), PASSKEY_AT_MOST)


def _to_compare(state: SessionState, event: engine.PasskeyConfirmation) -> Step | None:
    """The passkey was taken. Nothing is asked of the person when WhatsApp wants no comparison."""
    if event.skip:
        return None
    asked = changed(state, status=S.PASSKEY_REQUIRED, reason="compare_code", passkey=event.code)
    return Step(state=asked, tell="passkey")


def on_disconnected(state: SessionState, reason: str, now: datetime, *, cause: str | None = None) -> Step | None:
    """The socket is gone: the next attempt comes after a random pause that grows (full jitter).

    Attempts to link that fail are told, since a person waits, unless the one before failed for the same cause.
    """
    if state.status in RESTING:
        return None
    next_at = now + timedelta(seconds=pause_before_attempt(state.failures))
    lost = [*state.reconnected_at, now][-50:] if state.status in ONLINE else state.reconnected_at
    status = S.RECONNECTING if state.linked else S.STARTING
    is_link = not state.linked and reason == CONNECT_FAILED
    is_news = is_link and (reason, cause) != (state.reason, state.cause)
    told = is_news or state.status in ONLINE | LINKING
    waiting = without_code(
        state,
        status,
        reason,
        cause=cause,
        next_attempt_at=next_at,
        resume_at=next_at,
        failures=state.failures + 1,
        reconnected_at=lost,
    )
    return Step(state=waiting, tell=status.value if told else None)


def pause_before_attempt(failures: int) -> float:
    """Seconds before the next attempt: anything from 0 to 1 s, 2 s, 4 s ... 60 s."""
    return random.uniform(0, min(RECONNECT_CAP_S, RECONNECT_FIRST_S * 2 ** min(failures, 10)))  # noqa: S311 - jitter


def on_stable(state: SessionState) -> SessionState:
    """The connection has held for 30 s: the next pause begins small again."""
    return changed(state, failures=0)


def _paired(state: SessionState, event: engine.Paired, now: datetime) -> Step:
    linked = without_code(
        state,
        S.CONNECTING,
        PAIRED,
        linked=True,
        linked_at=now,
        jid=event.jid,
        lid=event.lid or None,
        phone=phone_of(event.jid),
        numbers=with_number(numbers_of(state), phone_of(event.jid), now),
    )
    return Step(state=linked, tell="connecting")


def _connected(state: SessionState, event: engine.Connected, now: datetime) -> Step:
    online = without_code(
        state,
        S.CONNECTED,
        linked=True,
        jid=event.jid,
        lid=event.lid or None,
        phone=phone_of(event.jid),
        numbers=with_number(numbers_of(state), phone_of(event.jid), state.linked_at or now),
        connected_at=now,
        last_seen_at=now,
        next_attempt_at=None,
    )
    return _still_restricted(online, now) or Step(state=unrestricted(online), tell="connected")


def _still_restricted(state: SessionState, now: datetime) -> Step | None:
    """A login ends no restriction whose end is still to come; one without an end is told anew if it goes on."""
    if state.restriction is None or state.restricted_until is None or state.restricted_until <= now:
        return None
    held = changed(state, status=S.RESTRICTED, reason=state.restriction, resume_at=state.restricted_until)
    return Step(state=held, tell="restricted")


def unrestricted(state: SessionState) -> SessionState:
    """The state without any restriction."""
    return changed(state, restriction=None, restricted_until=None)


def on_time(state: SessionState, now: datetime) -> Step | None:
    """What follows from the clock alone: a restriction ends when WhatsApp said that it would."""
    if state.status is S.RESTRICTED and state.resume_at is not None and state.resume_at <= now:
        return _released(state)
    return None


def _released(state: SessionState) -> Step:
    return Step(state=unrestricted(changed(state, status=S.CONNECTED, reason=None, resume_at=None)), tell="connected")


def _replaced(state: SessionState, now: datetime) -> Step:
    times = [at for at in state.replaced_at if now - at < REPLACED_WINDOW] + [now]
    if len(times) >= REPLACED_LIMIT:
        return Step(state=changed(_failed(state, "replaced_elsewhere"), replaced_at=[]), tell="failed")
    again_at = now + timedelta(seconds=REPLACED_PAUSE_S)
    pausing = without_code(
        state, S.RECONNECTING, "replaced", next_attempt_at=again_at, resume_at=again_at, replaced_at=times
    )
    return Step(state=pausing, tell="reconnecting")


def _banned(state: SessionState, event: engine.Banned, now: datetime) -> Step:
    until = _end(event.until_ms)
    banned = without_code(
        state,
        S.BANNED,
        f"banned_{event.code}",
        resume_at=until,
        next_attempt_at=until or now + BAN_WITHOUT_END,
        connected_at=None,
    )
    return Step(state=banned, tell="banned")


def _restricted(state: SessionState, event: engine.Restricted, now: datetime) -> Step | None:
    if not event.active:
        return _released(state) if state.status is S.RESTRICTED else Step(state=unrestricted(state))
    until = _end(event.until_ms)
    noted = changed(state, restriction=event.kind, restricted_until=until)
    if state.status not in ONLINE:
        return Step(state=noted)
    if until is not None and until <= now:  # it says that what holds the number back is over
        return _released(state) if state.restriction == event.kind else None
    held = changed(noted, status=S.RESTRICTED, reason=event.kind, resume_at=until)
    return Step(state=held, tell="restricted")


def _outdated(state: SessionState, now: datetime) -> Step:
    again_at = now + OUTDATED_AGAIN
    refused = changed(_failed(state, "client_outdated"), next_attempt_at=again_at, resume_at=again_at)
    return Step(state=refused, tell="failed")


def _end(at_ms: int | None) -> datetime | None:
    """When a ban or a restriction that WhatsApp told the end of is certainly over."""
    return datetime.fromtimestamp(at_ms / 1000, UTC) + END_MARGIN if at_ms else None


def _degraded(state: SessionState) -> Step | None:
    if state.degraded or state.status not in ONLINE:
        return None
    return Step(state=changed(state, degraded=True), tell="degraded")


def _failed(state: SessionState, reason: str) -> SessionState:
    return without_code(state, S.FAILED, reason, next_attempt_at=None, connected_at=None)


def phone_of(jid: str) -> str:
    """The digits of a phone's JID: `6281:3@s.whatsapp.net` is 6281."""
    return jid.partition("@")[0].partition(":")[0]
