"""The service is started before its servers: it waits for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from libs.runtime.bus import Bus
from tests.processes import service
from tests.servers import MongoServer

LONGER_THAN_A_TIME_OUT_S = 11.0
"""Of MongoDB's client: 10 s."""


async def test_a_service_that_starts_while_mongodb_is_away_waits_for_it(
    nats_url: str, bus: Bus, mongo_server: MongoServer, tmp_path: Path
) -> None:
    mongo_server.kill()
    async with service("services.status.app", tmp_path, nats_url=nats_url, mongodb_url=mongo_server.url()) as running:
        await asyncio.sleep(LONGER_THAN_A_TIME_OUT_S)
        assert running.running
        await asyncio.to_thread(mongo_server.start)
        await running.ready()
