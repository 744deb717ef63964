"""Messages in a path are decoded exactly once."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from services.api.web.rawpath import PREFIX, RawPath, decoded


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        pytest.param("hello", "hello", id="plain"),
        pytest.param("a%20b", "a b", id="space"),
        pytest.param("a+b", "a+b", id="a plus is a plus"),
        pytest.param("a%2Fb", "a/b", id="slash"),
        pytest.param("a%0Ab", "a\nb", id="line end"),
        pytest.param("a%3Fb%23c", "a?b#c", id="question mark and hash"),
        pytest.param("100%25", "100%", id="percent"),
        pytest.param("%252F", "%2F", id="decoded once, not twice"),
        pytest.param("%F0%9F%95%8A%EF%B8%8F", "🕊️", id="emoji"),
        pytest.param("100%", None, id="broken escape at the end"),
        pytest.param("100%zz", None, id="broken escape"),
        pytest.param("%FF", None, id="not UTF-8"),
    ],
)
def test_a_segment_is_decoded_once(segment: str, text: str | None) -> None:
    assert decoded(segment) == text


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        pytest.param(PREFIX + "s/k/628/a%2Fb", PREFIX + "s/k/628/a%2Fb", id="below the prefix"),
        pytest.param(PREFIX + "s/k/628/a%3Fb?x=1", PREFIX + "s/k/628/a%3Fb", id="without the query"),
        pytest.param("/api/other/a%20b", "/api/other/a b", id="elsewhere"),
    ],
)
async def test_only_the_public_routes_see_the_raw_path(raw: str, seen: str) -> None:
    paths: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["path"])

    scope: Any = {"type": "http", "path": unquote(raw.partition("?")[0]), "raw_path": raw.encode()}
    await RawPath(app)(scope, None, None)  # pyright: ignore[reportArgumentType]
    assert paths == [seen]
