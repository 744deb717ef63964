"""What a session may be called: whatever is accepted stands in a path, percent-encoded, and is found there."""

from __future__ import annotations

import re
import unicodedata

LENGTHS = (3, 50)
SEPARATORS = "/\\"
"""Proxies and clients take `/`, encoded or not, for the end of a segment, and browsers turn `\\` into it."""

_JOINERS = "\u200c\u200d"
_IN_EMOJI = re.compile(f"[{_JOINERS}\U000e0020-\U000e007f]")
"""Invisible, but parts of emoji (and of words in Persian and Indic scripts)."""


def as_stored(written: str) -> str:
    """The name as it is stored and looked up: composed (NFC), without the spaces around it."""
    return unicodedata.normalize("NFC", written).strip()


def name_fault(name: str) -> str | None:
    """Why a session cannot have this name, which went through `as_stored`; None when it can."""
    if not LENGTHS[0] <= len(name) <= LENGTHS[1]:
        return f"a session's name has {LENGTHS[0]} to {LENGTHS[1]} characters"
    if any(separator in name for separator in SEPARATORS):
        return "a session's name has no slash and no backslash, for it stands in paths"
    if name[0] in _JOINERS or name[-1] in _JOINERS or not _IN_EMOJI.sub("", name).isprintable():
        return "a session's name has printable characters only"
    return None
