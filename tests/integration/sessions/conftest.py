"""The world around the sessions service under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.runtime.bus import Bus
from libs.runtime.mongo import database
from libs.runtime.topology import apply
from tests.integration.sessions.world import World
from tests.servers import client_of


@pytest.fixture
async def world(nats_url: str, mongodb_url: str, tmp_path: Path) -> AsyncIterator[World]:
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    client = client_of(mongodb_url)
    yield World(nats_url, mongodb_url, tmp_path, bus, database(client))
    await bus.close()
    await client.close()
