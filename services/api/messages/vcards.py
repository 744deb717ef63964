"""vCards: makes one of a name and phone numbers, and looks at one that was given; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BEGIN, _END = "BEGIN:VCARD", "END:VCARD"
_FULL_NAME = re.compile(r"^(?:[A-Za-z0-9-]+\.)?FN(?:;[^:\r\n]*)?:(.+?)\s*$", re.IGNORECASE | re.MULTILINE)
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})
_UNESCAPED = re.compile(r"\\([\\;,nN])")
MOST_NAME = 256
MOST_PHONES = 10


def vcard_of(name: str, numbers: Sequence[str]) -> str:
    """A vCard 3.0 (RFC 2426). `numbers` are digits; `waid` lets WhatsApp offer to write to them."""
    shown = name.translate(_ESCAPED)
    phones = [f"TEL;type=CELL;type=VOICE;waid={number}:+{number}" for number in numbers]
    return "\r\n".join([_BEGIN, "VERSION:3.0", f"N:;{shown};;;", f"FN:{shown}", *phones, _END])


def fault_of(vcard: str) -> str | None:
    """Why WhatsApp could not show this card, or None."""
    text = vcard.strip()
    if not text.upper().startswith(_BEGIN) or not text.upper().endswith(_END):
        return f"a vCard begins with {_BEGIN} and ends with {_END}"
    if text.upper().count(_BEGIN) > 1:
        return "it holds more than one card"
    return None


def name_in(vcard: str) -> str | None:
    """The name that the card gives (FN)."""
    found = _FULL_NAME.search(vcard)
    name = _UNESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], found[1]).strip() if found else ""
    return name[:MOST_NAME] or None


def phones_in(vcard: str) -> list[str]:
    """The phone numbers that the card gives (TEL), as they are written there, at most MOST_PHONES.

    Line by line: a card that came in may be made to take long.
    """
    found: dict[str, None] = {}
    for line in vcard.splitlines():
        head, _, value = line.partition(":")
        number = value.strip().removeprefix("tel:")
        if head.partition(";")[0].rpartition(".")[2].strip().upper() == "TEL" and number:
            found[number] = None
    return list(found)[:MOST_PHONES]
