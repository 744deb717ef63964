"""A replica of sessions is stopped as planned while others ask it: nobody waits for an answer that never comes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import nats.errors
import pytest

from libs.contracts import calls
from libs.contracts.ids import deliver_subject, new_session_id, session_call_subject, shard_of
from tests.integration.sessions.world import HI, NUMBER, SHARDS, World
from tests.processes import PATIENCE_S, eventually

EVERY_S, DELAY_MS = 0.02, 600
TO = "6281999@s.whatsapp.net"


async def asked_once(world: World, session: str, number: int, kind: str) -> str:
    """What the request comes to: the name of its answer, or `nobody`. Raises TimeoutError when it is swallowed."""
    shard = shard_of(session, SHARDS)
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE_S)
    request: Any = calls.ListGroups(session_id=session)
    subject = session_call_subject("scripted", shard)
    answers: Any = calls.AnyAskAnswer
    if kind == "hand over":
        request = calls.Deliver(
            session_id=session, message_id="m", wa_id=f"3EB0{number}", to=TO, content=HI, epoch=1, deadline=deadline
        )
        subject, answers = deliver_subject("scripted", shard), calls.DeliverAnswer
    try:
        answer: Any = await world.bus.ask(subject, request, answers, timeout_s=PATIENCE_S)
    except nats.errors.NoRespondersError:
        return "nobody"
    return f"{type(answer).__name__} {getattr(answer, 'code', '')}".strip()


@pytest.mark.parametrize(
    ("kind", "possible"),
    [
        ("ask", {"GroupsFound", "AskFailed TEMPORARY", "nobody"}),
        ("hand over", {"Delivered", "NotDelivered OUTCOME_UNKNOWN", "NotDelivered NOT_CONNECTED", "nobody"}),
    ],
)
async def test_every_request_is_answered_or_meets_nobody(world: World, kind: str, possible: set[str]) -> None:
    session = new_session_id()
    async with world.sessions() as process:
        await process.ready()
        await world.link(session)
        await world.control("POST", "/faults", kind="delay", phone=NUMBER, ms=DELAY_MS)
        asking = [asyncio.create_task(asked_once(world, session, 0, "hand over"))]
        await eventually(world.has_met_a_fault)

        stopping = asyncio.create_task(process.drain())
        while not stopping.done():
            asking.append(asyncio.create_task(asked_once(world, session, len(asking), kind)))
            await asyncio.sleep(EVERY_S)
        first, *others = await asyncio.gather(*asking)
        assert await stopping == 0
    assert first == "Delivered"
    assert set(others) <= possible
