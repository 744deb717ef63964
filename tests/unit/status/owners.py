"""Owners of shards over stores and buses in memory, alone or several in one process."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from libs.contracts.events import AnyFact
from libs.contracts.ids import shard_of
from libs.runtime.crash import CrashPoints
from libs.runtime.feeds import Delivery
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.status.handlers import FactHandler
from services.status.publishing import Publisher, ShardStream
from services.status.rounds import Rounds
from services.status.turns import Shard
from tests.unit.status.builders import SESSION, deliveries, progressed, queued
from tests.unit.status.memory import MemoryBus, MemoryStore

SHARDS = 32
SHARD = shard_of(SESSION, SHARDS)


class Owner:
    """A new owner of the tests' shard, alone in its process."""

    def __init__(self, store: MemoryStore, bus: MemoryBus, epoch: int = 1) -> None:
        self._rounds = rounds_over(store, bus)
        self._shard = shard(SHARD, epoch)

    async def handle(self, batch: list[Delivery[AnyFact]]) -> None:
        await self._rounds.handle(self._shard, batch)


def rounds_over(store: MemoryStore, bus: MemoryBus) -> Rounds:
    publisher = Publisher(cast(Any, bus), SHARDS)
    return Rounds(FactHandler(store=cast(Any, store), publisher=publisher, crash=CrashPoints("")), moment_s=0)


def shard(number: int, epoch: int = 1) -> Shard:
    lease = Lease(number, epoch, confirmed_at=0, timing=Timing())
    return Shard(lease, ShardStream(lease))


def types(bus: MemoryBus) -> list[str]:
    return [frame.type for frame in bus.frames()]


def messages_of(session: str, number: int) -> list[AnyFact]:
    """So many messages of a session, queued and sent."""
    about = [
        {
            "session_id": session,
            "wa_id": f"3EB0{session}{n}",
            "message_id": f"019a9d3c-7c00-7000-8{SESSIONS.index(session):03d}-{n:012x}",
        }
        for n in range(number)
    ]
    return [
        *[queued(f"q{each['wa_id']}", **each) for each in about],
        *[progressed("sent", f"s{each['wa_id']}", **each) for each in about],
    ]


SESSIONS = [f"session{number}" for number in range(5)]


async def handled_at_once(rounds: Rounds, facts: dict[str, list[AnyFact]], epoch: int = 1) -> list[Any]:
    """Hand the batches of all these sessions' shards over at the same moment; their errors, None where all is well."""
    shards = {session: shard(shard_of(session, SHARDS), epoch) for session in facts}
    assert len({each.lease.shard for each in shards.values()}) == len(facts)
    work = [rounds.handle(shards[session], deliveries(batch)) for session, batch in facts.items()]
    return await asyncio.gather(*work, return_exceptions=True)
