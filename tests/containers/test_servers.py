"""NATS and MongoDB from testcontainers can what the services need of them."""

import nats
import pytest
from pymongo import AsyncMongoClient

pytestmark = pytest.mark.needs_containers


@pytest.mark.parametrize("run", [1, 2])
async def test_nats_in_a_container_keeps_streams_and_gives_each_test_none(nats_url: str, run: int) -> None:
    client = await nats.connect(nats_url)
    try:
        jetstream = client.jetstream()
        assert await jetstream.streams_info() == []
        await jetstream.add_stream(name="KEPT", subjects=["kept.>"])
        assert (await jetstream.publish("kept.one", str(run).encode())).seq == 1
    finally:
        await client.close()


@pytest.mark.parametrize("run", [1, 2])
async def test_mongodb_in_a_container_has_transactions_and_gives_each_test_an_empty_database(
    mongodb_url: str, run: int
) -> None:
    async with AsyncMongoClient(mongodb_url) as client, client.start_session() as session:
        rows = client.get_default_database()["rows"]
        assert await rows.count_documents({}) == 0
        async with await session.start_transaction():
            await rows.insert_one({"_id": run}, session=session)
        assert await rows.count_documents({}) == 1
