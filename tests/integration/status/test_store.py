"""The store on a real MongoDB: the fence, rows that move, and the indexes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from pymongo.errors import BulkWriteError

from libs.contracts.records import MessageRow
from libs.runtime.mongo import Database
from services.status.projection import project
from services.status.sessions import entry_of
from services.status.store import EXPIRY, FEW, SUPERSEDED, Change, RowsMoved, StatusStore, ensure_indexes
from tests.unit.status.builders import ROW, SESSION, WA_ID, changed, progressed, queued, received


def queued_row() -> MessageRow:
    row = project(None, queued(), 1, row=ROW, shard=7)
    assert row is not None
    return row


def sent(row: MessageRow) -> MessageRow:
    risen = project(row, progressed("sent"), 2, row=ROW, shard=7)
    assert risen is not None
    return risen


async def test_a_row_is_read_back_as_it_was_written(db: Database) -> None:
    row = queued_row()
    await StatusStore(db).write_messages([Change(None, row, 3)])
    assert await StatusStore(db).messages([ROW, "unknown"]) == {ROW: replace(row, epoch=3)}


async def test_a_message_that_came_in_is_found_by_its_whatsapp_id(db: Database) -> None:
    await ensure_indexes(db, message_days=90)
    came = [project(None, received(f"in{n}", wa_id=f"W{n}"), n, row=f"{SESSION}/in/in{n}", shard=7) for n in (1, 2)]
    rows = [row for row in [*came, queued_row()] if row is not None]
    await StatusStore(db).write_messages([Change(None, row, 3) for row in rows])
    found = await StatusStore(db).messages([ROW], [(SESSION, "W2"), (SESSION, WA_ID), ("other", "W1")])
    assert found.keys() == {ROW, f"{SESSION}/in/in2"}
    plan = await db["messages"].find({"sessionId": SESSION, "waId": {"$in": ["W2"]}, "direction": "in"}).explain()
    assert plan["queryPlanner"]["winningPlan"]["inputStage"]["indexName"] == "sessionId_1_waId_1"


async def test_only_what_has_changed_is_written(db: Database) -> None:
    row = queued_row()
    await StatusStore(db).write_messages([Change(None, row, 3)])
    await db["messages"].update_one({"_id": ROW}, {"$set": {"text": "untouched", "added": 1}})
    await StatusStore(db).write_messages([Change(row, sent(row), 4)])
    found = await db["messages"].find_one({"_id": ROW})
    assert found is not None
    assert (found["status"], found["text"], found["added"], found["epoch"]) == ("sent", "untouched", 1, 4)


async def test_a_stale_owner_can_write_nothing(db: Database) -> None:
    row = queued_row()
    await StatusStore(db).write_messages([Change(None, row, 2)])
    with pytest.raises(RowsMoved):
        await StatusStore(db).write_messages([Change(row, sent(row), 1)])
    found = await db["messages"].find_one({"_id": ROW})
    assert found is not None
    assert found["status"] == "queued"


@pytest.mark.parametrize("others", [0, FEW], ids=["few", "many"])
async def test_a_row_that_exists_already_is_not_made_again(db: Database, others: int) -> None:
    row = queued_row()
    await StatusStore(db).write_messages([Change(None, row, 1)])
    new = [replace(row, id=f"{number}", text="new") for number in range(others)]
    with pytest.raises(RowsMoved):
        await StatusStore(db).write_messages([Change(None, each, 1) for each in [replace(row, text="new"), *new]])
    assert await StatusStore(db).messages([ROW, "0"]) == {
        each.id: replace(each, epoch=1) for each in [row, *new] if each.id in (ROW, "0")
    }


async def test_one_message_id_has_one_row(db: Database) -> None:
    await ensure_indexes(db, message_days=90)
    row = queued_row()
    with pytest.raises(BulkWriteError):
        await StatusStore(db).write_messages([Change(None, row, 1), Change(None, replace(row, id="other"), 1)])


async def test_rows_without_message_id_do_not_stand_in_each_others_way(db: Database) -> None:
    await ensure_indexes(db, message_days=90)
    row = replace(queued_row(), message_id=None)
    await StatusStore(db).write_messages([Change(None, row, 1), Change(None, replace(row, id="other"), 1)])
    assert await db["messages"].count_documents({}) == 2


async def test_the_log_keeps_the_first_sighting_of_a_fact(db: Database) -> None:
    await StatusStore(db).append_to_log([entry_of(changed(), 5, 7)])
    with pytest.raises(RowsMoved):
        await StatusStore(db).append_to_log([entry_of(changed(), 9, 7), entry_of(changed("stopped"), 10, 7)])
    logged = await StatusStore(db).logged(["connected1", "stopped1", "unknown"])
    assert {fact_id: entry.fact_seq for fact_id, entry in logged.items()} == {"connected1": 5, "stopped1": 10}


async def test_marks_are_those_of_the_facts_before(db: Database) -> None:
    facts = [changed("qr", epoch=1, connection=9), changed("connected", epoch=2), changed("stopped", epoch=3)]
    await StatusStore(db).append_to_log([entry_of(fact, seq, 7) for seq, fact in enumerate(facts, start=1)])
    assert await StatusStore(db).marks_before([SESSION, "other"], 3) == {SESSION: (2, 1)}


async def test_indexes_may_be_made_twice_and_the_retention_changed(db: Database) -> None:
    await ensure_indexes(db, message_days=90)
    await ensure_indexes(db, message_days=90)
    await ensure_indexes(db, message_days=30)
    indexes = await db["messages"].index_information()
    assert indexes[EXPIRY]["expireAfterSeconds"] == 30 * 24 * 3600
    assert indexes["messageId_1"]["unique"] is True


async def test_indexes_that_were_superseded_are_dropped(db: Database) -> None:
    await db["messages"].create_index([("sessionId", 1), ("chat", 1), ("createdAt", -1)])
    await ensure_indexes(db, message_days=90)
    assert set(SUPERSEDED).isdisjoint(await db["messages"].index_information())


async def test_a_message_is_stored_with_its_words_and_finds_new_ones_when_it_is_edited(db: Database) -> None:
    row = queued_row()
    await StatusStore(db).write_messages([Change(None, row, 1)])
    assert await db["messages"].distinct("words") == ["halo"]
    await StatusStore(db).write_messages([Change(row, sent(row), 1)])
    assert await db["messages"].distinct("words") == ["halo"]
    await StatusStore(db).write_messages([Change(sent(row), replace(sent(row), text="Selamat PAGI"), 1)])
    assert await db["messages"].distinct("words") == ["pagi", "selamat"]
