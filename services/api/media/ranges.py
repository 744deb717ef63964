"""Which part of a file a request asks for (RFC 9110, 14): players ask for parts to jump within a film. Pure."""

from __future__ import annotations

import re

import msgspec

_ONE_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes from `first` to `last`, both included, of a file of `of` bytes."""

    first: int
    last: int
    of: int

    @property
    def bytes(self) -> int:
        """How many they are."""
        return self.last - self.first + 1

    @property
    def content_range(self) -> str:
        """The header that names it."""
        return f"bytes {self.first}-{self.last}/{self.of}"


def part_of(header: str, size_bytes: int) -> Part | None:
    """The part that the header `Range` asks for; None where it asks for all, several parts, or what is not there.

    A server may answer with the whole file whenever it likes.
    """
    found = _ONE_RANGE.fullmatch(header.strip().lower())
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return _cut(max(0, size_bytes - int(last)), size_bytes - 1, size_bytes)
    return _cut(int(first), int(last) if last else size_bytes - 1, size_bytes)


def _cut(first: int, last: int, size_bytes: int) -> Part | None:
    last = min(last, size_bytes - 1)
    return Part(first=first, last=last, of=size_bytes) if first <= last else None
