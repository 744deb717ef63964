"""Transactions whose process was killed, and those whose MongoDB stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure, PyMongoError

from infra.local.mongod import TRANSACTION_S
from libs.runtime.mongo import Client, connect, database, in_transaction
from tests.conftest import with_database
from tests.servers import MongoServer, client_of


def test_a_transaction_that_nobody_ends_holds_its_documents_for_seconds(shared_mongodb: str) -> None:
    url = with_database(shared_mongodb, "test_transactions")
    with MongoClient[dict[str, Any]](url) as dead, MongoClient[dict[str, Any]](url) as living:
        rows = living.get_default_database()["rows"]
        rows.replace_one({"_id": "customer"}, {"used": 0}, upsert=True)
        session = dead.start_session()
        session.start_transaction()
        dead.get_default_database()["rows"].update_one({"_id": "customer"}, {"$inc": {"used": 1}}, session=session)
        began = time.monotonic()
        rows.update_one({"_id": "customer"}, {"$inc": {"used": 10}})  # waits for as long as the other one holds it
        assert time.monotonic() - began < 8 * TRANSACTION_S  # a minute, if it were for MongoDB
        assert rows.find_one({"_id": "customer"}) == {"_id": "customer", "used": 10}
        with pytest.raises(OperationFailure):
            session.commit_transaction()
        living.drop_database("test_transactions")


@pytest.mark.slow
async def test_a_transaction_waits_as_long_as_its_client(mongo_server: MongoServer) -> None:
    url = with_database(mongo_server.url(), "test_transactions")

    async def stored(client: Client) -> None:
        async def store(session: AsyncClientSession) -> None:
            await database(client)["rows"].insert_one({}, session=session)

        await in_transaction(client, store)

    async with client_of(url) as patient, connect(url, app="hasty", timeout_ms=1_000) as hasty:
        await asyncio.gather(stored(patient), stored(hasty))
        os.kill(mongo_server.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(TRANSACTION_S + 1, os.kill, mongo_server.pid, signal.SIGCONT)
        waiting = asyncio.create_task(stored(patient))
        with pytest.raises(PyMongoError) as failure:
            await stored(hasty)
        assert failure.value.timeout
        await waiting
        assert await database(patient)["rows"].count_documents({}) == 3
