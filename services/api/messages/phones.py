"""Turns what a customer wrote as a recipient into a WhatsApp address; pure.

A number is read by the tables of `phonenumbers`. The digits of the result are those that were written, without an
international prefix and without the national prefix (the 0 of `+44 (0) 7911 ...`); the default country's code is added
to a number that is written as in that country. What can be read as two numbers is refused, except that `8...` is an
Indonesian mobile wherever it can be one; `as_it_stands` says whom such digits name abroad.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec
import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberType, ValidationResult

from services.api.messages.jids import PERSON, jid_in
from services.api.messages.numerals import EXTENSION, Written, in_plain_characters, written_in
from services.api.remembering import remembered
from services.api.sentences import Phrase

DEFAULT_COUNTRY = "62"
MIN_DIGITS, MAX_DIGITS = 7, 15
MAX_CHARACTERS = 64
MAX_BYTES = 1_024
"""With characters that nobody sees."""

TOO_SHORT = Phrase("it is too short", "terlalu pendek")
TOO_LONG = Phrase("it is too long", "terlalu panjang")
NO_COUNTRY = Phrase("it does not begin with a country code that exists", "tidak diawali kode negara yang ada")
SHORT_FOR_COUNTRY = Phrase("it is too short for its country", "terlalu pendek untuk negaranya")
LONG_FOR_COUNTRY = Phrase("it is too long for its country", "terlalu panjang untuk negaranya")
LENGTH_OF_NONE = Phrase("its length does not exist in its country", "panjangnya tidak ada di negaranya")
ZERO = Phrase(
    "a 0 stands behind the country code, where that country's numbers have none",
    "ada angka 0 setelah kode negara, padahal nomor negara itu tidak memilikinya",
)
AMBIGUOUS = Phrase(
    "it can be read as more than one number; write it with + and the country code",
    "dapat dibaca sebagai lebih dari satu nomor; tulis dengan + dan kode negara",
)
NO_NUMBER = Phrase("it is an address that holds no phone number", "itu alamat yang tidak memuat nomor telepon")
CONTEXT = Phrase(
    "its tel: link needs more than the link says; write the number with + and the country code",
    "tautan tel: ini tidak lengkap; tulis nomornya dengan + dan kode negara",
)

_FAULTS = {
    ValidationResult.INVALID_COUNTRY_CODE: NO_COUNTRY,
    ValidationResult.TOO_SHORT: SHORT_FOR_COUNTRY,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: SHORT_FOR_COUNTRY,
    ValidationResult.TOO_LONG: LONG_FOR_COUNTRY,
    ValidationResult.INVALID_LENGTH: LENGTH_OF_NONE,
}
_LENGTHS = (SHORT_FOR_COUNTRY, LONG_FOR_COUNTRY, LENGTH_OF_NONE)
"""Faults that the tables may be wrong about."""
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a message goes to: `jid` for WhatsApp; `display` for people, digits of a phone number or the JID."""

    jid: str
    display: str


class InvalidPhone(msgspec.Struct, frozen=True, kw_only=True):
    """The text names nobody; `said` completes the sentence "The phone number is not valid: ...".

    `doubtful` is whom it means if the tables are wrong, which know less than WhatsApp (a Mexican 521...): only WhatsApp
    can say.
    """

    said: Phrase
    doubtful: Recipient | None = None

    @property
    def reason(self) -> str:
        """In English."""
        return self.said.en


class _Reading(msgspec.Struct, frozen=True):
    """One way to read the digits: as an international number, and what the tables have against it."""

    digits: str
    fault: Phrase | None = None


@remembered(most=20_000, longest=MAX_CHARACTERS)
def recipient_of(text: str, country: str = DEFAULT_COUNTRY) -> Recipient | InvalidPhone:
    """Whom `text` means: a phone number in any usual spelling, or a JID of a person, a group or a LID.

    `country` is the calling code that takes the place of a leading 0.
    """
    if len(text) > MAX_BYTES:
        return InvalidPhone(said=TOO_LONG)
    plain = in_plain_characters(text)
    if len(plain) > MAX_CHARACTERS:
        return InvalidPhone(said=TOO_LONG)
    if "@" not in plain:
        return _phone_in(plain, country)
    jid = jid_in(plain)
    if isinstance(jid, Phrase):
        return InvalidPhone(said=jid)
    return Recipient(jid=jid, display=jid.removesuffix(PERSON))


