"""Pages of a list that is read by number: how many, and from where."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar.params import QueryParameter

Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Offset = Annotated[int, QueryParameter(ge=0, le=1_000_000)]
HIGHEST = 2**53
"""The highest integer that every reader of JSON keeps exact. MongoDB takes none of more than 64 bits."""


class Pagination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where this page is."""

    total: int
    limit: int
    offset: int
    has_more: bool


def pagination(total: int, limit: int, offset: int, found: int) -> Pagination:
    """Where a page with `found` entries is."""
    return Pagination(total=total, limit=limit, offset=offset, has_more=offset + found < total)
