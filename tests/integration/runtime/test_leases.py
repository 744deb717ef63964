"""Leases on a real MongoDB whose answers get lost: what was written without our knowing it is found and mended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import NetworkTimeout

from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease, Leases, Shards
from libs.runtime.tasks import end
from tests.processes import PATIENCE_S, eventually

pytestmark = [  # who is stopped while pymongo connects leaves it a socket that only the collector closes
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"),
]
SHARDS = 4
WAIT_AFTER_BREAK_S = 0.2
TAKING_S = 0.6
ENDS_WITHIN_S = 2.0


class Forgetful:
    """A collection to which some calls, or their answers, get lost."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self.lose: dict[str, int] = {}
        """How many answers to lose, by the call's name."""
        self.refuse: dict[str, int] = {}
        """How many calls to lose before they are carried out."""
        self.away = False
        """Lose every call."""
        self.missed = 0
        """How many calls were lost so."""
        self.claims_take_s = 0.0
        """Carry a claim out so much later."""

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._leases, name)
        if self.away:
            self.missed += 1
            raise NetworkTimeout("the server is away")
        if name not in ("find_one_and_update", "update_one"):
            return call

        async def carried_out(*arguments: Any, **more: Any) -> Any:
            if self.refuse.get(name, 0):
                self.refuse[name] -= 1
                raise NetworkTimeout("the call was lost")
            if name == "find_one_and_update":
                await asyncio.sleep(self.claims_take_s)
            answer = await call(*arguments, **more)
            if self.lose.get(name, 0):
                self.lose[name] -= 1
                raise NetworkTimeout("the answer was lost")
            return answer

        return carried_out


@pytest.fixture
async def leases(mongodb_url: str) -> AsyncGenerator[Leases]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(mongodb_url)
    yield client.get_default_database()["leases"]
    await client.close()


@asynccontextmanager
async def replica(
    leases: Any,
    name: str,
    *,
    fit: bool = True,
    on_gone: Callable[[Lease], Awaitable[None]] | None = None,
    on_held: Callable[[Sequence[Lease]], None] = lambda leases: None,
    free_after_s: float = Timing().free_after_s,
) -> AsyncGenerator[Shards]:
    async def nothing(*_: Lease) -> None:
        return

    timing = Timing(
        poll_every_s=0.05,
        free_after_s=free_after_s,
        wait_after_break_s=WAIT_AFTER_BREAK_S,
        joiner_counts_after_s=0.2,
        surplus_at_once=1,
        ends_within_s=ENDS_WITHIN_S,
    )
    shards = Shards(
        service="test",
        replica=name,
        count=SHARDS,
        leases=leases,
        on_claimed=nothing,
        on_gone=on_gone or nothing,
        announce=nothing,
        on_held=on_held,
        fit=lambda: fit,
        timing=timing,
    )
    task = asyncio.create_task(shards.run())
    try:
        yield shards
    finally:
        await shards.give_back_everything()
        await end(task)


async def test_a_claim_whose_answer_was_lost_is_given_back_and_claimed_again(leases: Leases) -> None:
    forgetful = Forgetful(leases)
    forgetful.lose["find_one_and_update"] = 2
    async with replica(forgetful, "one") as one:
        await eventually(lambda: _holds(one, SHARDS))
        epochs = {row["shard"]: row["epoch"] async for row in leases.find({"shard": {"$exists": True}})}
        assert {shard: lease.epoch for shard, lease in one.held.items()} == epochs


