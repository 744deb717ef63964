"""Words: how what a message says is cut, so that what somebody looks for is found whatever its case and accents."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice

MOST_WORDS = 200
"""Of one message, the first; each is an entry of an index."""
MOST_CHARACTERS = 32
"""Of one word."""

_ALONE = "\u3040-\u30ff\u3400-\u9fff"
"""Kana and Han letters: they stand without spaces, so each is a word."""
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")


def words_of(*texts: str | None) -> list[str]:
    """The different words of these texts, in their order: letters and digits, folded and without accents."""
    found = (word[:MOST_CHARACTERS] for text in texts if text for word in _WORD.findall(_folded(text)))
    return list(islice(dict.fromkeys(found), MOST_WORDS))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
