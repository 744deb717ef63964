"""How sessions look to customers: one object with the keys of both dialects, and the envelope around every answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from libs.contracts.events import SessionStatus
from libs.contracts.records import Pacing
from libs.contracts.stages import Stage, stage_of
from services.api.errors import invalid
from services.api.languages import Localized, localized
from services.api.sentences import Phrase
from services.api.sessions.reasons import why
from services.api.sessions.store_sessions import Seen
from services.api.times import Time, iso, iso_or_none

Dialect = Literal["upper", "lower", "single"]

_DIALECTS: dict[SessionStatus, tuple[str, str, str]] = {
    SessionStatus.CREATED: ("DISCONNECTED", "disconnected", "DISCONNECTED"),
    SessionStatus.STOPPED: ("DISCONNECTED", "disconnected", "DISCONNECTED"),
    SessionStatus.LOGGED_OUT: ("DISCONNECTED", "disconnected", "DISCONNECTED"),
    SessionStatus.STARTING: ("CONNECTING", "connecting", "CONNECTING"),
    SessionStatus.CONNECTING: ("CONNECTING", "connecting", "CONNECTING"),
    SessionStatus.RECONNECTING: ("CONNECTING", "connecting", "CONNECTING"),
    SessionStatus.QR_READY: ("CONNECTING", "qr_generated", "QR_READY"),
    SessionStatus.PASSKEY_REQUIRED: ("CONNECTING", "connecting", "PAIRING"),
    SessionStatus.CONNECTED: ("CONNECTED", "connected", "CONNECTED"),
    SessionStatus.RESTRICTED: ("CONNECTED", "connected", "CONNECTED"),
    SessionStatus.FAILED: ("ERROR", "error", "DISCONNECTED"),
    SessionStatus.BANNED: ("ERROR", "error", "DISCONNECTED"),
}
_COLUMN: dict[Dialect, int] = {"upper": 0, "lower": 1, "single": 2}
CONNECTED = (SessionStatus.CONNECTED, SessionStatus.RESTRICTED)


def ok(data: Any, **flat: Any) -> dict[str, Any]:
    """The envelope of a success; `flat` are the further keys beside `data`."""
    return {"success": True, "data": data, **flat}


def in_dialect(status: SessionStatus, dialect: Dialect) -> str:
    """The status as `sessions[]`, `data` or the single-session endpoints say it."""
    return _DIALECTS[status][_COLUMN[dialect]]


def statuses_named(text: str) -> list[SessionStatus]:
    """The statuses that go by this name in any dialect or within. Raises Refusal VALIDATION_FAILED."""
    found = [status for status, names in _DIALECTS.items() if text in (status.value, *names)]
    if not found:
        known = ", ".join(status.value for status in SessionStatus)
        raise invalid("status", f"no session has the status {text[:40]!r}; it is one of {known}")
    return found


class SessionObject(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A session. `id` and `sessionId` are the same, `name` and `sessionName` too; `qr` is a PNG as a data URL.

    `message` says in words what `reason` is for programs; `cause` goes with the reason `connect_failed`, and `stage`
    tells how far the session is on its way to WhatsApp.
    `proxy` tells only whether there is one; `deviceName` and `pacing` are null where the default holds.
    """

    id: str
    session_id: str
    name: str
    session_name: str
    status: str
    phone: str | None
    qr: str | None
    message: Localized | None
    reason: str | None
    cause: str | None
    stage: Stage | None
    engine: str
    created_at: Time
    updated_at: Time
    connected_at: Time | None
    last_seen_at: Time | None
    ai_config: dict[str, Any] | None
    is_notification: bool
    is_default: bool
    proxy: Literal["set"] | None
    device_name: str | None
    pacing: Pacing | None


class SessionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One session, in both dialects of `status`."""

    session: SessionObject
    data: SessionObject
    message: Localized | UnsetType = UNSET
    success: bool = True


class Done(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """It was done."""

    message: Localized
    data: None = None
    success: bool = True


def session_object(
    seen: Seen, dialect: Dialect, *, qr: str | None = None, waiting: Phrase | None = None
) -> SessionObject:
    """The session as this dialect shows it; `qr` is the picture of its code, `waiting` why its messages wait."""
    record, state = seen.record, seen.state
    message = why(state) or waiting
    return SessionObject(
        id=record.id,
        session_id=record.id,
        name=record.name,
        session_name=record.name,
        status=in_dialect(seen.status, dialect),
        phone=state.phone if state else None,
        qr=qr,
        message=None if message is None else localized(message),
        reason=state.reason if state else None,
        cause=state.cause if state else None,
        stage=stage_of(seen.status, state.reason if state else None),
        engine=record.engine,
        created_at=iso(record.created_at),
        updated_at=iso(max(record.updated_at, state.updated_at) if state else record.updated_at),
        connected_at=iso_or_none(state.connected_at) if state else None,
        last_seen_at=iso_or_none(state.last_seen_at) if state else None,
        ai_config=record.ai_config,
        is_notification=record.is_notification,
        is_default=record.is_default,
        proxy=None if record.proxy is None else "set",
        device_name=record.device_name,
        pacing=record.pacing,
    )


def code_of(seen: Seen, at: datetime) -> str | None:
    """The string in the QR code that can be scanned now."""
    state = seen.state
    if state is None or state.status is not SessionStatus.QR_READY or state.qr is None:
        return None
    return state.qr if state.expires_at is None or state.expires_at > at else None


def expires_in_s(seen: Seen, at: datetime) -> int | None:
    """Whole seconds until the code ends."""
    if seen.state is None or seen.state.expires_at is None:
        return None
    return max(0, int((seen.state.expires_at - at).total_seconds()))
