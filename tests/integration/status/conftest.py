"""A bus with the four streams, and a database with status's indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.runtime.bus import Bus
from libs.runtime.mongo import Database, database
from libs.runtime.topology import apply
from tests.servers import client_of


@pytest.fixture(autouse=True, scope="module")
def quiet(quiet_logs: None) -> None:
    """Only errors are printed."""


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    yield bus
    await bus.close()


@pytest.fixture
async def db(mongodb_url: str) -> AsyncIterator[Database]:
    client = client_of(mongodb_url)
    yield database(client)
    await client.close()
