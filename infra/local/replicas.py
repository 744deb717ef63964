"""How many replicas of which service: what `--replicas` means."""

from __future__ import annotations

SERVICES: tuple[str, ...] = ("api", "sessions", "sender", "status")
MOST = 32
"""A service cannot use more replicas than there are shards."""


def parse_replicas(text: str) -> dict[str, int]:
    """`sessions=2,sender=2` -> a count for every service, 1 where none is named; ValueError says what is wrong."""
    counts = dict.fromkeys(SERVICES, 1)
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        service, _, number = part.partition("=")
        if service not in SERVICES:
            raise ValueError(f"there is no service {service!r}; the services are {', '.join(SERVICES)}")
        if not number.isdecimal() or not 1 <= int(number) <= MOST:
            raise ValueError(f"{service} takes a number of replicas from 1 to {MOST}, as in {service}=2")
        counts[service] = int(number)
    return counts
