"""No text of a stranger takes a parser more than linear work, whatever separator it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.hostile.parsers import PARSERS, Parser
from tests.unit.hostile.texts import TextOf, texts
from tests.unit.hostile.work import first_faults


def framed(parser: Parser, around: tuple[str, str], text_of: TextOf) -> Callable[[int], Any]:
    """The hostile text between what leads to it; of bytes, the text in UTF-8 between bytes."""
    before, behind = around
    if not parser.is_bytes:
        return lambda length: before + text_of(length) + behind
    return lambda length: before.encode("latin-1") + text_of(length).encode()[:length] + behind.encode("latin-1")


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_no_text_takes_more_than_linear_work(parser: Parser) -> None:
    fed = (
        (f"{around[0]!a} {name} {around[1]!a}", framed(parser, around, text_of))
        for around in parser.around
        for name, text_of in texts()
    )
    assert first_faults(parser.parse, fed, parser.limit) == {}
