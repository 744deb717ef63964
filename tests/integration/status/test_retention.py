"""What status keeps ends when its settings say so: each collection by a time of its own, which every row carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from libs.runtime.bus import Bus
from libs.runtime.mongo import Database
from services.status.store import EXPIRY
from tests.integration.status.stream import SHARDS, expected_frames, publish
from tests.integration.status.test_service import STATUS, all_are_told
from tests.processes import eventually, service

DAY_S = 24 * 3600
KEPT = {
    "messages": ("createdAt", "message_days"),
    "chats": ("movedAt", "message_days"),
    "counters": ("at", "counter_days"),
    "deliveries": ("createdAt", "webhook_log_days"),
}


@pytest.fixture
def common(nats_url: str, mongodb_url: str) -> dict[str, Any]:
    return {"nats_url": nats_url, "mongodb_url": mongodb_url, "shards": str(SHARDS), "log_level": "warning"}


async def kept_for(db: Database, collection: str, field: str, days: int) -> None:
    """Wait until MongoDB deletes what is older; the service is ready before its indexes are made."""

    async def is_told() -> bool:
        index = (await db[collection].index_information()).get(EXPIRY, {})
        return (index.get("key"), index.get("expireAfterSeconds")) == ([(field, 1)], days * DAY_S)

    await eventually(is_told)


@pytest.mark.parametrize("days", [{"message_days": 30, "counter_days": 70, "webhook_log_days": 3}], ids=str)
async def test_each_collection_is_kept_as_long_as_its_setting_says_even_when_that_changes(
    bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path, days: dict[str, int]
) -> None:
    for longer in (0, 7):
        settings = {name: str(each + longer) for name, each in days.items()}
        async with service(STATUS, tmp_path, **common, **settings) as status:
            for collection, (field, setting) in KEPT.items():
                await kept_for(db, collection, field, days[setting] + longer)
            await status.drain()


async def test_every_row_carries_the_time_by_which_it_ends(
    bus: Bus, db: Database, common: dict[str, Any], tmp_path: Path
) -> None:
    """MongoDB keeps for ever what has no time in that field."""
    async with service(STATUS, tmp_path, **common):
        await publish(bus, range(2))
        await all_are_told(bus, expected_frames(2))
        for collection in ("messages", "chats", "counters"):
            field, _ = KEPT[collection]
            assert await db[collection].count_documents({}) > 0, collection
            assert await db[collection].count_documents({field: {"$not": {"$type": "date"}}}) == 0, collection
