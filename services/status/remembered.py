"""The rows that a shard's owner has just written: the next fact about one of them need not read it again.

They are true as long as nobody else writes the shard's rows. Every write is fenced, so another owner's is noticed by
the next write of ours; then, and after whatever else went wrong, all of them are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from libs.contracts.records import MessageRow

ROWS = 300
"""Of one shard: what is sent now has most of its receipts within seconds."""
WORDS = 4096
"""Characters; what says more is read again."""


class Remembered:
    """The last rows that were written, the latest at the end."""

    def __init__(self) -> None:
        self._rows: dict[str, MessageRow] = {}

    def among(self, ids: Iterable[str]) -> Mapping[str, MessageRow]:
        """Those of these rows that are remembered."""
        rows = self._rows
        return {row_id: rows[row_id] for row_id in ids if row_id in rows}

    def note(self, rows: Iterable[MessageRow]) -> None:
        """These were written."""
        for row in rows:
            self._rows.pop(row.id, None)
            if len(row.text or "") + len(row.caption or "") <= WORDS and row.details is None:
                self._rows[row.id] = row
        for _ in range(len(self._rows) - ROWS):
            del self._rows[next(iter(self._rows))]

    def forget(self) -> None:
        """Something went wrong: read again."""
        self._rows.clear()
