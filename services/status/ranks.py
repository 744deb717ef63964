"""Which status of a message is higher: statuses only rise, evidence wins, and a retry begins a new generation.

Within one generation, from low to high:

    queued < sending < failed, cancelled, expired < sent, received < delivered < read < played

A final status ends a message only for want of evidence: WhatsApp's own word (sent, delivered, read, played) still
raises it. A customer's retry of a finished message raises the generation, so its `queued` is above the old `failed`.
"""

from __future__ import annotations

GENERATION = 100
"""Distance between two generations; more than the highest level."""

LEVELS = {
    "queued": 10,
    "sending": 20,
    "failed": 30,
    "cancelled": 30,
    "expired": 30,
    "sent": 40,
    "received": 40,
    "delivered": 50,
    "read": 60,
    "played": 70,
}
FINALS = frozenset({"failed", "cancelled", "expired"})


def generation_of(rank: int) -> int:
    """How often the message was queued again, from 0."""
    return rank // GENERATION


def rank_of(status: str, generation: int = 0) -> int:
    """The rank of a status. Raises KeyError for a status that is not in the table."""
    return generation * GENERATION + LEVELS[status]


def rank_after(rank: int, status: str) -> int | None:
    """The higher rank to which `status` raises a message of this rank, or None when it raises nothing."""
    candidate = rank_of(status, generation_of(rank))
    return candidate if candidate > rank else None


def rank_reopened(rank: int) -> int:
    """The rank of a finished message that is queued again."""
    return rank_of("queued", generation_of(rank) + 1)


def is_final(status: str) -> bool:
    """Whether the message has ended without evidence that it left, so that a retry may queue it again."""
    return status in FINALS


def has_left(status: str) -> bool:
    """Whether WhatsApp's server has the message."""
    return LEVELS[status] >= LEVELS["sent"]


def was_delivered(status: str) -> bool:
    """Whether the recipient's device has the message."""
    return LEVELS[status] >= LEVELS["delivered"]


def was_read(status: str) -> bool:
    """Whether the recipient has read (or played) the message."""
    return LEVELS[status] >= LEVELS["read"]
