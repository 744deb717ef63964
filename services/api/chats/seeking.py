"""Whom a person looks for: a part of a name, or of a number in any usual spelling. Pure."""

from __future__ import annotations

import msgspec

from services.api.messages.numerals import Written, in_plain_characters, written_in
from services.api.messages.phones import Recipient, recipient_of

FEWEST_DIGITS = 3
"""Fewer stand in nearly every number."""


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """What a chat's name holds, or its number: one of these."""

    text: str
    digits: tuple[str, ...] = ()


def sought_chats(text: str, country: str) -> Sought | None:
    """Whom `text` names; None when it names nobody. `country` is the calling code in the place of a leading 0.

    A part of a number may begin with a 0 that stands for nothing else. NUL is left out: no pattern may hold it.
    """
    written = text.replace("\0", "").strip()
    if not written:
        return None
    part = written_in(in_plain_characters(written))
    if not isinstance(part, Written):
        return Sought(text=written)
    forms = dict.fromkeys([*_whole(written, country), _as_abroad(part, country), part.digits])
    return Sought(text=written, digits=tuple(form for form in forms if len(form) >= FEWEST_DIGITS))


def _whole(written: str, country: str) -> list[str]:
    found = recipient_of(written, country)
    return [found.display] if isinstance(found, Recipient) else []


def _as_abroad(part: Written, country: str) -> str:
    if part.has_plus or not part.digits.startswith("0"):
        return part.digits
    return country + part.digits[1:]