@remembered(most=20_000, longest=MAX_CHARACTERS)
def as_it_stands(text: str, country: str = DEFAULT_COUNTRY) -> Recipient | None:
    """Whom the digits name as a whole international number where `recipient_of` reads, or may read, another one.

    The API itself writes numbers so (`chat`, `from`, `phone`, `number`): who is known under these digits is meant. None
    for all that has one reading, and for what no account can have.
    """
    plain = in_plain_characters(text) if len(text) <= MAX_BYTES else ""
    written = _written(plain) if len(plain) <= MAX_CHARACTERS else TOO_LONG
    if not isinstance(written, Written) or written.has_plus or written.digits.startswith("0"):
        return None
    standing = _international(written.digits)
    if standing.fault not in (None, *_LENGTHS):
        return None
    found = recipient_of(text, country)
    taken_for = found if isinstance(found, Recipient) else found.doubtful
    return None if taken_for == _person(standing.digits) else _person(standing.digits)


def certain_recipient_of(text: str, country: str = DEFAULT_COUNTRY) -> Recipient | InvalidPhone:
    """As `recipient_of`, where nothing tells which of two numbers in use is meant: that is refused."""
    return recipient_of(text, country) if other_in_use(text, country) is None else InvalidPhone(said=AMBIGUOUS)


def other_in_use(text: str, country: str = DEFAULT_COUNTRY) -> Recipient | None:
    """Who else may be meant than whom `recipient_of` names: `as_it_stands`, where that is a mobile in use."""
    other = as_it_stands(text, country)
    return other if other is not None and _is_mobile(_Reading(other.display)) else None


def _phone_in(plain: str, country: str) -> Recipient | InvalidPhone:
    written = _written(plain)
    if isinstance(written, Phrase):
        return InvalidPhone(said=written)
    readings = dict.fromkeys(_readings_of(written, country))
    possible = [reading for reading in readings if reading.fault is None]
    if len(possible) > 1:
        return InvalidPhone(said=AMBIGUOUS)
    if possible:
        return _person(possible[0].digits)
    first, *others = readings
    is_doubtful = first.fault in _LENGTHS and not others
    return InvalidPhone(said=first.fault or TOO_SHORT, doubtful=_person(first.digits) if is_doubtful else None)


def _person(digits: str) -> Recipient:
    return Recipient(jid=digits + PERSON, display=digits)


def _written(plain: str) -> Written | Phrase:
    return _written_in_link(plain[4:]) if plain[:4].lower() == "tel:" else written_in(plain)


def _written_in_link(rest: str) -> Written | Phrase:
    """The number of a `tel:` URI (RFC 3966): its extension is none of WhatsApp's, its context may be a country code."""
    number, *parameters = in_plain_characters(unquote(rest)).split(";")
    written = written_in(number)
    if isinstance(written, Phrase):
        return written
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() in ("ext", "isub"):
            return EXTENSION
        context = written_in(value.strip()) if name.strip().lower() == "phone-context" else CONTEXT
        if not isinstance(context, Written) or not context.has_plus:
            return CONTEXT
        if not written.has_plus:
            written = Written(digits=context.digits + written.digits, has_plus=True)
    return written


# --- As which numbers the digits can be read -------------------------------------------------------------------------


def _readings_of(written: Written, country: str) -> list[_Reading]:
    """Each way to read these digits, the usual one first; one with a fault counts only if there is no other."""
    digits = written.digits
    if written.has_plus:
        return [_international(digits)]
    region = phonenumbers.region_code_for_country_code(int(country))
    if digits.startswith("00"):
        return _with_prefix_00(digits, region)
    from_abroad = _behind(digits, "011", _own_prefix(digits, region))
    if digits.startswith("0"):
        return [_national(digits, country, region), *from_abroad]
    if country == DEFAULT_COUNTRY:
        may_be_mobile = digits.startswith("8") and 10 <= len(digits) <= 13
        return _mobile_or_abroad(digits) if may_be_mobile else [_international(digits)]
    if digits.startswith(country):
        return [_international(digits), *from_abroad]
    as_at_home = _national(digits, country, region)
    return [_international(digits), *from_abroad, *([as_at_home] if _is_in_use(as_at_home) else [])]


def _mobile_or_abroad(digits: str) -> list[_Reading]:
    """An Indonesian mobile without its 0, or a whole number of Japan (81), Korea (82), Hong Kong (852), China (86) ...

    What is in use in neither country is read as local, for the tables lag behind.
    """
    local, abroad = _international(DEFAULT_COUNTRY + digits), _international(digits)
    if _is_mobile(local):
        return [local]
    return [each for each in (local, abroad) if _is_in_use(each)] or [local]


