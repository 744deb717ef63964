"""What an answer, or its absence, means for a message, and when it is tried again: pure rules."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from libs.contracts.calls import DeliverAnswer, Delivered, NotDelivered
from libs.contracts.errors import SendError
from services.sender import rows


class Silence(Enum):
    """Why there is no answer."""

    NOBODY = "nobody"
    """Nobody listens at the owner's subject, or NATS is away: nothing was handed over."""
    TIMED_OUT = "timed out"
    """No answer came in time, or the owner that was asked is gone: nobody knows."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """The schedule of attempts."""

    first_s: float = 1.0
    longest_s: float = 60.0
    handover_s: float = 0.5
    restricted_s: float = 60.0
    patience_attempts: int = 10
    recipient_longest_s: float = 600.0
    recipient_limit_s: float = 3600.0
    limited_limit_s: float = 86_400.0


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """WhatsApp took it; for another number than was asked for, if it says `to`."""

    at: datetime
    to: str | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """This attempt was refused for good."""

    code: str
    detail: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt may have left: the same ids again."""

    again_in_s: float


class NotLeft(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt certainly did not leave, and is worth another."""

    again_in_s: float
    counts: bool
    """Whether it counts against the message's patience: an owner that moves is not the message's fault."""


class NotConnected(msgspec.Struct, frozen=True, kw_only=True):
    """The session has no connection: the lane waits for it."""


class Restricted(msgspec.Struct, frozen=True, kw_only=True):
    """WhatsApp holds the number back, or this contact's messages alone."""

    for_s: float
    contact_alone: bool


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt did not leave for want of something that concerns its chat alone; after `limit_s` it has failed."""

    waiting_for: str
    again_in_s: float
    limit_s: float
    code: str
    detail: str


Verdict = Sent | Refused | Unknown | NotLeft | NotConnected | Restricted | Stuck
CERTAINLY_HERE = NotLeft | NotConnected | Restricted | Stuck
"""After these the message is where it was before the attempt."""


def pause_after(vain: int, retries: Retries) -> float:
    """Seconds to wait after `vain` vain attempts in a row (from 1): 1, 2, 4 ... 60."""
    return min(retries.longest_s, retries.first_s * 2 ** min(vain - 1, 30))


def pause_of_a_chat(vain: int, retries: Retries) -> float:
    """The same for what WhatsApp does not answer about a recipient: 1, 2, 4 ... 600."""
    return min(retries.recipient_longest_s, retries.first_s * 2 ** min(vain - 1, 30))


def steps_behind(vain: int, retries: Retries) -> bool:
    """Whether a message with this many vain attempts lets the others of its session go first."""
    return vain >= retries.patience_attempts


def judge(answer: DeliverAnswer | Silence, *, vain: int, newest_epoch: int, retries: Retries) -> Verdict:
    """What became of an attempt, the `vain`-th vain one in a row if it is one.

    An owner below the newest epoch seen is believed about what left and what did not, and about nothing else.
    """
    match answer:
        case Silence.NOBODY:
            return NotLeft(again_in_s=pause_after(vain, retries), counts=False)
        case Silence.TIMED_OUT:
            return Unknown(again_in_s=pause_after(vain, retries))
        case Delivered():
            return Sent(at=answer.at, to=answer.to)
        case NotDelivered():
            if answer.left is not False:
                return Unknown(again_in_s=_wish(answer) or pause_after(vain, retries))
            if answer.epoch < newest_epoch:
                return NotLeft(again_in_s=retries.handover_s, counts=False)
            return _certainly_not_left(answer, vain, retries)


def _certainly_not_left(answer: NotDelivered, vain: int, retries: Retries) -> Verdict:
    match answer.code:
        case SendError.NOT_CONNECTED:
            return NotConnected()
        case SendError.RESTRICTED | SendError.CONTACT_RESTRICTED:
            alone = answer.code == SendError.CONTACT_RESTRICTED
            return Restricted(for_s=_wish(answer) or retries.restricted_s, contact_alone=alone)
        case SendError.STALE | SendError.SUSPENDED | SendError.OTHER_NUMBER:
            return NotLeft(again_in_s=_wish(answer) or retries.handover_s, counts=False)
        case SendError.LOOKUP_LIMITED | SendError.LOOKUP_FAILED | SendError.NOT_UPLOADED:
            is_limited = answer.code == SendError.LOOKUP_LIMITED
            return Stuck(
                waiting_for=rows.FOR_UPLOAD if answer.code == SendError.NOT_UPLOADED else rows.FOR_LOOKUP,
                again_in_s=_wish(answer) or pause_of_a_chat(vain, retries),
                limit_s=retries.limited_limit_s if is_limited else retries.recipient_limit_s,
                code=answer.code,
                detail=answer.detail,
            )
        case _ if answer.retryable:
            return NotLeft(again_in_s=_wish(answer) or pause_after(vain, retries), counts=True)
        case _:
            return Refused(code=answer.code, detail=answer.detail)


def _wish(answer: NotDelivered) -> float | None:
    """The owner's own wish for the pause, if it has a sensible one."""
    return answer.retry_in_s if answer.retry_in_s is not None and answer.retry_in_s > 0 else None