async def test_a_give_back_that_did_not_get_through_is_made_up_for(leases: Leases) -> None:
    forgetful = Forgetful(leases)
    async with replica(forgetful, "one") as one:
        await eventually(lambda: _holds(one, SHARDS))
        forgetful.refuse["update_one"] = 2
        async with replica(leases, "two") as two:
            await eventually(lambda: _holds(two, SHARDS // 2))
            assert forgetful.refuse["update_one"] == 0


async def test_a_shard_whose_work_does_not_end_goes_to_another_all_the_same(leases: Leases) -> None:
    async def never(_: Lease) -> None:
        await asyncio.Event().wait()

    async with replica(leases, "one", on_gone=never) as one:
        await eventually(lambda: _holds(one, SHARDS))
        async with replica(leases, "two") as two:
            await eventually(lambda: _holds(two, SHARDS // 2))
            assert len(one.held) == SHARDS // 2


@pytest.mark.parametrize("shard", [0, SHARDS - 1])
async def test_a_row_in_our_name_that_we_do_not_hold_goes_to_whoever_takes_it(leases: Leases, shard: int) -> None:
    async with replica(leases, "one") as one:
        await eventually(lambda: _holds(one, SHARDS))
        epoch = one.held[shard].epoch
        await leases.update_one({"_id": one.lease_id(shard)}, {"$set": {"owner": one.replica}, "$inc": {"epoch": 1}})

        async def has_it_again() -> bool:
            lease = one.held.get(shard)
            return lease is not None and lease.epoch > epoch + 1

        await eventually(has_it_again)


async def test_who_writes_under_leases_hears_what_is_held_until_when(leases: Leases) -> None:
    heard: dict[str, float] = {}
    held_at_its_end: list[bool] = []

    def hear(held: Sequence[Lease]) -> None:
        heard.clear()
        heard.update({lease.name: lease.usable_until for lease in held})

    async def note(lease: Lease) -> None:
        held_at_its_end.append(lease.name in heard)

    async with replica(leases, "one", on_gone=note, on_held=hear) as one:
        await eventually(lambda: _holds(one, SHARDS))
        assert heard.keys() == {f"0{shard}-e1" for shard in range(SHARDS)}
        at_first = dict(heard)

        async def all_confirmed() -> bool:
            return all(heard[name] > until for name, until in at_first.items())

        await eventually(all_confirmed)
        assert all(until < time.monotonic() + Timing().suspended_after_s for until in heard.values())

        await leases.update_one({"_id": one.lease_id(1)}, {"$set": {"owner": "two"}, "$inc": {"epoch": 1}})
        await eventually(lambda: _holds(one, SHARDS - 1), every_s=0.005)
        assert "01-e1" not in heard
        held_at_its_end.clear()
    assert held_at_its_end
    assert all(held_at_its_end), "a lease was over before the work under it had ended"
    assert heard == {}


async def test_a_replica_that_was_cut_off_waits_from_its_return_before_it_claims(leases: Leases) -> None:
    forgetful = Forgetful(leases)
    async with replica(forgetful, "one") as one:
        await eventually(lambda: _holds(one, SHARDS))
        forgetful.away = True
        await eventually(lambda: _has_missed(forgetful))
        await asyncio.sleep(2 * WAIT_AFTER_BREAK_S)  # it waits from its return, not from the break
        await leases.update_one({"_id": one.lease_id(0)}, {"$set": {"owner": None}, "$inc": {"epoch": 1}})
        forgetful.away = False
        back = time.monotonic()
        await eventually(lambda: _holds(one, SHARDS - 1), every_s=0.005)
        await eventually(lambda: _holds(one, SHARDS), every_s=0.005)
        assert time.monotonic() - back >= WAIT_AFTER_BREAK_S


async def test_a_replica_that_leaves_takes_nothing_back(leases: Leases) -> None:
    async def one_after_another(lease: Lease) -> None:
        await asyncio.sleep(0.2 * lease.shard)

    async with replica(leases, "one", on_gone=one_after_another) as one:
        await eventually(lambda: _holds(one, SHARDS))
    assert await leases.count_documents({"shard": {"$exists": True}, "owner": None}) == SHARDS
    assert not await leases.count_documents({"shard": {"$exists": False}})


async def test_a_replica_that_leaves_others_behind_gives_back_a_few_shards_at_a_time(leases: Leases) -> None:
    gone: list[float] = []

    async def note(_: Lease) -> None:
        gone.append(time.monotonic())

    async with replica(leases, "two") as two:
        await eventually(lambda: _holds(two, SHARDS))
        async with replica(leases, "one", on_gone=note) as one:
            await eventually(lambda: _holds(one, SHARDS // 2))
            gone.clear()
        assert len(gone) == SHARDS // 2
        assert gone[1] - gone[0] >= Timing().give_back_every_s
        await eventually(lambda: _holds(two, SHARDS))


async def test_a_replica_that_leaves_waits_until_others_have_taken_what_it_gave_back(leases: Leases) -> None:
    gone: list[float] = []

    async def note(_: Lease) -> None:
        gone.append(time.monotonic())

    slow = Forgetful(leases)
    async with replica(slow, "two") as two:
        await eventually(lambda: _holds(two, SHARDS))
        async with replica(leases, "one", on_gone=note) as one:
            await eventually(lambda: _holds(one, SHARDS // 2))
            gone.clear()
            slow.claims_take_s = TAKING_S
        assert len(gone) == SHARDS // 2
        assert gone[1] - gone[0] >= TAKING_S


async def test_a_give_back_outlasts_a_stall_of_the_server(leases: Leases) -> None:
    forgetful = Forgetful(leases)
    async with replica(forgetful, "one", free_after_s=PATIENCE_S) as one:
        await eventually(lambda: _holds(one, SHARDS))
        forgetful.refuse["update_one"] = 2 * SHARDS
    assert await leases.count_documents({"shard": {"$exists": True}, "owner": None}) == SHARDS


async def _has_missed(forgetful: Forgetful) -> bool:
    return forgetful.missed > 0


async def _holds(shards: Shards, number: int) -> bool:
    return len(shards.held) == number


async def test_where_nobody_is_fit_the_shards_of_a_dead_replica_are_taken_up(leases: Leases) -> None:
    async with replica(leases, "one", fit=False) as one:
        await eventually(lambda: _holds(one, SHARDS))


async def test_an_unfit_replica_claims_nothing_while_another_is_fit(leases: Leases) -> None:
    async with replica(leases, "fit") as fit:
        await eventually(lambda: _holds(fit, SHARDS))
        async with replica(leases, "unfit", fit=False) as unfit:
            epochs = {shard: lease.epoch for shard, lease in fit.held.items()}
            await leases.update_many({"shard": {"$exists": True}}, {"$set": {"owner": None}, "$inc": {"epoch": 1}})

            async def claimed_anew() -> bool:
                assert not unfit.held
                held = fit.held
                return len(held) == SHARDS and all(lease.epoch > epochs[shard] for shard, lease in held.items())

            await eventually(claimed_anew, every_s=0.005)
