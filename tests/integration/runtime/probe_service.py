"""A small service for tests: appends what each shard's feed hands it to a MongoDB collection, in order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from libs.contracts.events import AnyFact
from libs.contracts.ids import EVENTS, shard_token
from libs.runtime.feeds import Delivery, Feed
from libs.runtime.service import Runtime, run
from libs.runtime.settings import CommonSettings, read
from libs.runtime.shards import Lease

PROBE = "tests.integration.runtime.probe_service"
"""This module, to be run as a process."""


class Probe:
    """Writes one row per fact; a fact of customer `poison` fails for good."""

    def __init__(self, runtime: Runtime, lease: Lease) -> None:
        self._rows = runtime.database["probe"]
        self._runtime, self._lease = runtime, lease
        self.feeds: Sequence[Feed[Any]] = [
            Feed(stream=EVENTS, subjects=[f"fact.*.{shard_token(lease.shard)}.>"], types=AnyFact, handle=self.handle)
        ]

    async def start(self) -> None:
        """Nothing to load."""

    async def stop(self) -> None:
        """Nothing runs."""

    async def handle(self, batch: list[Delivery[AnyFact]]) -> None:
        """Append them, unless one is poison."""
        if any(delivery.message.customer_id == "poison" for delivery in batch):
            raise ValueError("poison")
        await self._rows.insert_many(
            [
                {"fact": d.message.id, "session": d.message.session_id, "epoch": self._lease.epoch, "seq": d.seq}
                for d in batch
            ]
        )
        self._runtime.crash.at("probe.after_write")


async def build(runtime: Runtime) -> Callable[[Lease], Probe]:
    """Make the probe's owners, once the test lets it."""
    gate = os.environ.get("MERPATI_PROBE_WAITS_FOR")
    while gate and not Path(gate).exists():  # noqa: ASYNC110, ASYNC240 - of another process
        await asyncio.sleep(0.02)
    return lambda lease: Probe(runtime, lease)


def main() -> None:
    """Entry point."""
    make: Callable[[Runtime], Awaitable[Callable[[Lease], Probe]]] = build
    asyncio.run(run("probe", read(CommonSettings, os.environ), make))


if __name__ == "__main__":
    main()
