"""A replica that is taken for dead and is not: once its epoch is over it writes nothing and sends nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.audience import Audience
from tests.faults.deeds import Deed, deeds_since, server_time, watch
from tests.faults.replica import ExtraReplica, extra_replica
from tests.faults.shop import Shop
from tests.faults.witness import Witness
from tests.faults.writers import Writers
from tests.processes import eventually
from tests.stack import running_stack

pytestmark = [pytest.mark.slow, pytest.mark.needs_go]

SESSIONS, CONTACTS = 12, 6
OUT_PER_S = IN_PER_S = 6.0
SUPERSEDED_WITHIN_S = 60.0
WATCHED_FOR_S = 6.0
"""How long the former owner is watched after its return: less than the 10 s that it waits before it claims again."""
LOOK_EVERY_S = 0.2


class Scene:
    """A stack under load in both directions, and one more replica of one of its services behind gates."""

    def __init__(self, shop: Shop, writers: Writers, audience: Audience, extra: ExtraReplica, witness: Witness) -> None:
        self.shop, self.writers, self.audience, self.extra = shop, writers, audience, extra
        self.witness, self.database = witness, witness.database
        self.held: dict[int, int] = {}
        """The shards that the replica held at first, with their epochs."""

    async def superseded(self) -> datetime:
        """Wait until every shard that the replica held has another owner; the server's time then."""
        of_service = {"service": self.extra.service, "shard": {"$in": list(self.held)}}

        async def taken() -> bool:
            rows = self.database["leases"].find(of_service)
            return all([row["owner"] and row["epoch"] > self.held[row["shard"]] async for row in rows])

        await eventually(taken, within_s=SUPERSEDED_WITHIN_S)
        return await server_time(self.database)

    @property
    def logins(self) -> int:
        """How often the replica has connected to WhatsApp."""
        gate = self.extra.gates.get("whatsapp")
        return gate.entries if gate else 0

    async def assert_no_login_beyond(self, logins: int, since: datetime) -> None:
        """Watch the replica for a while: it does not connect to WhatsApp before it has claimed something again."""
        ends_at = time.monotonic() + WATCHED_FOR_S
        while time.monotonic() < ends_at:
            now = self.logins
            if any(deed.is_claim for deed in await deeds_since(self.database, since)):
                return  # this machine stood still meanwhile: from here on it may
            assert now == logins, "it has logged in at WhatsApp again"
            await asyncio.sleep(LOOK_EVERY_S)

    async def assert_no_trespass(self, since: datetime) -> None:
        """Since then the replica changed nothing under an epoch that was over, except what anybody may."""
        deeds = await deeds_since(self.database, since)
        claimed_at = min((deed.at for deed in deeds if deed.is_claim), default=None)
        trespasses = [each for each in deeds if not each.is_common and await self._is_trespass(each, claimed_at)]
        assert not trespasses, _described(trespasses)

    async def _is_trespass(self, deed: Deed, claimed_at: datetime | None) -> bool:
        shard = deed.shard
        if shard is None:
            row = await self.database[deed.collection].find_one({"_id": deed.row}, {"shard": 1})
            shard = row["shard"] if row else None
        if shard is None or deed.epoch is None:  # an insert names neither: none is right before it claims again
            return claimed_at is None or deed.at < claimed_at
        return deed.epoch <= self.held.get(shard, 0)

    async def assert_all_is_well(self) -> None:
        """Nothing was lost or doubled in either direction, and the stream told it all."""
        await self.shop.all_shown()
        await self.shop.assert_each_arrived_once()
        await self.writers.all_heard(self.audience)
        self.writers.assert_each_came_in_once(self.audience)
        await self.audience.all_told(self.shop.accepted)
        await self.witness.assert_outbox_settles(set(self.shop.accepted), within_s=60)
        self.audience.assert_flawless()
        await self.witness.assert_heard_all(self.audience)


def _described(deeds: list[Deed]) -> str:
    return f"{len(deeds)} writes, such as {[(deed.at, deed.collection, deed.command) for deed in deeds[:3]]}"


