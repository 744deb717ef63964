"""What is remembered of texts, and what is not kept."""

from __future__ import annotations

import pytest
from litestar import Litestar, Request, get
from litestar._parsers import parse_query_string
from litestar.testing import AsyncTestClient

from services.api.remembering import remembered
from services.api.web.door import LONG_QUERY, Door


def test_short_texts_are_read_once_and_long_ones_each_time() -> None:
    read: list[str] = []

    @remembered(most=2, longest=3)
    def length(text: str, more: int = 0) -> int:
        read.append(text)
        return len(text) + more

    assert [length(text) for text in ("abc", "abc", "abcd", "abcd")] == [3, 3, 4, 4]
    assert read == ["abc", "abcd", "abcd"]
    assert (length("abc", 2), length("abc", more=3)) == (5, 6)
    length.cache_clear()
    length("abc")
    assert read[-1] == "abc"


@get("/")
async def parameters(request: Request[object, object, object]) -> int:
    """How many there are."""
    return len(request.query_params)


@pytest.mark.parametrize(("query_bytes", "kept"), [(100, True), (LONG_QUERY + 100, False)])
async def test_the_parameters_of_long_queries_are_not_kept(query_bytes: int, kept: bool) -> None:
    parse_query_string.cache_clear()
    app = Door(Litestar([parameters], openapi_config=None), origins=frozenset())  # type: ignore[arg-type]
    async with AsyncTestClient(app) as client:  # type: ignore[arg-type]
        assert (await client.get("/?" + "&".join(["a=1"] * (query_bytes // 4)))).status_code == 200
    assert (parse_query_string.cache_info().currsize > 0) is kept
