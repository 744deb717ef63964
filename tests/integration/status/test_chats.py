"""Chats in a real MongoDB: written under the fence, found by an index, and counted once over the death of a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts.records import ChatRow
from libs.runtime.bus import Bus
from libs.runtime.mongo import Database
from services.api.chats.store_chats import NEWEST_FIRST, ChatsWanted, having, listing
from services.api.messages.admin_messages import PENDING, STATUSES
from services.api.messages.store_messages import NEWEST_FIRST as NEWEST_SENT_FIRST
from services.api.platform.store_admin import sent_listing
from services.status.chats.rules import ChatChange, Chats, chat_id, key_of
from services.status.chats.store import ChatStore, ensure_indexes
from services.status.frames import Step
from services.status.projection import project, rows_of
from services.status.store import Change, RowsMoved, StatusStore
from services.status.store import ensure_indexes as ensure_message_indexes
from tests.integration.status.stream import SESSIONS, SHARDS, expected_frames, publish
from tests.integration.status.test_service import all_are_told
from tests.processes import eventually, service
from tests.unit.status.builders import CUSTOMER, PHONE, ROW, SESSION, at, queued, received

JID, LID = f"{PHONE}@s.whatsapp.net", "100000000000007@lid"
STATUS = "services.status.app"


def a_chat(**fields: Any) -> ChatRow:
    """Somebody's first message."""
    fact = received(chat_lid=LID, **fields)
    row = project(None, fact, 1, row=rows_of(fact)[0], shard=7)
    assert row is not None
    chats = Chats([], 7)
    chats.apply(Step(1, fact, [row]))
    (change,) = chats.changes(1)
    return change.after


async def test_a_chat_is_found_by_each_of_its_addresses_as_it_was_written(db: Database) -> None:
    store, chat = ChatStore(db), a_chat()
    await store.write([ChatChange(None, chat, 3)])
    for jid in (JID, LID):
        assert await store.chats([key_of(SESSION, jid), "unknown"]) == [replace(chat, epoch=3)]
    assert chat.id == chat_id(SESSION, JID)


async def test_a_chat_that_exists_already_is_not_made_again(db: Database) -> None:
    store, chat = ChatStore(db), a_chat()
    await store.write([ChatChange(None, chat, 1)])
    with pytest.raises(RowsMoved):
        await store.write([ChatChange(None, replace(chat, unread=7), 1)])
    assert await store.chats(chat.keys) == [replace(chat, epoch=1)]


@pytest.mark.parametrize(
    ("seen", "epoch"), [pytest.param(1, 1, id="a later owner's"), pytest.param(9, 2, id="not as it was read")]
)
async def test_a_row_that_moved_is_not_written(db: Database, seen: int, epoch: int) -> None:
    store, chat = ChatStore(db), a_chat()
    await store.write([ChatChange(None, chat, 2)])
    with pytest.raises(RowsMoved):
        await store.write([ChatChange(replace(chat, fact_seq=seen), replace(chat, unread=7, fact_seq=10), epoch)])
    assert await store.chats(chat.keys) == [replace(chat, epoch=2)]


# --- Lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "looks_at"),
    [
        pytest.param(ChatsWanted(customer_id=CUSTOMER), 20, id="all"),
        pytest.param(ChatsWanted(customer_id=CUSTOMER, sessions=["s3"]), 20, id="of a session"),
        pytest.param(ChatsWanted(customer_id=CUSTOMER, is_read=False), 20, id="unread"),
        pytest.param(ChatsWanted(customer_id=CUSTOMER, sessions=["s3"], is_read=False), 20, id="unread of a session"),
        pytest.param(ChatsWanted(customer_id=CUSTOMER, sessions=["s3"], is_read=True), 20, id="read of a session"),
    ],
)
async def test_a_list_reads_the_rows_of_its_page_alone(db: Database, wanted: ChatsWanted, looks_at: int) -> None:
    await ensure_indexes(db, days=90)
    chat = a_chat()
    many = [
        replace(chat, id=f"c{n:04}", session_id=f"s{n % 10}", keys=[f"k{n}"], unread=0 if n % 20 < 10 else 1)
        for n in range(1_000)
    ]
    await ChatStore(db).write([ChatChange(None, each, 1) for each in many])
    plan = await db["chats"].find(listing(wanted)).sort(NEWEST_FIRST).limit(looks_at).explain()
    assert "SORT" not in _stages(plan["queryPlanner"]["winningPlan"])
    run = plan["executionStats"]
    assert run["nReturned"] == looks_at
    assert run["totalDocsExamined"] <= looks_at + 1


