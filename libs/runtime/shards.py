"""Ownership of shards: leases in MongoDB that this replica renews, claims and gives back (ARCHITECTURE.md, Shards)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from libs.contracts.ids import shard_token
from libs.runtime import logs
from libs.runtime.shard_rules import Row, Seen, Timing, fair_share, is_alive, is_free, look, surplus

DISOWN_AGAIN_S = 0.1
TAKEN_LOOK_EVERY_S = 0.05

Leases = AsyncCollection[dict[str, Any]]


class LeaseLost(Exception):
    """Somebody else owns the shard now: drop everything that belongs to it."""

    def __init__(self, shard: int, epoch: int) -> None:
        self.shard, self.epoch = shard, epoch
        super().__init__(f"shard {shard} is no longer ours under epoch {epoch}")


class Lease:
    """One shard that this replica has claimed, from the claim to its loss."""

    def __init__(self, shard: int, epoch: int, *, confirmed_at: float, timing: Timing) -> None:
        self.shard, self.epoch = shard, epoch
        self._confirmed_at, self._timing = confirmed_at, timing
        self._lost = asyncio.Event()

    @property
    def name(self) -> str:
        """Shard and epoch, such as `07-e12`: as in the names of its consumers."""
        return f"{shard_token(self.shard)}-e{self.epoch}"

    @property
    def usable_until(self) -> float:
        """Until when it is known to hold, if it is not lost before; monotonic seconds."""
        return self._confirmed_at + self._timing.suspended_after_s

    @property
    def lost(self) -> bool:
        """Whether the lease is over; it never comes back."""
        return self._lost.is_set()

    @property
    def usable(self) -> bool:
        """Whether the owner may hand out, acknowledge and write now: not lost, and confirmed within 2 s."""
        return not self.lost and time.monotonic() < self.usable_until

    def confirm(self, at: float) -> None:
        """The beat that began at `at` (monotonic seconds) was written under this epoch."""
        self._confirmed_at = at

    def lose(self) -> None:
        """It is over."""
        self._lost.set()

    async def until_usable(self) -> None:
        """Wait while the owner is suspended. Raises LeaseLost."""
        while not self.usable:
            if self.lost:
                raise LeaseLost(self.shard, self.epoch)
            await asyncio.sleep(0.05)


class Shards:
    """This replica's leases of one service.

    `on_claimed` starts the work of a shard; `on_gone` ends it, and is awaited before a shard is given back. `on_held`
    hears every lease that is held, when one begins or ends and whenever they were confirmed. `fit` says whether this
    replica can do the work at all.
    """

    def __init__(
        self,
        *,
        service: str,
        replica: str,
        count: int,
        leases: Leases,
        on_claimed: Callable[[Lease], Awaitable[None]],
        on_gone: Callable[[Lease], Awaitable[None]],
        announce: Callable[[], Awaitable[None]],
        on_held: Callable[[Sequence[Lease]], None] = lambda leases: None,
        fit: Callable[[], bool] = lambda: True,
        timing: Timing | None = None,
    ) -> None:
        self._service, self._count, self._leases = service, count, leases
        self._me = f"{replica}-{secrets.token_hex(3)}"
        self._on_claimed, self._on_gone, self._announce, self._fit = on_claimed, on_gone, announce, fit
        self._on_held = on_held
        self._timing = timing or Timing()
        self._held: dict[int, Lease] = {}
        self._leaving: set[int] = set()
        self._going = False
        self._shed_at = 0.0
        self._others_fit = False
        self._seen: dict[str, Seen] = {}
        self._may_claim_at = 0.0
        self._had_contact = False
        self._last_contact: float | None = None
        self._unfit_since: float | None = None
        self._poll_now = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = logs.get()

    @property
    def held(self) -> dict[int, Lease]:
        """The leases held now, by shard."""
        return dict(self._held)

    @property
    def replica(self) -> str:
        """This replica's name in the lease rows."""
        return self._me

    def lease_id(self, shard: int) -> str:
        """`_id` of a shard's lease row."""
        return f"{self._service}/{shard_token(shard)}"

    def poll_now(self) -> None:
        """Somebody gave shards back: read the leases at once."""
        self._poll_now.set()

    async def run(self) -> None:
        """Renew, read, claim and give back until cancelled."""
        while True:
            started = time.monotonic()
            try:
                await self._poll()
            except (PyMongoError, TimeoutError, OSError) as error:
                self._contact_broke(error)
            pause = max(0.0, self._timing.poll_every_s - (time.monotonic() - started))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._poll_now.wait()
            self._poll_now.clear()

    async def give_back_everything(self) -> None:
        """Leave: the replica's own row goes first, then each shard when its work has ended.

        While others are there to take them, a few at a time, and the next when those are taken: what many sessions log
        in again at once is what each of them waits for.
        """
        self._going = True
        with contextlib.suppress(PyMongoError, TimeoutError, OSError):
            await self._leases.delete_one({"_id": self._own_row_id})
        while staying := [lease for lease in self._held.values() if lease.shard not in self._leaving]:
            at_once = self._timing.surplus_at_once if self._others_fit else len(staying)
            await self._release(staying[:at_once])
            if len(staying) > at_once:
                await asyncio.sleep(self._timing.give_back_every_s)
                await self._until_taken({lease.shard for lease in staying[:at_once]})
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._timing.free_after_s)

    async def _until_taken(self, shards: set[int]) -> None:
        """Wait until each has another owner, yet not for ever: they may be slow, or have gone as well."""
        free = {"_id": {"$in": [self.lease_id(shard) for shard in shards]}, "owner": None}
        with contextlib.suppress(PyMongoError, TimeoutError, OSError):
            async with asyncio.timeout(self._timing.taken_within_s):
                while await self._leases.find_one(free, {"_id": 1}) is not None:  # noqa: ASYNC110 - of other processes
                    await asyncio.sleep(TAKEN_LOOK_EVERY_S)

    @property
    def _own_row_id(self) -> str:
        return f"{self._service}/@{self._me}"

    def _contact_broke(self, error: Exception) -> None:
        if self._last_contact is not None:
            self._log.warning("lease contact broke", error=type(error).__name__, held=len(self._held))
        self._last_contact = None

    async def _poll(self) -> None:
        started = time.monotonic()
        if self._last_contact is None or started - self._last_contact > self._timing.free_after_s:
            await self._begin_contact()
        await self._leases.update_many({"service": self._service, "owner": self._me}, {"$inc": {"beat": 1}})
        rows = [_row(doc) async for doc in self._leases.find({"service": self._service})]
        now = time.monotonic()
        self._last_contact = now
        self._seen = {row.id: look(self._seen.get(row.id), row, now) for row in rows}
        self._confirm(rows, started)
        others = self._fit_others(rows, now)
        self._others_fit = bool(others)
        if not self._going:
            await self._give_back_strays(rows)
            await self._settle(rows, others, now)

    def _fit_others(self, rows: list[Row], now: float) -> list[Row]:
        replicas = [row for row in rows if row.shard is None and row.owner != self._me and row.fit]
        return [row for row in replicas if is_alive(self._seen[row.id], now, self._timing)]

    async def _begin_contact(self) -> None:
        """First contact, or contact again after a break: what was seen before counts for nothing."""
        self._seen = {}
        blank: dict[str, Any] = {"service": self._service, "owner": None, "epoch": 0, "beat": 0, "floor": {}}
        await self._leases.bulk_write(
            [
                UpdateOne({"_id": self.lease_id(shard)}, {"$setOnInsert": {**blank, "shard": shard}}, upsert=True)
                for shard in range(self._count)
            ]
            + [
                UpdateOne(
                    {"_id": self._own_row_id},
                    {"$set": {"service": self._service, "owner": self._me, "fit": self._fit()}},
                    upsert=not self._going,
                )
            ],
            ordered=False,
        )
        if self._had_contact:  # the wait begins now, not when the contact broke: the others may just be back as well
            self._may_claim_at = time.monotonic() + self._timing.wait_after_break_s
        self._had_contact = True

    def _confirm(self, rows: list[Row], started: float) -> None:
        mine = {row.shard: row for row in rows if row.shard is not None and row.owner == self._me}
        for shard, lease in list(self._held.items()):
            row = mine.get(shard)
            if row is not None and row.epoch == lease.epoch:
                lease.confirm(started)
            else:
                self._log.warning("lease lost", shard=shard, epoch=lease.epoch)
                lease.lose()
                del self._held[shard]
                if shard not in self._leaving:
                    self._background(self._on_gone(lease))
        self._tell_held()

    def _tell_held(self) -> None:
        self._on_held(list(self._held.values()))

    async def _give_back_strays(self, rows: list[Row]) -> None:
        """Rows in our name that we do not hold: a claim or a give-back whose answer was lost.

        Our beats would keep them alive, and nobody would ever work on them.
        """
        for row in rows:
            if row.shard is not None and row.owner == self._me and row.shard not in self._held:
                self._log.warning("a lease in our name that we do not hold is given back", shard=row.shard)
                await self._disown(row.id, row.epoch)

    async def _settle(self, rows: list[Row], others: list[Row], now: float) -> None:
        replicas = [row for row in rows if row.shard is None]
        fit = await self._tell_fitness(replicas)
        if fit:
            self._unfit_since = None
        else:
            await self._leave_when_unfit(bool(others), now)
            if others:
                return  # where nobody is fit, nobody moves; but what a dead replica leaves is still taken up
        counted = [
            row for row in others if now - self._seen[row.id].first >= self._timing.joiner_counts_after_s
        ] or others * (not self._held)
        share = fair_share(self._count, 1 + len(counted))
        await self._claim([row for row in rows if row.shard is not None], share, now)
        if now - self._shed_at >= self._timing.poll_every_s:  # not at each announcement: they follow upon each other
            self._shed_at = now
            self._shed(surplus(len(self._held) - len(self._leaving), share, len(counted), self._timing))
        await self._forget_the_gone(replicas, now)

    async def _tell_fitness(self, replicas: list[Row]) -> bool:
        fit = self._fit()
        own = next((row for row in replicas if row.owner == self._me), None)
        if own is None or own.fit != fit:
            await self._leases.update_one(
                {"_id": self._own_row_id},
                {"$set": {"service": self._service, "owner": self._me, "fit": fit}, "$inc": {"beat": 1}},
                upsert=True,
            )
        return fit

    async def _leave_when_unfit(self, another_is_fit: bool, now: float) -> None:
        self._unfit_since = self._unfit_since or now
        if another_is_fit and self._held and now - self._unfit_since >= self._timing.unfit_after_s:
            self._log.warning("unfit: giving every shard back", held=len(self._held))
            self._shed(len(self._held) - len(self._leaving))

    async def _claim(self, rows: list[Row], share: int, now: float) -> None:
        if now < self._may_claim_at:
            return
        free = [
            row for row in rows if row.shard not in self._held and is_free(row, self._seen[row.id], now, self._timing)
        ]
        random.shuffle(free)
        wanted = free[: max(0, share - len(self._held))]
        claims = await asyncio.gather(*(self._claim_one(row) for row in wanted), return_exceptions=True)
        for failure in claims:  # only now: none is on its way any more, so what the rows show next is what we hold
            if failure is not None:
                raise failure

    async def _claim_one(self, row: Row) -> None:
        started = time.monotonic()
        doc = await self._leases.find_one_and_update(
            {"_id": row.id, "epoch": row.epoch, "beat": row.beat, "owner": row.owner},
            {"$set": {"owner": self._me}, "$inc": {"epoch": 1, "beat": 1}},
            return_document=ReturnDocument.AFTER,
        )
        if doc is None or row.shard is None:
            return
        lease = Lease(row.shard, int(doc["epoch"]), confirmed_at=started, timing=self._timing)
        self._held[row.shard] = lease
        self._tell_held()
        self._background(self._on_claimed(lease))

    def _shed(self, number: int) -> None:
        staying = [lease for lease in self._held.values() if lease.shard not in self._leaving]
        if number > 0:
            self._background(self._release(random.sample(staying, number)))

    async def _release(self, leases: list[Lease]) -> None:
        """End the work of these shards, then let others have them; they stay confirmed until their work has ended."""
        self._leaving.update(lease.shard for lease in leases)
        await asyncio.gather(*(self._release_one(lease) for lease in leases))
        await self._announce()

    async def _release_one(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(self._timing.ends_within_s):
                await self._on_gone(lease)
        except TimeoutError:
            self._log.error("the work of a shard does not end", shard=lease.shard, epoch=lease.epoch)
        finally:
            lease.lose()
            if self._held.get(lease.shard) is lease:
                del self._held[lease.shard]
            self._leaving.discard(lease.shard)
            self._tell_held()
        await self._disown_patiently(lease)

    async def _disown_patiently(self, lease: Lease) -> None:
        """Give the row back, through a stall of MongoDB too: others would wait until they think us dead."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.free_after_s):
                while True:
                    try:
                        await self._disown(self.lease_id(lease.shard), lease.epoch)
                        return
                    except (PyMongoError, TimeoutError, OSError):
                        await asyncio.sleep(DISOWN_AGAIN_S)

    async def _disown(self, lease_id: str, epoch: int) -> None:
        """Say that the shard is free, unless it is somebody else's already."""
        await self._leases.update_one(
            {"_id": lease_id, "owner": self._me, "epoch": epoch}, {"$set": {"owner": None}, "$inc": {"beat": 1}}
        )

    async def _forget_the_gone(self, replicas: list[Row], now: float) -> None:
        gone = [row.id for row in replicas if now - self._seen[row.id].since >= self._timing.forgotten_after_s]
        if gone:
            await self._leases.delete_many({"_id": {"$in": gone}})

    def _background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("a shard's start or stop failed", exc_info=error)


def _row(doc: dict[str, Any]) -> Row:
    return Row(
        id=doc["_id"],
        shard=doc.get("shard"),
        owner=doc.get("owner"),
        epoch=doc.get("epoch", 0),
        beat=doc.get("beat", 0),
        fit=doc.get("fit", True),
    )
