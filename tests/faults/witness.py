"""What the servers hold, read past the product: frames in UPDATES, rows in MongoDB."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any, Self

import msgspec
import nats
from pymongo import AsyncMongoClient

from infra.local.ready import Ready
from libs.contracts.ids import DEAD, UPDATES
from tests.faults.audience import Audience, sequence_of
from tests.faults.told import all_in
from tests.processes import eventually


class Witness:
    """Connections of the test's own to the stack's NATS and MongoDB."""

    def __init__(self, ready: Ready) -> None:
        self._customer, self._nats_url = ready.customer_id, ready.nats_url
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(ready.mongodb_url, tz_aware=True)
        self.database = self._client.get_default_database()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._client.close()

    async def told(self) -> dict[int, str]:
        """Every frame of the customer in UPDATES: sequence -> id, in order."""
        messages = await all_in(self._nats_url, UPDATES, f"updates.*.{self._customer}.>")
        return {message.metadata.sequence.stream: msgspec.json.decode(message.data)["id"] for message in messages}

    async def dead_letters(self) -> int:
        """How many messages were given up."""
        connection = await nats.connect(self._nats_url)
        try:
            return (await connection.jetstream().stream_info(DEAD)).state.messages
        finally:
            await connection.close()

    async def assert_heard_all(self, audience: Audience) -> None:
        """From its first frame on, the audience has exactly what lies in the stream, in that order."""
        told = await self.told()
        last = max(told)

        async def caught_up() -> bool:
            return sequence_of(audience.frames[-1]["cursor"]) >= last

        await eventually(caught_up)
        heard = {sequence_of(frame["cursor"]): frame["id"] for frame in audience.frames}
        first = min(heard)
        expected = {sequence: id_ for sequence, id_ in told.items() if sequence >= first}
        missed = expected.keys() - heard.keys()
        assert not missed, f"{len(missed)} of {len(expected)} frames were never heard, such as {sorted(missed)[:5]}"
        assert {sequence: id_ for sequence, id_ in heard.items() if sequence <= last} == expected

    async def shards_by_replica(self, service: str) -> Counter[str]:
        """How many shards of a service stand in each replica's name."""
        return Counter(
            [row["owner"] async for row in self.database["leases"].find({"service": service, "shard": {"$ne": None}})]
        )

    async def outbox(self) -> dict[str, dict[str, Any]]:
        """The outbox rows by message id."""
        return {row["_id"]: row async for row in self.database["outbox"].find({})}

    async def assert_outbox_settles(self, accepted: set[str], within_s: float) -> None:
        """Exactly the accepted messages have rows, and each of them ends as sent."""

        async def settled() -> bool:
            return await self.database["outbox"].count_documents({"status": {"$ne": "sent"}}) == 0

        try:
            await eventually(settled, within_s=within_s)
        except AssertionError:
            rest = Counter(row["status"] for row in (await self.outbox()).values())
            raise AssertionError(f"the outbox did not settle: {dict(rest)}") from None
        held = (await self.outbox()).keys()
        assert held == accepted, f"{len(accepted - held)} are missing, {len(held - accepted)} are strangers"