async def test_whoever_has_an_address_is_found_by_it_in_all_sessions(db: Database) -> None:
    await ensure_indexes(db, days=90)
    chat = a_chat()
    many = [
        replace(chat, id=f"c{n:04}", session_id=f"s{n % 10}", keys=[f"s{n % 10}/{n // 10}@lid"]) for n in range(1_000)
    ]
    await ChatStore(db).write([ChatChange(None, each, 1) for each in many])
    run = (await db["chats"].find(having(CUSTOMER, [f"s{n}" for n in range(10)], "7@lid")).explain())["executionStats"]
    assert run["nReturned"] == run["totalDocsExamined"] == 10


@pytest.mark.parametrize("status", [None, *STATUSES])
async def test_what_the_admin_dashboard_lists_is_read_off_an_index(db: Database, status: str | None) -> None:
    await ensure_message_indexes(db, message_days=90)
    row = project(None, queued(), 1, row=ROW, shard=7)
    assert row is not None
    states = ["queued", "sending", "sent", "failed"]
    many = [replace(row, id=f"{n:04}", message_id=f"m{n}", status=states[n % 4], created_at=at(-n)) for n in range(400)]
    await StatusStore(db).write_messages([Change(None, each, 1) for each in many])
    plan = await db["messages"].find(sent_listing(CUSTOMER, status)).sort(NEWEST_SENT_FIRST).limit(20).explain()
    assert "SORT" not in _stages(plan["queryPlanner"]["winningPlan"])
    run = plan["executionStats"]
    looks_at = 100 if status == PENDING else 24  # what is queued is looked through for what is scheduled
    assert run["nReturned"] == 20
    assert run["totalDocsExamined"] <= looks_at


def _stages(plan: dict[str, Any]) -> set[str]:
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return {plan["stage"], *(stage for each in inner for stage in _stages(each))}


# --- The service -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["status.after_write", "status.after_publish"])
async def test_what_came_in_is_counted_once_whatever_a_process_dies_of(
    point: str, bus: Bus, db: Database, nats_url: str, mongodb_url: str, tmp_path: Path
) -> None:
    common: dict[str, Any] = {
        "nats_url": nats_url,
        "mongodb_url": mongodb_url,
        "shards": str(SHARDS),
        "log_level": "warning",
    }
    async with service(STATUS, tmp_path, replica="one", crash_at=point, **common) as first:
        await first.ready()
        await publish(bus, range(6), twice=True)
        assert await first.ended() != 0
    async with service(STATUS, tmp_path, replica="two", **common) as second:
        await second.ready()
        await publish(bus, range(6, 9))
        await all_are_told(bus, expected_frames(9, 2))

        async def counted() -> bool:
            rows = await db["chats"].find({"mergedInto": None}).to_list()
            return [row["incoming"] for row in rows] == [9] * len(SESSIONS)

        await eventually(counted)
        rows = await db["chats"].find().to_list()
        assert {row["sessionId"] for row in rows} == set(SESSIONS)
        assert {(row["unread"], row["phone"], row["lastIncoming"]["text"]) for row in rows} == {(9, PHONE, None)}
        indexes = await db["chats"].index_information()
        assert {"retention", "unread", "keys_1"} <= set(indexes)