@asynccontextmanager
async def two_owners(tmp_path: Path, like: str) -> AsyncGenerator[Scene]:
    """Load in both directions while the block runs; what it came to is checked at its end."""
    async with running_stack(tmp_path, "--networks", "simulator") as stack, AsyncExitStack() as closing:
        shop = Shop(stack)
        closing.push_async_callback(shop.close)
        await shop.open(sessions=SESSIONS, contacts=CONTACTS)
        writers = Writers(shop, stack.simulator_url)
        closing.push_async_callback(writers.close)
        witness = await closing.enter_async_context(Witness(stack.ready))
        extra = await closing.enter_async_context(extra_replica(stack, like, tmp_path, gated=True))
        audience = await closing.enter_async_context(Audience(stack.url, stack.key))
        scene = Scene(shop, writers, audience, extra, witness)
        scene.held = await eventually(extra.shards_held, within_s=60)
        await shop.all_connected()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as load:
            load.create_task(shop.send_on(OUT_PER_S, over))
            load.create_task(writers.write_on(IN_PER_S, over))
            await watch(witness.database)
            yield scene
            over.set()
        await scene.assert_all_is_well()


# --- Standing still --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("like", "worker", "soon"),
    [
        pytest.param("sessions-simulator-1", True, True, id="sessions, its sockets still open"),
        pytest.param("sessions-simulator-1", True, False, id="sessions", marks=pytest.mark.soak),
        pytest.param("sessions-simulator-1", False, False, id="sessions without its worker", marks=pytest.mark.soak),
        pytest.param("sender-1", True, False, id="sender", marks=pytest.mark.soak),
        pytest.param("status-1", True, False, id="status", marks=pytest.mark.soak),
    ],
)
async def test_a_replica_that_stood_still_past_its_lease_writes_and_sends_nothing_any_more(
    tmp_path: Path, like: str, worker: bool, soon: bool
) -> None:
    async with two_owners(tmp_path, like) as scene:
        scene.extra.freeze(worker=worker)
        since = await scene.superseded()
        if not soon:  # else it goes on with what had come before the next owner has logged in
            await scene.shop.all_connected()
        logins = scene.logins
        scene.extra.thaw()
        await scene.assert_no_login_beyond(logins, since)
        await scene.assert_no_trespass(since)


# --- Cut off ---------------------------------------------------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.parametrize("like", ["sessions-simulator-1", "sender-1", "status-1"])
async def test_a_replica_cut_from_mongodb_alone_is_superseded_and_does_nothing_when_it_is_back(
    tmp_path: Path, like: str
) -> None:
    async with two_owners(tmp_path, like) as scene:
        scene.extra.gates["mongodb"].hold()
        since = await scene.superseded()
        await scene.shop.all_connected()
        logins = scene.logins
        scene.extra.gates["mongodb"].let_pass()
        await scene.assert_no_login_beyond(logins, since)
        await scene.assert_no_trespass(since)


@pytest.mark.soak
@pytest.mark.parametrize("like", ["sessions-simulator-1", "sender-1", "status-1"])
async def test_a_replica_cut_from_nats_alone_gives_its_shards_back(tmp_path: Path, like: str) -> None:
    async with two_owners(tmp_path, like) as scene:
        scene.extra.gates["nats"].hold()
        since = await scene.superseded()
        await scene.shop.all_connected()
        scene.extra.gates["nats"].let_pass()
        await asyncio.sleep(WATCHED_FOR_S)
        await scene.assert_no_trespass(since)


@pytest.mark.soak
async def test_a_replica_cut_from_whatsapp_alone_gives_its_shards_back(tmp_path: Path) -> None:
    async with two_owners(tmp_path, "sessions-simulator-1") as scene:
        scene.extra.gates["whatsapp"].refuse()
        since = await scene.superseded()
        await scene.shop.all_connected()
        await scene.assert_no_trespass(since)
        assert not await scene.extra.shards_now(), "it took some back while it reaches nobody"
