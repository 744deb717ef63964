"""Lists of messages: every one is read off an index in its order, and a page costs what it shows."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from libs.contracts.ids import new_message_id
from libs.contracts.records import MessageRow
from libs.runtime.mongo import Database, Document, database
from services.api.messages.store_messages import NEWEST_FIRST, Wanted, listing, messages_newest_first, rarest_word_first
from services.status.store import ensure_indexes
from tests.conftest import with_database
from tests.integration.api.messages import AT, stored
from tests.servers import client_of

CUSTOMER = "cus_0123456789abcdef0123"
ROWS, PAGE = 3_000, 20
COMMON = "halo"
OF_ONE_MOMENT = 4
RARE = {"status": "failed", "type": "poll", "chat": "628999", "words": "faktur"}
"""What one message in a hundred has."""


def a_message(number: int, customer: str = CUSTOMER) -> Document:
    """Messages of 20 contacts in two sessions, four of each second; every 100th is a rare one."""
    is_rare = number % 100 == 0
    message = new_message_id()
    row = MessageRow(
        id=f"{customer}/{message}",
        customer_id=customer,
        session_id="even" if number % 2 else "odd",
        shard=0,
        wa_id=message,
        message_id=message,
        text=f"{COMMON} {RARE['words']}" if is_rare else f"{COMMON} nomor {number}",
        status=RARE["status"] if is_rare else "read",
        type=RARE["type"] if is_rare else "text",
        chat=RARE["chat"] if is_rare else f"62812{number % 20:03d}",
        direction="in" if number % 3 == 0 else "out",
        created_at=AT + timedelta(seconds=number // 4),
    )
    return stored(row)


@pytest.fixture(scope="module")
def filled(shared_mongodb: str) -> Iterator[str]:
    """The URL of a database with many messages of a customer, and some of another one."""
    url = with_database(shared_mongodb, f"test_{uuid.uuid4().hex[:12]}")
    documents = [a_message(number) for number in range(ROWS)]
    documents += [a_message(number, "cus_other") for number in range(ROWS // 10)]
    random.Random(1).shuffle(documents)  # noqa: S311 - a test's order of coming in
    asyncio.run(_indexed(url))
    with MongoClient[dict[str, Any]](url, tz_aware=True) as client:
        client.get_default_database().messages.insert_many(documents, ordered=False)
        yield url
        client.drop_database(client.get_default_database().name)


async def _indexed(url: str) -> None:
    async with client_of(url) as client:
        await ensure_indexes(database(client), message_days=3_650)


@pytest.fixture
async def log(filled: str) -> AsyncIterator[Database]:
    async with client_of(filled) as client:
        yield database(client)


def wanted(**more: Any) -> Wanted:
    return Wanted(customer_id=CUSTOMER, **more)


async def explained(log: Database, asked: Wanted, after: str | None = None) -> tuple[set[str], Document]:
    """The stages of a page's plan, and what it examined."""
    condition = listing(await rarest_word_first(log, asked), after)
    plan = await log.messages.find(condition).sort(NEWEST_FIRST).limit(PAGE + 1).explain()
    return set(_stages(plan["executionStats"]["executionStages"])), plan["executionStats"]


def _stages(stage: Document) -> list[str]:
    below = [stage["inputStage"]] if "inputStage" in stage else stage.get("inputStages", [])
    return [stage["stage"], *(name for each in below for name in _stages(each))]


@pytest.mark.parametrize(
    ("more", "most"),
    [
        pytest.param({}, 1, id="all"),
        pytest.param({"status": RARE["status"]}, 1, id="a rare status"),
        pytest.param({"type": RARE["type"]}, 1, id="a rare type"),
        pytest.param({"chat": RARE["chat"]}, 1, id="a chat"),
        pytest.param({"direction": "in"}, 1, id="a direction"),
        pytest.param({"sessions": ("odd",)}, 1, id="a session"),
        pytest.param({"sessions": ("odd", "even")}, 1, id="two sessions"),
        pytest.param({"sessions": ("odd",), "status": RARE["status"]}, 1, id="a rare status of a session"),
        pytest.param({"sessions": ("odd",), "chat": RARE["chat"]}, 1, id="a chat of a session"),
        pytest.param(
            {"sessions": ("odd",), "chat": RARE["chat"], "chat_aliases": ("1@lid",)}, 1, id="a chat of two addresses"
        ),
        pytest.param({"chat": RARE["chat"], "chat_aliases": ("1@lid",)}, 1, id="two addresses in all sessions"),
        pytest.param({"words": (RARE["words"],)}, 1, id="a rare word"),
        pytest.param({"words": (COMMON,)}, 1, id="a common word"),
        pytest.param({"words": (COMMON, RARE["words"])}, 1, id="a common and a rare word"),
        pytest.param({"words": (COMMON,), "direction": "in"}, 3, id="a common word, coming in"),
        pytest.param({"words": (COMMON,), "sessions": ("odd",)}, 3, id="a common word of a session"),
        pytest.param({"words": ("nirgends",)}, 1, id="a word of no message"),
        pytest.param({"since": AT + timedelta(seconds=100), "until": AT + timedelta(seconds=300)}, 1, id="a time"),
    ],
)
@pytest.mark.parametrize("deep", [False, True], ids=["first page", "deep page"])
async def test_a_page_costs_what_it_shows(log: Database, more: dict[str, Any], most: int, deep: bool) -> None:
    """`most`: keys for each row, where what stands in the row lets only some of the index through."""
    asked = wanted(**more)
    after = (await messages_newest_first(log, asked, after=None, limit=PAGE // 2)).next if deep else None
    stages, executed = await explained(log, asked, after)
    assert "IXSCAN" in stages
    assert stages.isdisjoint({"SORT", "COLLSCAN"})
    assert executed["totalKeysExamined"] <= most * (PAGE + 1) * 1.5 + OF_ONE_MOMENT + 5, executed
    assert executed["nReturned"] <= PAGE + 1


async def test_a_page_far_behind_costs_as_much_as_the_first(log: Database) -> None:
    asked, after = wanted(words=(COMMON,)), None
    for _ in range(10):
        after = (await messages_newest_first(log, asked, after=after, limit=200)).next
    _, executed = await explained(log, asked, after)
    assert executed["totalKeysExamined"] <= PAGE + 1 + OF_ONE_MOMENT


@pytest.mark.parametrize("more", [{}, {"words": (COMMON,)}, {"prefix": "fak"}, {"status": "read"}], ids=str)
async def test_pages_hold_each_message_once_while_new_ones_come_in(log: Database, more: dict[str, Any]) -> None:
    asked = wanted(**more)
    known = {row["messageId"] async for row in log.messages.find(listing(asked), {"messageId": 1})}
    assert len(known) > ROWS / 200
    listed: list[str | None] = []
    new: list[str] = []
    after = None
    while True:
        page = await messages_newest_first(log, asked, after=after, limit=7 if "prefix" in more else 211)
        listed += [row.message_id for row in page.rows]
        if page.next is None:
            break
        after = page.next
        newest = a_message(0) | {"status": "read", "createdAt": AT + timedelta(days=1, seconds=len(new))}
        new.append(newest["_id"])
        await log.messages.insert_one(newest)
    await log.messages.delete_many({"_id": {"$in": new}})
    assert len(new) > 1
    assert len(listed) == len(set(listed))
    assert set(listed) == known
