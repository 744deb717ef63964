"""The chats that a shard's owner has just written: who writes much is read once.

They are true as long as nobody else writes the shard's chats, which the next conditional write tells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from libs.contracts.records import ChatRow

CHATS = 300
"""Of one shard."""


class RememberedChats:
    """The last chats that were written, the latest at the end, found by their keys."""

    def __init__(self) -> None:
        self._rows: dict[str, ChatRow] = {}
        self._by_key: dict[str, str] = {}

    def unknown_of(self, keys: Collection[str]) -> set[str]:
        """Those of these keys whose chat is not remembered."""
        return {key for key in keys if key not in self._by_key}

    def among(self, keys: Collection[str]) -> list[ChatRow]:
        """The remembered chats with these keys, each once."""
        ids = dict.fromkeys(self._by_key[key] for key in sorted(keys) if key in self._by_key)
        return [self._rows[row_id] for row_id in ids]

    def note(self, rows: Iterable[ChatRow]) -> None:
        """These were written. One that was merged into another is not met again."""
        for row in rows:
            self._drop(row.id)
            if row.merged_into is None:
                self._rows[row.id] = row
                self._by_key.update(dict.fromkeys(row.keys, row.id))
        while len(self._rows) > CHATS:
            self._drop(next(iter(self._rows)))

    def forget(self) -> None:
        """Something went wrong: read again."""
        self._rows.clear()
        self._by_key.clear()

    def _drop(self, row_id: str) -> None:
        row = self._rows.pop(row_id, None)
        for key in row.keys if row is not None else ():
            if self._by_key.get(key) == row_id:
                del self._by_key[key]
