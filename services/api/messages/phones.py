"""Turns what a customer wrote as a recipient into a WhatsApp address; pure."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec
import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

DEFAULT_COUNTRY = "62"
MIN_DIGITS, MAX_DIGITS = 7, 15
MAX_CHARACTERS = 64

_SEPARATORS = str.maketrans("", "", " -.()[]\u00a0\u2010\u2011\u2012\u2013")
_DIGITS = re.compile(r"[0-9]+")
_JID = re.compile(r"([0-9]{5,32}(?:-[0-9]{5,20})?)@(s\.whatsapp\.net|c\.us|g\.us|lid)")
GROUP = "@g.us"

_REASONS = {
    ValidationResult.INVALID_COUNTRY_CODE: "it does not begin with a country code that exists",
    ValidationResult.TOO_SHORT: "it is too short for its country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "it is too short for its country",
    ValidationResult.TOO_LONG: "it is too long for its country",
    ValidationResult.INVALID_LENGTH: "its length does not exist in its country",
}


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a message goes to: `jid` for WhatsApp; `display` for people, digits of a phone number or the JID."""

    jid: str
    display: str


class InvalidPhone(msgspec.Struct, frozen=True, kw_only=True):
    """The text names nobody; `reason` completes the sentence "The phone number is not valid: ..."."""

    reason: str


def is_group(jid: str) -> bool:
    """Whether this is the JID of a group."""
    return jid.endswith(GROUP) and _JID.fullmatch(jid) is not None


@lru_cache(maxsize=20_000)
def recipient_of(text: str, country: str = DEFAULT_COUNTRY) -> Recipient | InvalidPhone:
    """Whom `text` means: a phone number in any usual spelling, or a JID of a person, a group or a LID.

    `country` is the calling code that takes the place of a leading 0.
    """
    written = text.strip()
    if len(written) > MAX_CHARACTERS:
        return InvalidPhone(reason="it is too long")
    if "@" not in written:
        return phone_of(written, country)
    match = _JID.fullmatch(written)
    if match is None:
        return InvalidPhone(reason="it is not an address of WhatsApp")
    user, server = match.groups()
    if server in ("s.whatsapp.net", "c.us"):
        return phone_of("+" + user, country)
    return Recipient(jid=written, display=written)


def phone_of(text: str, country: str = DEFAULT_COUNTRY) -> Recipient | InvalidPhone:
    """The person with this phone number."""
    digits = international_digits(text, country)
    if isinstance(digits, InvalidPhone):
        return digits
    reason = fault_of(digits)
    if reason is not None:
        return InvalidPhone(reason=reason)
    return Recipient(jid=f"{digits}@s.whatsapp.net", display=digits)


def international_digits(text: str, country: str) -> str | InvalidPhone:
    """The number's digits with its country code: `08...`, `8...` and `+62 8...` all become `628...`."""
    bare = text.translate(_SEPARATORS)
    if not bare:
        return InvalidPhone(reason="it is empty")
    digits = bare.removeprefix("+")
    if not _DIGITS.fullmatch(digits):
        return InvalidPhone(reason="it may hold only digits, spaces, dashes, dots, brackets and a leading +")
    if bare.startswith("+"):
        return digits
    if digits.startswith("0"):
        return country + digits[1:]
    if digits.startswith("8") and 10 <= len(digits) <= 13:
        return country + digits
    return digits


def fault_of(digits: str) -> str | None:
    """What is wrong with a number in international form, or None.

    Asks `phonenumbers` whether the number is possible, not whether it is in use: its tables of valid ranges lag behind
    the operators, and numbers for tests lie outside of them; WhatsApp itself says who exists.
    """
    if len(digits) < MIN_DIGITS:
        return "it is too short"
    if len(digits) > MAX_DIGITS:
        return "it is too long"
    try:
        number = phonenumbers.parse("+" + digits)
    except NumberParseException:
        return _REASONS[ValidationResult.INVALID_COUNTRY_CODE]
    return _REASONS.get(phonenumbers.is_possible_number_with_reason(number))
