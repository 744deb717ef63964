"""When a service says that it is ready."""

from __future__ import annotations

from pathlib import Path

import httpx

from libs.runtime.bus import Bus
from libs.runtime.topology import apply
from tests.integration.runtime.probe_service import PROBE
from tests.processes import eventually, service


async def test_a_service_that_is_still_being_built_is_not_ready(
    tmp_path: Path, nats_url: str, mongodb_url: str
) -> None:
    bus = Bus(nats_url, name="test")
    await bus.connect()
    await apply(bus.jetstream)
    await bus.close()
    gate = tmp_path / "gate"
    async with (
        service(
            PROBE, tmp_path, nats_url=nats_url, mongodb_url=mongodb_url, shards="2", probe_waits_for=str(gate)
        ) as probe,
        httpx.AsyncClient(trust_env=False) as client,
    ):

        async def faults() -> dict[str, str] | None:
            said = await probe.faults(client)
            return said if said is None or set(said) <= {"shards"} else None

        assert await eventually(faults) == {"shards": "the service is still starting"}
        gate.touch()
        await probe.ready()
