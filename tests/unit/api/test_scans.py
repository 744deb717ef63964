"""Counting the scans of a JPEG."""

from __future__ import annotations

import struct

import pytest

from services.api.media.decoder.scans import MOST_SCANS, has_too_many_scans
from tests import media

WITHIN = media.many_scans((8, 8), MOST_SCANS + 1)
USUAL = media.picture("JPEG", (64, 64), progressive=True)


@pytest.mark.parametrize(
    ("file", "too_many"),
    [
        pytest.param(USUAL, False, id="a usual one"),
        pytest.param(media.many_scans((8, 8), MOST_SCANS), False, id="as many as may be"),
        pytest.param(WITHIN, True, id="one more"),
        pytest.param(WITHIN.replace(b"\xff\xda", b"\xff\xff\xff\xda"), True, id="with fillers"),
        pytest.param(WITHIN.replace(b"\xff\xda", b"\xff\x00\xff\xd0?\xff\xda"), True, id="behind escapes and restarts"),
        pytest.param(
            USUAL[:2] + b"\xff\xe1" + struct.pack(">H", len(WITHIN) + 2) + WITHIN + USUAL[2:], False, id="EXIF"
        ),
        pytest.param(b"\xff\xd8" + b"\xff\xda\x00\x02" * 50, False, id="cut off"),
        pytest.param(b"\xff\xd8\xff\xda\x00", False, id="cut off within a length"),
        pytest.param(b"\xff\xd8\xff\xd9" + WITHIN[2:], False, id="behind the end"),
        pytest.param(b"\x89PNG" + WITHIN, False, id="no JPEG"),
    ],
)
def test_a_jpeg_of_too_many_scans_is_known(file: bytes, too_many: bool) -> None:
    assert has_too_many_scans(file) is too_many


def test_a_length_shorter_than_itself_ends() -> None:
    assert has_too_many_scans(b"\xff\xd8" + b"\xff\xda\x00\x00" * (MOST_SCANS + 1))
