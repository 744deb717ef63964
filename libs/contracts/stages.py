"""How far a session is on its way to WhatsApp: what a link dialog shows, in this order."""

from __future__ import annotations

from typing import Literal

from libs.contracts.events import SessionStatus as S

Stage = Literal["reaching", "code", "passkey", "keys", "connected"]
"""`reaching`: WhatsApp is being reached. `code`: a code waits to be scanned or typed. `passkey`: a person is asked for
one. `keys`: the phone has scanned, and keys are being exchanged."""

PAIRED = "paired"
"""The `reason` of a session that connects because a phone has just linked it."""
CONNECT_FAILED = "connect_failed"
"""The `reason` of a session that could not reach WhatsApp; its `cause` says why."""
PROXY_NOT_ALLOWED = "proxy_not_allowed"
"""The `reason` of a session whose proxy lies where this deployment does not connect to; the engine's `cause` too."""

_STAGES: dict[S, Stage] = {
    S.STARTING: "reaching",
    S.CONNECTING: "reaching",
    S.RECONNECTING: "reaching",
    S.QR_READY: "code",
    S.PASSKEY_REQUIRED: "passkey",
    S.CONNECTED: "connected",
    S.RESTRICTED: "connected",
}


def stage_of(status: S, reason: str | None) -> Stage | None:
    """The stage in this state; None while the session is at rest."""
    return "keys" if status is S.CONNECTING and reason == PAIRED else _STAGES.get(status)
