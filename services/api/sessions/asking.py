"""Asks the owner of a session, over NATS request/reply, and turns what it cannot do into a refusal."""

from __future__ import annotations

import asyncio
import math
from typing import TypeVar

import nats.errors

from libs.contracts.calls import AnyAsk, AnyAskAnswer, AskFailed, Change, CheckNumbers, FetchMedia
from libs.contracts.errors import ApiError
from libs.contracts.ids import session_call_subject, shard_of
from libs.contracts.records import SessionRecord
from libs.runtime import logs
from services.api.context import Edge
from services.api.errors import Refusal, too_large
from services.api.sentences import Phrase
from services.api.sessions.reasons import unreached

A = TypeVar("A")

NOBODY_FOR_S = 4.0
"""How long nobody may listen: a shard that moves has a new owner within 5 s, and a planned move takes 1 s."""
ASK_AGAIN_S = 0.2
RETRY_AFTER_S = "5"
LOOK_UPS_PAUSE_S = 60.0
"""What `Retry-After` says when the owner does not know."""

log = logs.get()


async def asked(
    edge: Edge, session: SessionRecord, ask: AnyAsk, answer: type[A], *, within_s: float | None = None
) -> A:
    """What the owner answers, within `ask_s` of the settings unless `within_s` says otherwise.

    Raises Refusal: SESSION_UNREACHABLE (503) when nobody answers, NOT_CONFIRMED (504) when a change may have been made
    all the same, or what the owner's `AskFailed` means.
    """
    edge.require_bus()
    found = await _answer_of(edge, session, ask, within_s or edge.settings.ask_s)
    if isinstance(found, AskFailed):
        raise _refusal_of(ask, found)
    if not isinstance(found, answer):
        log.error("a session's owner answered something else", asked=type(ask).__name__, got=type(found).__name__)
        raise Refusal(ApiError.INTERNAL)
    return found


async def _answer_of(edge: Edge, session: SessionRecord, ask: AnyAsk, within_s: float) -> AnyAskAnswer:
    subject = session_call_subject(session.engine, shard_of(session.id, edge.settings.shards))
    deadline = asyncio.get_running_loop().time() + min(NOBODY_FOR_S, within_s)
    while True:
        try:
            answer: AnyAskAnswer = await edge.bus.ask(subject, ask, AnyAskAnswer, timeout_s=within_s)
        except nats.errors.NoRespondersError as error:  # nothing was delivered: asking again is safe
            if asyncio.get_running_loop().time() >= deadline:
                raise _unreachable("no service holds it") from error
            await asyncio.sleep(ASK_AGAIN_S)
        except TimeoutError as error:
            raise _unclear(ask, f"no answer came within {within_s:g} s") from error
        else:
            return answer


def _unreachable(reason: str) -> Refusal:
    return Refusal(ApiError.SESSION_UNREACHABLE, headers={"Retry-After": RETRY_AFTER_S}, reason=reason)


def unreached_refusal(cause: str | None) -> Refusal:
    """WhatsApp cannot be reached, and why."""
    reason = unreached(cause)
    return Refusal(ApiError.WHATSAPP_UNREACHABLE, headers={"Retry-After": RETRY_AFTER_S}, reason=reason)


def _unclear(ask: AnyAsk, reason: str) -> Refusal:
    return Refusal(ApiError.NOT_CONFIRMED, reason=reason) if isinstance(ask, Change) else _unreachable(reason)


def _too_large_here() -> Refusal:
    return Refusal(ApiError.PAYLOAD_TOO_LARGE, what="medium", limit=Phrase("this deployment", "instalasi ini"))


def _refusal_of(ask: AnyAsk, failed: AskFailed) -> Refusal:
    reason = failed.detail.rstrip(".")
    match failed.code:
        case "NOT_CONNECTED":
            return Refusal(ApiError.SESSION_NOT_CONNECTED)
        case "REFUSED":
            return Refusal(ApiError.REFUSED_BY_WHATSAPP, reason=reason)
        case "LIMITED" if isinstance(ask, CheckNumbers):
            retry_after_s = math.ceil(failed.retry_in_s or LOOK_UPS_PAUSE_S)
            return Refusal(ApiError.LOOKUPS_LIMITED, headers={"Retry-After": str(retry_after_s)})
        case "LIMITED":
            return Refusal(ApiError.REFUSED_BY_WHATSAPP, reason=reason)
        case "UNREACHABLE":
            return unreached_refusal(failed.cause)
        case "NOT_POSSIBLE":
            return Refusal(ApiError.NOT_POSSIBLE, reason=reason)
        case "TOO_LARGE":
            return too_large("medium", ask.most_bytes) if isinstance(ask, FetchMedia) else _too_large_here()
        case "GONE":
            return Refusal(ApiError.MEDIA_GONE)
        case "TIMEOUT" | "INTERRUPTED":
            return _unclear(ask, reason)
        case _:  # TEMPORARY, and what a later owner may say
            return _unreachable(reason)
