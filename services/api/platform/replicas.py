"""Which replicas of which services there are, and the shards they hold: read from `leases`, twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from libs.runtime.mongo import Database, from_documents

LOOK_AGAIN_S = 1.2
"""Every replica beats each 0.5 s: one whose rows have not moved meanwhile is silent."""


class LeaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `leases` as `libs/runtime/shards.py` keeps it: a shard's, or a replica's own (`shard` is None)."""

    id: str = msgspec.field(name="_id")
    service: str = ""
    shard: int | None = None
    owner: str | None = None
    epoch: int = 0
    beat: int = 0
    fit: bool = True


class Replica(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A replica of a service."""

    name: str
    is_beating: bool
    """Whether it was seen to live while this was asked; its shards are free 3 s after its last beat."""
    is_fit: bool
    """Whether it can do its work, as it says itself."""
    shards: list[int]


class ServiceReplicas(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A service: who works for it, and the shards that nobody holds."""

    service: str
    replicas: list[Replica]
    free_shards: list[int]


async def services_now(database: Database) -> list[ServiceReplicas]:
    """Every service that has leases, by name; takes a good second."""
    before = await _rows(database)
    await asyncio.sleep(LOOK_AGAIN_S)
    return services_of(before, await _rows(database))


async def shards_held_by_nobody(database: Database) -> int:
    """How many shards of all services have no owner now, by one look: a dead owner's count when they are taken."""
    return await database.leases.count_documents({"shard": {"$type": "number"}, "owner": None})


async def _rows(database: Database) -> list[LeaseRow]:
    return from_documents(LeaseRow, await database.leases.find({"service": {"$type": "string"}}).to_list())


def services_of(before: Iterable[LeaseRow], after: Iterable[LeaseRow]) -> list[ServiceReplicas]:
    """What two looks at the rows, more than a beat apart, tell."""
    beats = {row.id: (row.epoch, row.beat) for row in before}
    by_service: dict[str, list[LeaseRow]] = {}
    for row in after:
        by_service.setdefault(row.service, []).append(row)
    return [_service_of(name, rows, beats) for name, rows in sorted(by_service.items())]


def _service_of(name: str, rows: list[LeaseRow], beats: dict[str, tuple[int, int]]) -> ServiceReplicas:
    own = {row.owner: row for row in rows if row.shard is None and row.owner is not None}
    held: dict[str, list[LeaseRow]] = {owner: [] for owner in own}
    for row in rows:
        if row.shard is not None and row.owner is not None:
            held.setdefault(row.owner, []).append(row)
    replicas = [_replica_of(owner, own.get(owner), shards, beats) for owner, shards in sorted(held.items())]
    return ServiceReplicas(
        service=name,
        replicas=replicas,
        free_shards=sorted(row.shard for row in rows if row.shard is not None and row.owner is None),
    )


def _replica_of(name: str, own: LeaseRow | None, held: list[LeaseRow], beats: dict[str, tuple[int, int]]) -> Replica:
    rows = [*held, *([own] if own is not None else [])]
    return Replica(
        name=name,
        is_beating=any(beats.get(row.id) != (row.epoch, row.beat) for row in rows),
        is_fit=own is not None and own.fit,
        shards=sorted(row.shard for row in held if row.shard is not None),
    )