def _is_mobile(reading: _Reading) -> bool:
    """Whether it is in use, by a mobile phone as far as its country tells those apart."""
    return _is_in_use(reading) and phonenumbers.number_type(phonenumbers.parse("+" + reading.digits)) in _MOBILE


def _with_prefix_00(digits: str, region: str) -> list[_Reading]:
    """00 is known everywhere; a longer prefix of the region (Indonesia's 008) counts only where 00 makes no sense.

    Else 00 91 ... of an Indian number would be an operator's 009 before an American one.
    """
    usual = _international(digits[2:])
    return [usual] if usual.fault is None else [usual, *_behind(digits, _own_prefix(digits, region))]


def _behind(digits: str, *prefixes: str) -> list[_Reading]:
    """As they read behind each of these prefixes: only numbers in use, for a mistyped one must not become another's."""
    begun_with = [prefix for prefix in dict.fromkeys(prefixes) if prefix and digits.startswith(prefix)]
    return [each for each in (_international(digits[len(prefix) :]) for prefix in begun_with) if _is_in_use(each)]


def _own_prefix(digits: str, region: str) -> str:
    """The international prefix of the region with which the digits begin; else nothing."""
    metadata = PhoneMetadata.metadata_for_region(region)
    found = re.match(metadata.international_prefix, digits) if metadata and metadata.international_prefix else None
    return found[0] if found else ""


def _national(digits: str, country: str, region: str) -> _Reading:
    """As it is dialled in the default country; where the 0 belongs to the number, as in Italy, it stays."""
    metadata = PhoneMetadata.metadata_for_region(region)
    prefix = (metadata.national_prefix if metadata else None) or ""
    if prefix and digits.startswith(prefix):
        return _international(country + digits[len(prefix) :], may_have_prefix=False)
    with_zero = _international(country + digits)
    return with_zero if _is_in_use(with_zero) else _international(country + digits.removeprefix("0"))


def _international(digits: str, *, may_have_prefix: bool = True) -> _Reading:
    """The number with its country code, without the national prefix that may stand behind that."""
    if len(digits) < MIN_DIGITS:
        return _Reading(digits, TOO_SHORT)
    try:
        parsed = phonenumbers.parse("+" + digits)
    except NumberParseException as error:
        is_country = error.error_type == NumberParseException.INVALID_COUNTRY_CODE
        return _Reading(digits, NO_COUNTRY if is_country else TOO_LONG)
    code = str(parsed.country_code)
    number = _without_prefix(parsed, digits[len(code) :], may_have_prefix=may_have_prefix)
    digits = code + phonenumbers.national_significant_number(number)
    return _Reading(digits, _fault_of(number, digits))


def _without_prefix(parsed: PhoneNumber, written: str, *, may_have_prefix: bool) -> PhoneNumber:
    """The library's number where it has but taken off a leading 0 or 06; else the number as it was `written`.

    The library also rewrites numbers (Argentina's 15 becomes a 9), and takes off a 1 or an 8 that may be the number's.
    """
    code = parsed.country_code or 0
    kept = phonenumbers.national_significant_number(parsed)
    taken_off = written.removesuffix(kept)
    is_prefix = may_have_prefix and taken_off[:1] == "0" and taken_off in _national_prefixes(code)
    if written.endswith(kept) and (not taken_off or is_prefix):
        return parsed
    zeros = len(written) - len(written.lstrip("0"))
    return PhoneNumber(
        country_code=code,
        national_number=int(written or "0"),
        italian_leading_zero=bool(zeros) or None,
        number_of_leading_zeros=zeros if zeros > 1 else None,
    )


def _national_prefixes(code: int) -> set[str | None]:
    regions = phonenumbers.region_codes_for_country_code(code)
    found = (PhoneMetadata.metadata_for_region(region) for region in regions)
    return {metadata.national_prefix for metadata in found if metadata is not None}


def _fault_of(number: PhoneNumber, digits: str) -> Phrase | None:
    """What is wrong with a number in international form, or None.

    Asks `phonenumbers` whether the number is possible, not whether it is in use: its tables of valid ranges lag behind
    the operators, and numbers for tests lie outside of them; WhatsApp itself says who exists.
    """
    if len(digits) < MIN_DIGITS:
        return TOO_SHORT
    if len(digits) > MAX_DIGITS:
        return TOO_LONG
    if number.italian_leading_zero and not phonenumbers.is_valid_number(number):
        return ZERO
    return _FAULTS.get(phonenumbers.is_possible_number_with_reason(number))


def _is_in_use(reading: _Reading) -> bool:
    """Whether the tables hold the number for one that somebody may have."""
    return reading.fault is None and phonenumbers.is_valid_number(phonenumbers.parse("+" + reading.digits))
