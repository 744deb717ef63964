"""Counts the scans of a JPEG without decoding it (ITU T.81, annex B): a decoder walks through the picture for each."""

from __future__ import annotations

import re

MOST_SCANS = 100
"""Encoders make about ten."""
_SCAN, _END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
"""With what a segment carries behind it; what stands before it is a scan's data, or garbage that decoders skip."""


def has_too_many_scans(file: bytes) -> bool:
    """Whether this is a JPEG of more than MOST_SCANS scans. Looks at each byte once at most."""
    if not file.startswith(b"\xff\xd8"):
        return False
    at, scans = 2, 0
    while scans <= MOST_SCANS and (found := _MARKER.search(file, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker == _END:
            break
        scans += marker == _SCAN
        at += int.from_bytes(file[at : at + 2], "big")
    return scans > MOST_SCANS
