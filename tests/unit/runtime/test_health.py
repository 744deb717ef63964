"""Readiness is told truly while a service is still building."""

from __future__ import annotations

from libs.runtime.health import Health


async def test_a_check_that_is_added_while_readiness_is_asked_breaks_no_answer() -> None:
    health = Health()

    async def fine() -> str | None:
        return None

    async def still_building() -> str | None:
        health.add("engine", fine)
        return "not yet"

    health.add("shards", still_building)
    assert await health.faults() == {"shards": "not yet"}
    assert await health.faults() == {"shards": "not yet"}
