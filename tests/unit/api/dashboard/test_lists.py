"""Lists of pages: filters are kept from page to page, and sizes are written for people."""

from __future__ import annotations

import pytest

from services.api.dashboard.lists import Filters, paging_of
from services.api.dashboard.rendering import byte_size


@pytest.mark.parametrize(
    ("total", "offset", "previous", "following"),
    [(0, 0, None, None), (25, 0, None, None), (26, 0, None, 25), (60, 25, 0, 50), (60, 50, 25, None), (60, 10, 0, 35)],
    ids=["none", "one page", "first", "middle", "last", "typed"],
)
def test_a_page_knows_its_neighbours(total: int, offset: int, previous: int | None, following: int | None) -> None:
    paging = paging_of(total, offset, 25)
    assert (paging.previous, paging.next) == (previous, following)


def test_a_further_page_keeps_the_filters() -> None:
    filters = Filters(fields={"q": "a&b", "show": ""})
    assert filters.query == "q=a%26b"
    assert filters.address(offset=25) == "?q=a%26b&offset=25"
    assert Filters(fields={"q": ""}).address() == "?"


@pytest.mark.parametrize(
    ("number", "english", "indonesian"),
    [(0, "0 B", "0 B"), (812, "812 B", "812 B"), (1_500_000, "1.4 MB", "1,4 MB"), (4 << 30, "4.0 GB", "4,0 GB")],
)
def test_a_size_is_written_for_people(number: int, english: str, indonesian: str) -> None:
    assert (byte_size(number, "en"), byte_size(number, "id")) == (english, indonesian)
