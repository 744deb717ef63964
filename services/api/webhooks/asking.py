"""Asks the owner of a webhook's deliveries, over NATS request/reply, and turns what it cannot do into a refusal."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import nats.errors

from libs.contracts.calls import AnyWebhookAnswer, AnyWebhookAsk, AskFailed
from libs.contracts.errors import ApiError
from libs.contracts.ids import webhook_call_subject
from services.api.context import Edge
from services.api.errors import Refusal, unavailable

A = TypeVar("A")

NOBODY_FOR_S = 4.0
"""A shard that moves has a new owner within 5 s, and a planned move takes 1 s."""
ASK_AGAIN_S = 0.2


async def asked(edge: Edge, shard: int, ask: AnyWebhookAsk, answer: type[A]) -> A:
    """What the shard's owner answers. Raises Refusal 404, 409, or 503 when nobody answers."""
    edge.require_bus()
    found = await _answer_of(edge, shard, ask)
    if isinstance(found, answer):
        return found
    if isinstance(found, AskFailed) and found.code == "GONE":
        raise Refusal(ApiError.NOT_FOUND, what="webhook or delivery")
    if isinstance(found, AskFailed) and found.code == "NOT_POSSIBLE":
        raise Refusal(ApiError.NOT_POSSIBLE, reason=found.detail.rstrip("."))
    raise unavailable()


async def _answer_of(edge: Edge, shard: int, ask: AnyWebhookAsk) -> AnyWebhookAnswer:
    deadline = asyncio.get_running_loop().time() + NOBODY_FOR_S
    while True:
        try:
            answer: AnyWebhookAnswer = await edge.bus.ask(
                webhook_call_subject(shard), ask, AnyWebhookAnswer, timeout_s=edge.settings.ask_s
            )
        except nats.errors.NoRespondersError as error:  # nothing was delivered: asking again is safe
            if asyncio.get_running_loop().time() >= deadline:
                raise unavailable() from error
            await asyncio.sleep(ASK_AGAIN_S)
        except TimeoutError as error:
            raise unavailable() from error
        else:
            return answer
