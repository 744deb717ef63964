"""Publishes the facts of all shards of this process in groups, each shard's in its order."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from libs.contracts.content import text_of
from libs.contracts.events import (
    ActionFailed,
    MessageEdited,
    MessageHeld,
    MessageProgressed,
    MessageQueued,
    MessageReacted,
    MessageRevoked,
)
from libs.runtime.bus import Bus
from libs.runtime.facts import tell
from libs.runtime.shards import Lease

RowFact = (
    MessageQueued | MessageProgressed | MessageHeld | MessageEdited | MessageRevoked | MessageReacted | ActionFailed
)
"""What sender tells."""

CHARS_PER_WEIGHT = 2048


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """Stored facts of one shard, to be published in this order."""

    lease: Lease
    facts: Sequence[RowFact]

    @property
    def weight(self) -> int:
        """Facts; a long text counts for more."""
        return sum(1 + _chars(fact) // CHARS_PER_WEIGHT for fact in self.facts)


def publisher(bus: Bus, shards: int) -> Callable[[Sequence[Telling]], Coroutine[Any, Any, list[Exception | None]]]:
    """The write of the group commit that tells. Safe to repeat: readers know each fact by its id."""

    async def publish(tellings: Sequence[Telling]) -> list[Exception | None]:
        await tell(bus, [fact for telling in tellings for fact in telling.facts], shards)
        return [None] * len(tellings)

    return publish


def _chars(fact: RowFact) -> int:
    match fact:
        case MessageQueued():
            return len(text_of(fact.content) or "")
        case MessageEdited():
            return len(fact.text)
        case _:
            return 0
