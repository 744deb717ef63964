"""Reading one of our cookies."""

from __future__ import annotations

import pytest

from services.api.web.cookie_header import value_in


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("", ""),
        ("token=abc", "abc"),
        ("a=1; token=abc; b=2", "abc"),
        ("a=1;token=abc;b=2", "abc"),
        (" token=abc ", "abc"),
        ("token=a=b==", "a=b=="),
        ("token=first; token=second", "first"),
        ("mytoken=abc; token2=abc", ""),
        ("token", ""),
        ("Token=abc", ""),
        (";;; token=abc", "abc"),
    ],
)
def test_a_cookie_is_read(header: str, value: str) -> None:
    assert value_in(header, "token") == value
