"""Whom a person looks for: a part of a name, or of a number in any usual spelling. Pure."""

from __future__ import annotations

import re

import msgspec

from services.api.messages.phones import InvalidPhone, international_digits

FEWEST_DIGITS = 3
"""Fewer stand in nearly every number."""

_NOT_DIGITS = re.compile(r"[^0-9]")


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
    found = international_digits(written, country)
    if isinstance(found, InvalidPhone):
        return Sought(text=written)
    forms = dict.fromkeys([found, _NOT_DIGITS.sub("", written)])
    return Sought(text=written, digits=tuple(form for form in forms if len(form) >= FEWEST_DIGITS))
