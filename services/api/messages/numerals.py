"""Reads the characters of a phone number as people and programs write it; pure.

Which number the digits are is another question: see `phones`.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from services.api.sentences import Phrase

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | frozenset(
    chr(selector) for selector in range(0xFE00, 0xFE10)
)
"""Characters that show nothing and are of no category of their own: fillers, joiners, variation selectors."""
_SAME = (
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("\uff0b\ufe62", "+")
    | dict.fromkeys("\u066b\u060c\uff0c", ",")
    | {"\uff08": "(", "\uff09": ")", "\uff3b": "[", "\uff3d": "]", "\uff0e": ".", "\uff20": "@", "\uff1a": ":"}
)

_APOSTROPHES = " '\u2018\u2019\u02bc\uff07"
_QUOTES = (('"', '"'), ("\u201c", "\u201d"), ("\u201e", "\u201c"), ("\uff02", "\uff02"))

_GROUP = re.compile(r"[0-9]+")
_ALLOWED = re.compile(r"[ ()\[\].-]*+\+?[ ()\[\].0-9-]*+")
_SHORTENED = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+")
_DECIMALS = re.compile(r"[+-]?[0-9]+,[0-9]{0,3}")
_EXTENSION = re.compile(
    r"[0-9)\]][ .,;-]{0,8}"
    r"(?:extension|extn|ext|ekstensi|ekst|eks|pesawat|pes|poste|anexo|ramal|int|x|#)"
    r"[ .:=]{0,8}[0-9]",
    re.IGNORECASE,
)
_BETWEEN_NUMBERS = re.compile(r"[,;/|\t\r\n]")
DIGITS_OF_A_NUMBER = 7
MOST_BEFORE_A_DOT = 5
"""Digits of the longest group that people put a dot behind: a country code with an area code."""

EMPTY = Phrase("it is empty", "kosong")
CHARACTERS = Phrase(
    "it may hold only digits, spaces, dashes, dots, brackets and a leading +",
    "hanya boleh berisi angka, spasi, tanda hubung, titik, kurung, dan + di depan",
)
SHORTENED = Phrase(
    "it looks like a number that a spreadsheet has shortened (as 6.28E+12), so that digits are lost; "
    "format that column as text",
    "tampaknya disingkat oleh lembar kerja (seperti 6,28E+12) sehingga angkanya hilang; "
    "ubah format kolom itu menjadi teks",
)
DECIMAL = Phrase(
    "it looks like a decimal number of a spreadsheet: a dot may stand only between groups of digits; "
    "format that column as text",
    "tampaknya bilangan desimal dari lembar kerja: titik hanya boleh di antara kelompok angka; "
    "ubah format kolom itu menjadi teks",
)
EXTENSION = Phrase(
    "it has an extension, and no number on WhatsApp has one; leave the extension out",
    "berisi nomor ekstensi (pesawat), yang tidak ada di WhatsApp; hapus ekstensinya",
)
SEVERAL = Phrase("it holds more than one number", "berisi lebih dari satu nomor")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The digits of a number in their order, and whether a + stands before them."""

    digits: str
    has_plus: bool = False


def in_plain_characters(text: str) -> str:
    """The text without what nobody sees, with ASCII digits, plain spaces, and one character for each kind of dash.

    WhatsApp Web itself puts marks of direction around the numbers that are copied from it, and spreadsheets put marks
    around those that shall stay a text.
    """
    return _without_marks_of_text((text if text.isascii() else "".join(map(_plain, text))).strip())


def _without_marks_of_text(text: str) -> str:
    """Without quotes or `="..."` around it, and without the apostrophes before it that our own CSV export writes."""
    text = text.strip(_APOSTROPHES)
    quoted = text[1:] if text[:2] == '="' else text
    is_quoted = len(quoted) > 1 and (quoted[0], quoted[-1]) in _QUOTES
    return quoted[1:-1].strip(_APOSTROPHES) if is_quoted else text


def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf" or character in _UNSEEN:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return " " if category == "Zs" else _SAME.get(character, character)


def written_in(text: str) -> Written | Phrase:
    """The number in a text of plain characters, or what the text is instead."""
    if not _ALLOWED.fullmatch(text):
        return _other_than_digits(text)
    groups = _GROUP.findall(text)
    if not groups:
        return CHARACTERS if "+" in text else EMPTY
    if "." in text and not _dots_stand_between(groups, _GROUP.split(text)):
        return DECIMAL
    return Written(digits="".join(groups), has_plus="+" in text)


def _other_than_digits(text: str) -> Phrase:
    """What a text with further characters looks like."""
    if _SHORTENED.fullmatch(text):
        return SHORTENED
    if _DECIMALS.fullmatch(text):
        return DECIMAL
    if _EXTENSION.search(text):
        return EXTENSION
    parts = _BETWEEN_NUMBERS.split(text)
    if len([part for part in parts if _count_digits(part) >= DIGITS_OF_A_NUMBER]) > 1:
        return SEVERAL
    return CHARACTERS


def _count_digits(text: str) -> int:
    return sum(map(len, _GROUP.findall(text)))


def _dots_stand_between(groups: list[str], separators: list[str]) -> bool:
    """Whether each dot parts two groups as people part them, and none begins decimals.

    `separators` has one more than `groups`: what stands before, between and behind them. A last group of one or two
    digits is taken for decimals, unless pairs with dots are how the whole number is written, as in France.
    """
    before, *between, behind = separators
    if "." in before + behind or any(each.count(".") > 1 for each in between):
        return False
    dotted = ["." in each for each in between]
    if any(is_dot and len(group) > MOST_BEFORE_A_DOT for group, is_dot in zip(groups, dotted, strict=False)):
        return False
    if not dotted[-1] or len(groups[-1]) > 2:
        return True
    return len(groups[-1]) == 2 and sum(dotted) >= 3 and [len(group) for group in groups[-3:]] == [2, 2, 2]
