"""What the broker holds of what came in: the facts that the sessions told, and the frames that customers saw."""

from __future__ import annotations

from typing import Any

import msgspec
import nats
from nats.aio.msg import Msg

from libs.contracts.ids import EVENTS, UPDATES
from tests.processes import PATIENCE_S


async def facts_of_received(nats_url: str) -> dict[str, dict[str, Any]]:
    """The facts about what came in (messages, and what could not be read), by id: a repeat has the same one."""
    facts = [msgspec.json.decode(message.data) for message in await all_in(nats_url, EVENTS, "fact.received.>")]
    return {fact["id"]: fact for fact in facts}


async def frames_of_received(nats_url: str) -> list[dict[str, Any]]:
    """Every frame about a message that came in, in order."""
    subject = "updates.*.*.*.message.received"
    return [msgspec.json.decode(message.data) for message in await all_in(nats_url, UPDATES, subject)]


async def all_in(nats_url: str, stream: str, subject: str) -> list[Msg]:
    """Every message that lies there now, however long the server takes to hand it out."""
    client = await nats.connect(nats_url)
    try:
        subscription = await client.jetstream().subscribe(subject, stream=stream, ordered_consumer=True)
        info = await subscription.consumer_info()
        there = (info.num_pending or 0) + (info.delivered.consumer_seq if info.delivered else 0)
        return [await subscription.next_msg(PATIENCE_S) for _ in range(there)]
    finally:
        await client.close()
