"""Counters on a real MongoDB, and kept by real processes that die: each rise once, whatever comes again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.counters import DAY, QUARTER, Counter
from libs.runtime.bus import Bus
from libs.runtime.mongo import Database, from_document
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.status.counters.counting import Place, Tally, tallies_of
from services.status.counters.store import Addition, CounterStore, Fence
from tests.integration.status.stream import SESSIONS, SHARDS, expected_frames, publish
from tests.integration.status.test_service import STATUS, all_are_told
from tests.processes import service
from tests.unit.status.builders import CUSTOMER, SESSION, T0, progressed, queued, receipt
from tests.unit.status.test_counting import steps_of

COUNTED = ("queued", "sent", "delivered", "read", "received")


@pytest.fixture
def common(nats_url: str, mongodb_url: str) -> dict[str, Any]:
    return {"nats_url": nats_url, "mongodb_url": mongodb_url, "shards": str(SHARDS), "log_level": "warning"}


def lease(epoch: int = 1) -> Lease:
    return Lease(7, epoch, confirmed_at=0, timing=Timing())


def tally(*seqs: int, session: str = SESSION, at: datetime = T0) -> Tally:
    """So many messages sent, with these facts."""
    return Tally(
        Place(CUSTOMER, 7, session, "text", QUARTER, int(at.timestamp()) // 900), [(seq, {"sent": 1}) for seq in seqs]
    )


async def sums(db: Database, span: str) -> dict[str, int]:
    """What the counters of all sessions come to."""
    group = {"_id": None, **{name: {"$sum": f"${name}"} for name in COUNTED}}
    async for row in await db["counters"].aggregate([{"$match": {"span": span}}, {"$group": group}]):
        return {name: row[name] for name in COUNTED}
    return dict.fromkeys(COUNTED, 0)


# --- The store -------------------------------------------------------------------------------------------------------


async def test_a_row_holds_what_was_added_and_by_whom(db: Database) -> None:
    facts = [queued(), progressed("sent", seconds=0.3), receipt("delivered", seconds=2)]
    additions = [Addition(each, lease(3)) for each in tallies_of(steps_of(*facts)) if each.place.span == QUARTER]
    assert await CounterStore(db).add(additions) == {}
    rows = [from_document(Counter, row) async for row in db["counters"].find().sort("at", 1)]
    assert {(row.customer_id, row.session_id, row.type, row.span, row.epoch) for row in rows} == {
        (CUSTOMER, SESSION, "text", QUARTER, 3)
    }
    assert sum(row.queued + row.sent + row.delivered for row in rows) == 3
    assert sum(row.sent_after.ms for row in rows) == 300
    assert sum(row.delivered_after.parts.get("3", 0) for row in rows) == 1
    assert rows[-1].seq == 3


async def test_what_was_added_is_not_added_again(db: Database) -> None:
    store = CounterStore(db)
    assert await store.add([Addition(tally(1, 2), lease())]) == {}
    refused = await store.add([Addition(tally(2, 3), lease()), Addition(tally(9, session="other"), lease())])
    assert refused == {tally(1).place.id: Fence(2, 1)}
    assert (await sums(db, QUARTER))["sent"] == 3, "two of one session and one of the other"


async def test_a_stale_owner_adds_nothing(db: Database) -> None:
    store = CounterStore(db)
    await store.add([Addition(tally(1), lease(2))])
    assert await store.add([Addition(tally(5), lease(1))]) == {tally(1).place.id: Fence(1, 2)}
    assert (await sums(db, QUARTER))["sent"] == 1


# --- The service -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["status.after_write", "status.after_publish"])
async def test_a_process_that_dies_there_counts_each_rise_once_after_all(
    point: str, bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, replica="one", crash_at=point, **common) as first:
        await first.ready()
        await publish(bus, range(5))
        assert await first.ended() != 0
    async with service(STATUS, tmp_path, replica="two", **common) as second:
        await publish(bus, range(5, 10), twice=True)
        await all_are_told(bus, expected_frames(10, 2))
        await second.drain()
    expected = dict.fromkeys(COUNTED, 10 * len(SESSIONS))
    assert await sums(db, QUARTER) == expected
    assert await sums(db, DAY) == expected


async def test_counters_outlive_the_messages_that_they_count(
    bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path
) -> None:
    async with service(STATUS, tmp_path, **common) as status:
        await publish(bus, range(3))
        await all_are_told(bus, expected_frames(3))
        await db["messages"].delete_many({})  # as retention does
        await publish(bus, range(3, 5))
        await all_are_told(bus, expected_frames(5, 2))
        await status.drain()
    assert await sums(db, DAY) == dict.fromkeys(COUNTED, 5 * len(SESSIONS))
