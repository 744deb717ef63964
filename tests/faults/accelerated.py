"""A day in seconds: an event loop whose clock jumps to the next timer, and a table of leases in memory."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

Document = dict[str, Any]


class JumpingLoop(asyncio.SelectorEventLoop):
    """Runs what is ready; when nothing is, its clock jumps to the next timer. For work without sockets and threads."""

    def __init__(self) -> None:
        super().__init__()
        self._jumped_s = 0.0
        self._select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._jump  # type: ignore[attr-defined]

    def time(self) -> float:
        """Seconds since it was made."""
        return self._jumped_s

    def _jump(self, timeout_s: float | None = None) -> list[Any]:
        if timeout_s is None:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self._jumped_s += timeout_s
        return list(self._select(0))


class LeaseTable:
    """The calls of a MongoDB collection that `libs/runtime/shards.py` makes; each takes as long as `delay_s` says."""

    def __init__(self, delay_s: Callable[[], float]) -> None:
        self.rows: dict[str, Document] = {}
        self._delay_s = delay_s

    async def update_many(self, wanted: Document, change: Document) -> None:
        await self._arrives()
        for row in self._found(wanted):
            _apply(row, change)

    async def update_one(self, wanted: Document, change: Document, *, upsert: bool = False) -> None:
        await self._arrives()
        self._update_one(wanted, change, upsert=upsert)

    async def find_one_and_update(self, wanted: Document, change: Document, **_: Any) -> Document | None:
        await self._arrives()
        found = self._update_one(wanted, change, upsert=False)
        return copy.copy(found) if found is not None else None

    async def bulk_write(self, updates: list[Any], *, ordered: bool) -> None:
        await self._arrives()
        for update in updates:
            one = SimpleNamespace(
                **{name.lstrip("_"): getattr(update, name) for name in ("_filter", "_doc", "_upsert")}
            )
            self._update_one(one.filter, one.doc, upsert=bool(one.upsert))

    async def delete_one(self, wanted: Document) -> None:
        await self._arrives()
        for row in self._found(wanted)[:1]:
            del self.rows[row["_id"]]

    async def delete_many(self, wanted: Document) -> None:
        await self._arrives()
        for id_ in wanted["_id"]["$in"]:
            self.rows.pop(id_, None)

    async def find(self, wanted: Document) -> AsyncIterator[Document]:
        await self._arrives()
        for row in [copy.copy(row) for row in self._found(wanted)]:
            yield row

    async def _arrives(self) -> None:
        await asyncio.sleep(self._delay_s())

    def _found(self, wanted: Document) -> list[Document]:
        if (id_ := wanted.get("_id")) is not None:
            row = self.rows.get(id_)
            return [row] if row is not None and wanted.items() <= row.items() else []
        return [row for row in self.rows.values() if wanted.items() <= row.items()]

    def _update_one(self, wanted: Document, change: Document, *, upsert: bool) -> Document | None:
        found = self._found(wanted)
        if found:
            _apply(found[0], change)
            return found[0]
        if upsert:
            made = self.rows[wanted["_id"]] = {"_id": wanted["_id"], **change.get("$setOnInsert", {})}
            _apply(made, change)
        return None


def _apply(row: Document, change: Document) -> None:
    row.update(change.get("$set", {}))
    for name, by in change.get("$inc", {}).items():
        row[name] = row.get(name, 0) + by
