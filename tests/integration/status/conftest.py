"""A bus with the four streams, and a database with status's indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from libs.runtime.bus import Bus
from libs.runtime.mongo import Database, database
from libs.runtime.topology import apply
from tests.integration.status.offices import Office
from tests.integration.status.stream import SHARDS
from tests.processes import PATIENCE_S
from tests.receiver import receiver
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


@pytest.fixture
async def office(bus: Bus, db: Database, nats_url: str, mongodb_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    settings: dict[str, Any] = {
        "nats_url": nats_url,
        "mongodb_url": mongodb_url,
        "shards": str(SHARDS),
        "log_level": "warning",
        "private_targets": "true",
        "webhook_delays_s": "0.2,0.3,0.5",
        "webhook_timeout_s": f"{PATIENCE_S:g}",
    }
    async with receiver() as endpoint:
        yield Office(bus, db, endpoint, settings, tmp_path)
