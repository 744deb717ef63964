"""Which names a pattern fits."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase

import pytest

from libs.contracts.patterns import fits


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*", ["message.sent", ""], []),
        ("message.*", ["message.sent", "message."], ["message", "session.qr", "a.message.b"]),
        ("message.sent", ["message.sent"], ["message.sent2", "message", ""]),
        ("*.sent", ["message.sent", ".sent"], ["sent", "message.sent."]),
        ("m*e*.s*t", ["message.sent", "me.st"], ["m.st", "message.sen"]),
        ("**", ["", "anything"], []),
        ("ab*ba", ["abba", "abxba"], ["aba", "ab"]),
        ("", [""], ["a"]),
    ],
)
def test_a_name_fits_a_pattern(pattern: str, fitting: list[str], others: list[str]) -> None:
    assert [name for name in fitting + others if fits(name, pattern)] == fitting


def test_patterns_mean_what_they_meant() -> None:
    """Stored webhooks have patterns that Python's fnmatch read."""
    names = ["".join(each) for length in range(5) for each in itertools.product("ab.", repeat=length)]
    patterns = ["".join(each) for length in range(6) for each in itertools.product("ab*", repeat=length)]
    assert [
        (name, pattern) for pattern in patterns for name in names if fits(name, pattern) != fnmatchcase(name, pattern)
    ] == []
