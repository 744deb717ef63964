"""Plays the owner of every session: answers what the edge asks over request/reply, and notes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
from nats.aio.msg import Msg

from libs.contracts.calls import AnyAsk, AnyAskAnswer

Answers = Callable[[Any], Awaitable[AnyAskAnswer | None]]


@asynccontextmanager
async def owner(url: str, answers: AnyAskAnswer | Answers) -> AsyncIterator[list[Any]]:
    """An owner while the block runs; the list holds what it was asked. `None` as an answer: it stays silent."""
    asked: list[Any] = []
    client = await nats.connect(url)

    async def answer(message: Msg) -> None:
        ask = msgspec.json.decode(message.data, type=AnyAsk)
        asked.append(ask)
        said = await answers(ask) if callable(answers) else answers
        if said is not None:
            await message.respond(msgspec.json.encode(said))

    await client.subscribe("call.session.>", cb=answer)
    await client.flush()
    try:
        yield asked
    finally:
        await client.close()
