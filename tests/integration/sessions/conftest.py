"""The world around the sessions service under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from libs.runtime.bus import Bus
from libs.runtime.mongo import connect, database
from libs.runtime.topology import apply
from tests.integration.sessions.world import World


@pytest.fixture
async def world(nats_url: str, mongodb_url: str, tmp_path: Path) -> AsyncIterator[World]:
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    client = connect(mongodb_url, app="test")
    yield World(nats_url, mongodb_url, tmp_path, bus, database(client))
    await bus.close()
    await client.close()
