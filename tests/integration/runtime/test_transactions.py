"""A transaction whose process was killed: nobody commits or aborts it, and its documents are free again soon."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from infra.local.mongod import TRANSACTION_S
from tests.conftest import with_database


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
