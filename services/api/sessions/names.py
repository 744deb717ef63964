"""What a session may be called: whatever is accepted stands in a path, percent-encoded, and is found there."""

from __future__ import annotations

import re
import unicodedata

from libs.contracts.ids import is_session_id
from services.api.sentences import Phrase

LENGTHS = (3, 50)
MOST_DECOMPOSED = 4 * LENGTHS[1]
"""No character is more than four before it is composed. Composing takes quadratic time where there are only marks."""
SEPARATORS = "/\\"
"""Proxies and clients take `/`, encoded or not, for the end of a segment, and browsers turn `\\` into it."""

_JOINERS = "\u200c\u200d"
_IN_EMOJI = re.compile(f"[{_JOINERS}\U000e0020-\U000e007f]")
"""Invisible, but parts of emoji (and of words in Persian and Indic scripts)."""

_LENGTH = Phrase(
    f"a session's name has {LENGTHS[0]} to {LENGTHS[1]} characters",
    f"nama sesi terdiri dari {LENGTHS[0]} sampai {LENGTHS[1]} karakter",
)
_SLASH = Phrase(
    "a session's name has no slash and no backslash, for it stands in paths",
    "nama sesi tidak boleh berisi garis miring, ke arah mana pun, karena dipakai di alamat",
)
_UNPRINTABLE = Phrase(
    "a session's name has printable characters only", "nama sesi hanya boleh berisi karakter yang dapat dicetak"
)
_LIKE_AN_ID = Phrase(
    "a session's name does not have the form of a session's id (16 hexadecimal digits)",
    "nama sesi tidak boleh berbentuk id sesi (16 digit heksadesimal)",
)


def as_stored(written: str) -> str:
    """The name as it is stored and looked up: composed (NFC), without the spaces around it.

    What is too long to become a name stays as it is: no session has it.
    """
    name = written.strip()
    return name if len(name) > MOST_DECOMPOSED else unicodedata.normalize("NFC", name).strip()


def name_fault(name: str) -> Phrase | None:
    """Why a session cannot have this name, which went through `as_stored`; None when it can."""
    if not LENGTHS[0] <= len(name) <= LENGTHS[1]:
        return _LENGTH
    if any(separator in name for separator in SEPARATORS):
        return _SLASH
    if name[0] in _JOINERS or name[-1] in _JOINERS or not _IN_EMOJI.sub("", name).isprintable():
        return _UNPRINTABLE
    if is_session_id(name):
        return _LIKE_AN_ID  # paths take ids and names alike, and an id wins
    return None
