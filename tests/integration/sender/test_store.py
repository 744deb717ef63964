"""What only a real MongoDB can show of sender's queries: fences and indexes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from libs.contracts.records import OutboxRow
from libs.runtime.mongo import to_document
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease, LeaseLost
from services.sender import rows
from services.sender.store import Change, Depth, Insertion, Store, Waits, ensure_indexes
from tests.unit.sender.builders import NOW, queued_row, sending_row

SHARD = 1


def lease(epoch: int) -> Lease:
    return Lease(SHARD, epoch, confirmed_at=asyncio.get_running_loop().time(), timing=Timing())


@pytest.fixture
async def database(mongodb_url: str) -> AsyncIterator[Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url, tz_aware=True)
    yield client.get_default_database()
    await client.close()


@pytest.fixture
async def store(database: Any) -> Store:
    await ensure_indexes(database)
    await ensure_indexes(database)
    return Store(database)


def now() -> datetime:
    """When rows end here: MongoDB removes what ended a month ago, at any moment."""
    return datetime.now(UTC)


async def put(database: Any, *given_rows: OutboxRow) -> None:
    await database["outbox"].insert_many([to_document(row) for row in given_rows])


async def test_an_insert_leaves_a_row_that_is_there_as_it_is_and_says_so(store: Store, database: Any) -> None:
    await put(database, sending_row("b"))
    insertions = [
        Insertion(lease=lease(3), rows=[queued_row("a"), queued_row("b")]),
        Insertion(lease=lease(3), rows=[queued_row("c")]),
    ]
    assert await store.insert(insertions) == [frozenset({"b"}), frozenset()]
    assert {row["_id"]: row["status"] async for row in database["outbox"].find()} == {
        "a": "queued",
        "b": "sending",
        "c": "queued",
    }


async def test_each_change_learns_whether_a_higher_epoch_refused_it(store: Store, database: Any) -> None:
    await put(database, queued_row("mine", epoch=3), queued_row("theirs", epoch=9), queued_row("older", epoch=1))
    changes = [Change(lease=lease(4), id=row, fields={"attempts": 7}) for row in ("mine", "theirs", "older")]
    results = await store.change(changes)
    assert [type(result) for result in results] == [type(None), LeaseLost, type(None)]
    assert {row["_id"]: (row["attempts"], row["epoch"]) async for row in database["outbox"].find()} == {
        "mine": (7, 4),
        "theirs": (0, 9),
        "older": (7, 4),
    }


async def test_after_a_take_over_every_write_of_the_former_owner_is_refused(store: Store, database: Any) -> None:
    await put(database, queued_row("a", epoch=3), sending_row("b", epoch=3, order=2))
    found = await store.take_over(lease(4))
    assert [(row.id, row.epoch) for row in found] == [("a", 4), ("b", 4)]
    results = await store.change([Change(lease=lease(3), id=row, fields={"status": "sent"}) for row in ("a", "b")])
    assert [type(result) for result in results] == [LeaseLost, LeaseLost]


async def test_a_take_over_finds_what_is_open_or_untold_and_nothing_else(store: Store, database: Any) -> None:
    told = rows.sent(sending_row("told"), NOW, now())
    await put(
        database,
        queued_row("later", order=5),
        queued_row("first", order=1),
        rows.sent(sending_row("untold", order=3), NOW, now()),
        rows.told(told, {fact["id"] for fact in told.untold}),
        queued_row("elsewhere", shard=2),
    )
    assert [row.id for row in await store.take_over(lease(4))] == ["first", "untold", "later"]


async def test_a_stale_owner_cannot_take_a_shard_over(store: Store, database: Any) -> None:
    await put(database, queued_row("a", epoch=9))
    with pytest.raises(LeaseLost):
        await store.take_over(lease(4))


async def test_only_told_facts_leave_a_row(store: Store, database: Any) -> None:
    row = rows.sent(rows.handing_over(queued_row("a", told=False)), NOW, now())
    await put(database, row)
    await store.forget_told(lease(4), ["a"], [row.untold[0]["id"]])
    left = (await database["outbox"].find_one({"_id": "a"}))["untold"]
    assert [fact["id"] for fact in left] == [row.untold[1]["id"]]


async def test_a_finished_row_is_reopened_once(store: Store, database: Any) -> None:
    failed = rows.failed(sending_row("a"), "REFUSED", "no", now())
    await put(database, failed)
    again = rows.queued_again(failed, order=50, now=NOW)
    assert await store.reopen(lease(4), failed, again) is True
    assert await store.reopen(lease(4), failed, again) is False
    with pytest.raises(LeaseLost):
        await store.reopen(lease(3), failed, again)


async def test_a_row_of_another_release_does_not_stop_its_shard(store: Store, database: Any) -> None:
    strange = {**to_document(queued_row("strange")), "content": {"type": "hologram"}}
    await database["outbox"].insert_one(strange)
    await put(database, queued_row("a"))
    assert [row.id for row in await store.take_over(lease(4))] == ["a"]


async def test_depths_of_a_stale_owner_are_not_written(store: Store, database: Any) -> None:
    def depth(epoch: int, number: int) -> Depth:
        return Depth(lease=lease(epoch), session_id="s1", customer_id="c", open=number, oldest_queued_at=NOW)

    await store.write_depths([depth(4, 7)])
    await store.write_depths([depth(3, 1)])
    assert (await database["queue_depths"].find_one({"_id": "s1"}))["open"] == 7


async def test_a_depth_tells_what_messages_wait_for(store: Store, database: Any) -> None:
    waits = [Waits(reason="lookup", messages=3, resume_at=NOW)]
    told = Depth(lease=lease(4), session_id="s1", customer_id="c", open=3, oldest_queued_at=NOW, waits=waits)
    await store.write_depths([told])
    [stored] = (await database["queue_depths"].find_one({"_id": "s1"}))["waits"]
    assert (stored["reason"], stored["messages"]) == ("lookup", 3)


QUERIES = {
    "open": {"shard": SHARD, "finishedAt": None},
    "untold": {"shard": SHARD, "untold.0": {"$exists": True}},
    "raised_by_receipt": {
        "shard": SHARD,
        "waId": {"$in": ["3EB0"]},
        "status": {"$in": list(rows.RAISED_BY_RECEIPT)},
    },
}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("index", "query"), QUERIES.items(), ids=QUERIES.keys())
async def test_a_query_over_a_shard_uses_its_index(database: Any, index: str, query: dict[str, Any]) -> None:
    plan = await database["outbox"].find(query).explain()
    assert f"'indexName': '{index}'" in str(plan["queryPlanner"]["winningPlan"])


async def test_a_contact_is_known_under_each_of_its_addresses(store: Store, database: Any) -> None:
    own, dialled = "551187654321@s.whatsapp.net", "5511987654321@s.whatsapp.net"
    keys = [f"s1/{jid}" for jid in (own, dialled, "1@lid")]
    await database["chats"].insert_one({"_id": "known", "sessionId": "s1", "keys": keys, "mergedInto": None})
    await database["messages"].insert_one(
        {"_id": "known", "sessionId": "s1", "chat": "551187654321", "direction": "out", "sentAt": now()}
    )
    assert [await store.knows("s1", jid) for jid in (own, dialled, "1@lid", "62812@s.whatsapp.net")] == [
        *(True, True, True),
        False,
    ]
    assert not await store.knows("s2", dialled)
