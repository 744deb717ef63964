"""Lets a key in, or not: its rates, and the note that it was used."""

from __future__ import annotations

from libs.contracts.errors import ApiError
from services.api.access.callers import Caller
from services.api.access.rates import MESSAGES, REQUESTS, Rate
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.requests import tell_in_answer


async def admit_request(edge: Edge, caller: Caller) -> None:
    """Count this request against the caller's key. Raises Refusal RATE_LIMITED; the answer's headers tell the rate."""
    if caller.key_id is None:
        return
    edge.uses.note(caller.key_id)
    if caller.requests_per_minute > 0:
        await _count(edge, caller.key_id, Rate(of=REQUESTS, per_minute=caller.requests_per_minute))


async def admit_message(edge: Edge, caller: Caller) -> None:
    """Count one message against the caller's key, right before it is accepted. Raises Refusal RATE_LIMITED."""
    if caller.key_id is not None and caller.messages_per_minute > 0:
        await _count(edge, caller.key_id, Rate(of=MESSAGES, per_minute=caller.messages_per_minute))


async def _count(edge: Edge, key_id: str, rate: Rate) -> None:
    tally = await edge.limiter.take(key_id, rate)
    tell_in_answer(tally)
    if tally.is_over:
        raise Refusal(
            ApiError.RATE_LIMITED,
            details={"limit": rate.per_minute, "of": rate.of, "windowS": 60, "resetsInS": tally.resets_in_s},
            headers={"Retry-After": str(tally.resets_in_s)},
        )
