"""Counts of messages are answered from indexes and counters: they cost the same however long the messages are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient, monitoring

from libs.contracts.ids import new_message_id
from libs.runtime.mongo import Database, to_document
from services.api.messages import store_messages
from services.status.store import ensure_indexes
from tests.integration.api.edges import Site
from tests.integration.api.messages import AT, message_row

STATUSES = ["queued", "sent", "delivered", "read", "failed", "received"]


class Counted(monitoring.CommandListener):
    """Notes the pipelines of the counts."""

    def __init__(self) -> None:
        self.pipelines: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "aggregate":
            self.pipelines.append(event.command["pipeline"])

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing."""


@pytest.fixture
async def counted(mongodb_url: str) -> AsyncIterator[tuple[Counted, Database]]:
    """The test's database, and what is counted there."""
    listener = Counted()
    async with AsyncMongoClient[dict[str, Any]](mongodb_url, tz_aware=True, event_listeners=[listener]) as client:
        yield listener, client.get_default_database()


async def test_counts_read_no_rows(site: Site, session_id: str, counted: tuple[Counted, Database]) -> None:
    listener, database = counted
    await ensure_indexes(database, message_days=3_650)  # else MongoDB, which looks once a minute, may remove them first
    rows = [
        message_row(
            site,
            session_id,
            new_message_id(),
            status=status,
            direction="in" if status == "received" else "out",
            created_at=AT + timedelta(minutes=number),
        )
        for number, status in enumerate(STATUSES * 20)
    ]
    await database.messages.insert_many([to_document(row) for row in rows])
    stats = await store_messages.send_stats(database, session_id)
    assert (stats.sent, stats.failed) == (60, 20)
    assert len(listener.pipelines) == 2
    for pipeline in list(listener.pipelines):
        command = {"aggregate": "messages", "pipeline": pipeline, "cursor": {}}
        plan = await database.command({"explain": command, "verbosity": "executionStats"})
        stages = plan.get("stages")
        executed = (stages[0]["$cursor"] if stages else plan)["executionStats"]
        assert executed["totalDocsExamined"] == 0, pipeline
        assert executed["totalKeysExamined"] <= 70
