"""Words: how what a message says is cut, so that what somebody looks for is found whatever its case and accents."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
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
    return text.lower() if text.isascii() else "".join(map(_letters_of, text))


@lru_cache(maxsize=4_096)
def _letters_of(character: str) -> str:
    """The letters that the character is made of, folded.

    Character by character: to decompose a whole text sorts its marks, in quadratic time where there are only marks.
    """
    apart = unicodedata.normalize("NFKD", character).casefold()
    return "".join(letter for letter in apart if not unicodedata.combining(letter))
