"""Lists as pages show them: what was typed into their filters, and where the neighbouring pages are."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request

MOST_VALUE = 200


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a filter by their names; an empty one lets all through."""

    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        """What was typed or chosen; empty: nothing."""
        return self.fields[name]

    @property
    def query(self) -> str:
        """The same for an address, without `?`."""
        return urlencode({name: value for name, value in self.fields.items() if value})

    def address(self, **more: int | str) -> str:
        """The list with these filters and this besides, such as an offset."""
        query = "&".join(part for part in (self.query, urlencode(more)) if part)
        return f"?{query}" if query else "?"


def filters_of(request: Request[Any, Any, Any], *names: str) -> Filters:
    """What stands in the address."""
    return Filters(fields={name: request.query_params.get(name, "").strip()[:MOST_VALUE] for name in names})


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page of a list is; `previous` and `next` are the offsets of its neighbours."""

    total: int
    offset: int
    previous: int | None
    next: int | None


def paging_of(total: int, offset: int, size: int) -> Paging:
    """Where the page of this size from this offset on is."""
    return Paging(
        total=total,
        offset=offset,
        previous=max(0, offset - size) if offset else None,
        next=offset + size if offset + size < total else None,
    )
