"""Tells whether a text is exactly one emoji, as a reaction has to be (Unicode Technical Standard 51)."""

from __future__ import annotations

import re

from services.api.messages.emoji_table import BASES, EMOJI, FLAGS, JOINED, TAGGED_FLAGS

MOST_CHARACTERS = 24
"""More than any emoji has."""
JOINER, AS_EMOJI, KEYCAP = "\u200d", "\ufe0f", "\u20e3"
KEYS = "0123456789#*"
TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
_BLACK_FLAG, _TAG, _LAST_TAG = "\U0001f3f4", 0xE0000, "\U000e007f"
_REGIONAL_A = 0x1F1E6


def _characters(ranges: str) -> frozenset[str]:
    found: set[str] = set()
    for part in ranges.split():
        first, _, last = part.partition("-")
        found.update(map(chr, range(int(first, 16), int(last or first, 16) + 1)))
    return frozenset(found)


def _flags() -> frozenset[str]:
    letters = {"".join(chr(_REGIONAL_A + ord(letter) - ord("A")) for letter in region) for region in FLAGS.split()}
    tagged = {_BLACK_FLAG + "".join(chr(_TAG + ord(each)) for each in part) + _LAST_TAG for part in TAGGED_FLAGS}
    return frozenset(letters | tagged)


_EMOJI, _BASES, _FLAGS = _characters(EMOJI), _characters(BASES), _flags()
_KEYCAPS = frozenset(each + KEYCAP for each in KEYS)
_JOINED = frozenset(JOINER.join(chr(int(each, 16)) for each in parts.split("-")) for parts in JOINED.split())


def is_emoji(text: str) -> bool:
    """Whether the text is one emoji: a character, a keycap, a flag, with a skin tone, or several joined."""
    if not 0 < len(text) <= MOST_CHARACTERS or not _selectors_fit(text):
        return False
    plain = text.replace(AS_EMOJI, "")
    if plain in _KEYCAPS or plain in _FLAGS:
        return True
    parts = [_without_tone(part) for part in plain.split(JOINER)]
    return parts[0] in _EMOJI if len(parts) == 1 else JOINER.join(parts) in _JOINED


def _selectors_fit(text: str) -> bool:
    """Whether each presentation selector stands behind a character that has such a form."""
    places = [place for place, each in enumerate(text) if each == AS_EMOJI]
    return all(place > 0 and (text[place - 1] in _EMOJI or text[place - 1] in KEYS) for place in places)


def _without_tone(part: str) -> str:
    """The part without its one skin tone, where it may have one."""
    return part[0] if len(part) == 2 and part[0] in _BASES and TONE.match(part[1]) else part
