"""Reads a cookie of ours from the header `Cookie` (RFC 6265, 5.4); pure.

Ours hold neither quotes nor escapes. Python's own reading of those takes seconds for a hostile header before 3.11.10.
"""

from __future__ import annotations


def value_in(header: str, name: str) -> str:
    """The value of the first cookie of this name, or nothing."""
    for each in header.split(";"):
        named, _, value = each.strip().partition("=")
        if named == name:
            return value.strip()
    return ""
