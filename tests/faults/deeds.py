"""What a replica behind a gate has written, from MongoDB's own profiler: it tells clients apart by their address."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from pymongo.asynchronous.database import AsyncDatabase

from libs.contracts.ids import shard_of
from tests.faults.gate import MARK

PROFILE_BYTES = 64 * 1024 * 1024
EFFECTS = ("nModified", "ninserted", "upsert", "ndeleted")
SESSION_ID = re.compile("[0-9a-f]{16}")
BESIDE_THE_KEYS = frozenset({"contact", "chat", "lidof", "pnof", "secret", "token", "handled", "upload"})
FENCE_BITS = 20
"""A key's stamp is the epoch, then the number of the worker's start in so many bits (engine port, `open`)."""


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """A write that changed something."""

    at: datetime
    collection: str
    command: dict[str, Any]
    epoch: int | None
    """Under which epoch it was made; None when the write names none."""

    @property
    def _filter(self) -> dict[str, Any]:
        return self.command.get("q") or self.command.get("query") or {}

    @property
    def row(self) -> str:
        """The row's id, of several the first, or where they begin; empty when it names none."""
        match self._filter.get("_id"):
            case str(named) | {"$in": [str(named), *_]} | {"$gte": str(named)}:
                return named
            case _:
                return ""

    @property
    def is_claim(self) -> bool:
        """Whether a lease was taken."""
        return self.collection == "leases" and "findAndModify" in self.command

    @property
    def shard(self) -> int | None:
        """The shard that it concerns, if the write shows it: by name, or by the session with which the id begins."""
        session = self.row.partition("/")[0]
        named = self._filter.get("shard")
        return named if isinstance(named, int) else shard_of(session) if SESSION_ID.fullmatch(session) else None

    @property
    def is_common(self) -> bool:
        """Whether anybody may write it at any time: leases, whose rows are claimed by comparing, and what the key
        store keeps beside the keys and writes late, true whoever learned it."""
        kind = self.row.split("/")[2] if self.row.count("/") > 1 else ""
        is_beside = kind in BESIDE_THE_KEYS or (kind == "prekeys" and self._notes_a_use)
        return self.collection == "leases" or (self.collection == "device_keys" and is_beside)

    @property
    def _notes_a_use(self) -> bool:
        """Whether it says that one-time keys were used: it follows the fenced write of what they decrypted."""
        return [*self.command.get("u", {})] == ["$addToSet"] and [*self.command["u"]["$addToSet"]] == ["used"]


async def watch(database: AsyncDatabase[dict[str, Any]]) -> datetime:
    """Begin to note what comes through gates; the server's time."""
    await database.command("profile", 0)
    await database.drop_collection("system.profile")
    await database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
    await database.command("profile", 2, filter={"client": MARK})
    return await server_time(database)


async def server_time(database: AsyncDatabase[dict[str, Any]]) -> datetime:
    """Now, by the server's clock."""
    return (await database.command("hello"))["localTime"]


async def deeds_since(database: AsyncDatabase[dict[str, Any]], moment: datetime) -> list[Deed]:
    """Every write through a gate since then that changed something, oldest first."""
    had_effect = {"$or": [{field: {"$gt": 0}} for field in EFFECTS] + [{"upsert": True}]}
    noted = database["system.profile"].find({"ts": {"$gte": moment}, "client": MARK, **had_effect}).sort("ts", 1)
    return [
        Deed(
            at=entry["ts"],
            collection=entry["ns"].partition(".")[2],
            command=entry["command"],
            epoch=_epoch_of(entry["command"]),
        )
        async for entry in noted
    ]


def _epoch_of(command: Any) -> int | None:
    """The lowest epoch, or stamp, that stands anywhere in a write."""
    found = list(_numbers(command))
    return min(found) if found else None


def _numbers(part: Any, name: str = "") -> list[int]:
    match part:
        case dict():
            rest = {key: value for key, value in part.items() if key != "untold"}  # facts bear their own owner's epoch
            return [number for key, value in rest.items() for number in _numbers(value, _name_in(key, name))]
        case list():
            return [number for each in part for number in _numbers(each, name)]
        case int() if name == "epoch":
            return [part]
        case int() if name == "stamp":
            return [part >> FENCE_BITS]
        case _:
            return []


def _name_in(key: str, outer: str) -> str:
    """`epoch` of `{epoch: {$lte: 3}}` too."""
    return outer if key.startswith("$") else key
