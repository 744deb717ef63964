"""`python -m tests.bench.counters`: what counting costs for each message, in Python and in MongoDB."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from libs.contracts.events import AnyFact
from libs.contracts.records import MessageRow
from libs.runtime.mongo import connect, database
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.status.counters.counting import tallies_of
from services.status.counters.store import Addition, CounterStore, ensure_indexes
from services.status.frames import Step
from services.status.projection import project, rows_of
from tests.servers import MongoServer
from tests.unit.status.builders import progressed, queued, receipt

MESSAGES = 20_000
FACTS_OF_A_MESSAGE = 3
TICKS = os.sysconf("SC_CLK_TCK")


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    python: float
    mongod: float


def facts_of(number: int, sessions: int) -> list[AnyFact]:
    """A message that is queued, sent and delivered."""
    message = f"019a9d3c-7c00-7000-8000-{number:012x}"
    about = {"session_id": f"s{number % sessions}", "wa_id": message, "message_id": message}
    receipt_of = {"session_id": about["session_id"], "wa_ids": [message]}
    return [
        queued(f"q{number}", **about),
        progressed("sent", f"s{number}", 0.1, **about),
        receipt("delivered", f"d{number}", 1, **receipt_of),
    ]


def rounds_of(sessions: int, facts_in_a_round: int) -> list[list[Step]]:
    """The steps of all messages, a round's together; what is behind `project` is not measured."""
    facts = [fact for number in range(MESSAGES) for fact in facts_of(number, sessions)]
    rows: dict[str, MessageRow] = {}
    steps: list[Step] = []
    for seq, fact in enumerate(facts, start=1):
        (named,) = rows_of(fact)
        row = project(rows.get(named), fact, seq, row=named, shard=7)
        assert row is not None
        rows[named] = row
        steps.append(Step(seq, fact, [row]))
    return [steps[start : start + facts_in_a_round] for start in range(0, len(steps), facts_in_a_round)]


async def cost_of(store: CounterStore, rounds: Sequence[list[Step]], mongod: int) -> Cost:
    lease = Lease(7, 1, confirmed_at=0, timing=Timing())
    wall, cpu, ticks = time.perf_counter(), time.process_time(), ticks_of(mongod)
    for steps in rounds:
        assert not await store.add([Addition(tally, lease) for tally in tallies_of(steps)])
    return Cost(time.perf_counter() - wall, time.process_time() - cpu, (ticks_of(mongod) - ticks) / TICKS)


def ticks_of(pid: int) -> int:
    """The CPU time of a process, its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="counters-") as directory:
        server = MongoServer(Path(directory))
        server.start()
        try:
            async with connect(server.url(), app="bench") as client:
                print("| sessions | facts in a round | us of a message: waiting | Python | mongod |", flush=True)  # noqa: T201
                for sessions, facts in ((1, 100), (1, 500), (50, 100), (50, 500), (1000, 500)):
                    db = database(client)
                    await db["counters"].drop()
                    await ensure_indexes(db, days=400)
                    cost = await cost_of(CounterStore(db), rounds_of(sessions, facts), server.pid)
                    each = " | ".join(f"{seconds / MESSAGES * 1e6:.0f}" for seconds in cost)
                    print(f"| {sessions} | {facts} | {each} |", flush=True)  # noqa: T201
        finally:
            server.kill()


if __name__ == "__main__":
    asyncio.run(main())
