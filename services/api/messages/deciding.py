"""What was queued under a number that is linked no more: the customer releases it, or discards it."""

from __future__ import annotations

import asyncio
import secrets

import msgspec

from libs.contracts.commands import DiscardQueue, ReleaseQueue
from libs.contracts.ids import send_subject
from libs.contracts.numbers import present_number
from libs.contracts.records import SessionRecord
from libs.runtime.bus import PublishUnclear, StreamFull
from services.api.context import Edge
from services.api.errors import unavailable
from services.api.messages import store_messages
from services.api.messages.numbers import numbers_linked
from services.api.requests import nats_headers
from services.api.sessions import store_sessions

WAIT_S = 5.0
LOOK_EVERY_S = 0.1


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How many messages waited for the decision, and whether it was seen to be carried out."""

    messages: int
    is_done: bool


async def decide(edge: Edge, session: SessionRecord, decision: type[ReleaseQueue] | type[DiscardQueue]) -> Decided:
    """Do this with all that waits for `former_number`; waits WAIT_S to see it done. May run twice.

    It counts for the number that is linked now: sender does nothing when yet another is linked meanwhile.
    Raises Refusal SERVICE_UNAVAILABLE.
    """
    number = present_number(await numbers_linked(edge, session.id))
    waiting = await store_messages.undecided_messages(edge.database, session)
    if number is None or waiting == 0:
        return Decided(messages=0, is_done=True)
    await _tell(edge, decision(customer_id=session.customer_id, session_id=session.id, number=number))
    return Decided(messages=waiting, is_done=await _is_seen(edge, session))


async def _tell(edge: Edge, command: ReleaseQueue | DiscardQueue) -> None:
    subject = send_subject(command.session_id, edge.settings.shards)
    once = f"{command.session_id}/{secrets.token_hex(6)}"
    headers, patience_s = nats_headers(), edge.settings.repeat_for_s
    try:
        await edge.bus.publish(subject, command, msg_id=once, headers=headers, repeat_for_s=patience_s)
    except (PublishUnclear, StreamFull) as error:
        raise unavailable() from error  # each of them may be done twice


async def _is_seen(edge: Edge, session: SessionRecord) -> bool:
    """Whether nothing waits any more, also as sender notes it for health and pages, within WAIT_S."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while asyncio.get_running_loop().time() < deadline:
        queue = await store_sessions.queue_of(edge.database, session)
        if queue.undecided == 0 and await store_messages.undecided_messages(edge.database, session) == 0:
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False
