"""Which part of a file is asked for."""

from __future__ import annotations

import pytest

from services.api.media.ranges import part_of


@pytest.mark.parametrize(
    ("header", "content_range"),
    [
        pytest.param("bytes=0-", "bytes 0-99/100", id="from the beginning"),
        pytest.param("bytes=40-59", "bytes 40-59/100", id="a piece"),
        pytest.param("Bytes=99-99", "bytes 99-99/100", id="the last byte"),
        pytest.param("bytes=90-500", "bytes 90-99/100", id="beyond the end"),
        pytest.param("bytes=-10", "bytes 90-99/100", id="the last ten"),
        pytest.param("bytes=-500", "bytes 0-99/100", id="more than there is"),
    ],
)
def test_a_part_is_named_by_its_first_and_last_byte(header: str, content_range: str) -> None:
    part = part_of(header, 100)
    assert part is not None
    assert part.content_range == content_range
    assert part.bytes == part.last - part.first + 1


@pytest.mark.parametrize(
    "header", ["", "bytes=-", "bytes=100-", "bytes=5-4", "bytes=-0", "bytes=0-1,5-6", "items=0-1", "bytes=a-b"]
)
def test_for_anything_else_there_is_the_whole_file(header: str) -> None:
    assert part_of(header, 100) is None


def test_an_empty_file_has_no_parts() -> None:
    assert part_of("bytes=0-", 0) is None
