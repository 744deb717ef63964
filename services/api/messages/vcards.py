"""vCards as people have them (2.1, 3.0 and 4.0: RFC 2426, 6350), read and written anew as 3.0; pure.

Every step looks at each character a fixed number of times, so that a hostile card takes no longer than a long one.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

_BEGIN, _VERSION, _END = "BEGIN:VCARD", "VERSION:3.0", "END:VCARD"
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})
_LINE_ENDS = str.maketrans({"\n": "\\n", "\r": None})
_UNESCAPED = re.compile(r"\\([\\;,nN])")
_HEAD = re.compile(r'((?:[^":]++|"[^"]*+")*+):')
_PARAMETER = re.compile(r'(?:[^";]++|"[^"]*+"|")++')
_SEPARATOR = re.compile(r"(?<!\\);")
_WAID = re.compile(r"[1-9][0-9]{6,14}")
"""The digits of an account: it may have others than its phone shows (Brazil, Mexico), so a card's own are kept."""
NO_NUMBERS: Mapping[str, str] = MappingProxyType({})
MOST_NAME = 256
MOST_PHONES = 10
MOST_WAIDS = 50
"""So many phones of a card are looked up for their button."""
MOST_CHARACTERS = 65_536
MOST_LINES = 2_000


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a card, unfolded and decoded: `name` in capitals, `parameters` as they are written."""

    group: str
    name: str
    parameters: list[str]
    value: str

    def words(self) -> str:
        """The value as people read it."""
        return _UNESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], self.value).strip()

    def line(self) -> str:
        """The line of a vCard 3.0."""
        return ";".join([self.group + self.name, *self.parameters]) + ":" + self.value


class InvalidCard(msgspec.Struct, frozen=True, kw_only=True):
    """Why WhatsApp could not show a card."""

    reason: str


def vcard_of(name: str, numbers: Sequence[str], *, unsure: Mapping[str, str] = NO_NUMBERS) -> str:
    """A vCard 3.0 (RFC 2426). `numbers` are digits; `waid` lets WhatsApp offer to write to them.

    Those of `unsure` may be somebody else's, so they stand as they were written there, without `waid`.
    """
    shown = name.translate(_ESCAPED)
    phones = [f"TEL;type=CELL;type=VOICE{_ending(number, unsure)}" for number in numbers]
    return "\r\n".join([_BEGIN, _VERSION, f"N:;{shown};;;", f"FN:{shown}", *phones, _END])


def properties_of(vcard: str) -> list[Property] | InvalidCard:
    """What stands in the one card that this text is."""
    text = vcard.lstrip("\ufeff").strip()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[0].strip().upper() != _BEGIN or lines[-1].strip().upper() != _END:
        return InvalidCard(reason=f"a vCard begins with {_BEGIN} and ends with {_END}")
    if len(lines) > MOST_LINES:
        return InvalidCard(reason=f"it has more than {MOST_LINES:,} lines")
    found = list(_properties(lines))
    if any(each.name == "BEGIN" for each in found[1:]):
        return InvalidCard(reason="it holds more than one card; send each as a message of its own")
    return [each for each in found if each.name not in ("BEGIN", "VERSION", "END")]


def name_in(properties: Sequence[Property]) -> str | None:
    """Whom the card is of: its full name, or what is made of name, nickname or organisation where it has none."""
    by_name: dict[str, Property] = {}
    for each in properties:
        by_name.setdefault(each.name, each)
    names = (by_name[name].words() for name in ("FN",) if name in by_name)
    parts = (_spoken(by_name[name]) for name in ("N", "NICKNAME", "ORG") if name in by_name)
    return next((name[:MOST_NAME] for name in (*names, *parts) if name), None)


def written(properties: Sequence[Property], name: str, waid_of: Callable[[str], str | None]) -> str:
    """The card as vCard 3.0; each phone for which `waid_of` knows the digits gets its button."""
    lines = [_BEGIN, _VERSION]
    if not any(each.name == "FN" and each.words() for each in properties):
        lines.append(f"FN:{name.translate(_ESCAPED)}")
        properties = [each for each in properties if each.name != "FN"]
    left = MOST_WAIDS
    for each in properties:
        is_phone = each.name == "TEL" and left > 0
        left -= is_phone
        lines.append((_with_waid(each, waid_of) if is_phone else each).line())
    return "\r\n".join([*lines, _END])


def phones_in(vcard: str) -> list[str]:
    """The phone numbers that a card gives (TEL), as they are written there, at most MOST_PHONES.

    Also of a card that came in and is none, or of several: whatever can be read of its beginning.
    """
    lines = vcard[:MOST_CHARACTERS].lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    phones = (each.value for each in _properties(lines[:MOST_LINES]) if each.name == "TEL")
    return list(dict.fromkeys(phone for phone in phones if phone))[:MOST_PHONES]


def _ending(number: str, unsure: Mapping[str, str]) -> str:
    return f":{unsure[number]}" if number in unsure else f";waid={number}:+{number}"


# --- Reading ---------------------------------------------------------------------------------------------------------


def _properties(lines: Sequence[str]) -> Iterator[Property]:
    for line in _unfolded(_without_indentation(lines)):
        found = _HEAD.match(line)
        if found is not None:
            yield _property(found[1], line[found.end() :])


def _without_indentation(lines: Sequence[str]) -> Iterator[str]:
    """The lines without the blanks before each of them, which the last line tells: a pasted card is indented."""
    last = lines[-1]
    indentation = last[: len(last) - len(last.lstrip(" \t"))]
    yield lines[0].lstrip()
    for line in lines[1:]:
        yield line.removeprefix(indentation)


def _unfolded(lines: Iterator[str]) -> Iterator[str]:
    """Whole lines: a fold begins with a blank, and a line of quoted-printable ends in `=` where it goes on."""
    parts: list[str] = []
    is_quoted = goes_on = False
    for line in lines:
        if goes_on:
            parts.append(line)
        elif line[:1] in (" ", "\t") and parts:
            parts.append(line[1:])
        else:
            if parts:
                yield "".join(parts)
            parts, is_quoted = [line], "QUOTED-PRINTABLE" in line.partition(":")[0].upper()
        goes_on = is_quoted and parts[-1].endswith("=")
        if goes_on:
            parts[-1] = parts[-1][:-1]
    yield "".join(parts)


def _property(head: str, value: str) -> Property:
    named, *parameters = [each.strip() for each in _PARAMETER.findall(head)] or [""]
    group, dot, name = named.rpartition(".")
    upper = [each.upper() for each in parameters]
    if any(each.removeprefix("ENCODING=") in ("QUOTED-PRINTABLE", "Q") for each in upper):
        charset = next((each[8:].strip('"') for each in upper if each.startswith("CHARSET=")), "UTF-8")
        value = _decoded(value, charset).translate(_LINE_ENDS)
    kept = [each for each in map(_of_version_3, parameters) if each is not None]
    if "ENCODING=B" in map(str.upper, kept):
        value = "".join(value.split())
    return Property(
        group=group + dot,
        name=name.upper(),
        parameters=kept,
        value=_number(value) if name.upper() == "TEL" else value.strip(),
    )


_CHARSET = re.compile(
    r"utf-?8|us-ascii|iso-8859-[0-9]{1,2}|windows-[0-9]{3,4}|cp[0-9]{3,4}|shift_jis|gb(?:2312|k|18030)|big5|euc-(?:jp|kr)",
    re.IGNORECASE,
)
"""Of texts: Python knows codecs of other kinds besides, some of them slow, and some that raise what they like."""


def _decoded(value: str, charset: str) -> str:
    raw = binascii.a2b_qp(value.encode())
    try:
        return raw.decode(charset if _CHARSET.fullmatch(charset) else "utf-8")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def _of_version_3(parameter: str) -> str | None:
    """The parameter as 3.0 writes it; None for what only the former writing needed."""
    name, is_named, value = parameter.partition("=")
    match (name.strip().upper(), value.strip().upper()):
        case ("CHARSET", _) | ("ENCODING", "QUOTED-PRINTABLE" | "Q" | "8BIT" | "7BIT") | ("VALUE", "URI" | '"URI"'):
            return None
        case ("QUOTED-PRINTABLE" | "8BIT" | "7BIT", ""):
            return None
        case ("ENCODING", "BASE64") | ("BASE64", ""):
            return "ENCODING=b"
        case _:
            return parameter if is_named else f"TYPE={parameter}"


def _number(value: str) -> str:
    """A phone number out of its value, which may be an address: `tel:+62811;ext=5`."""
    written = value.strip()
    return written[4:].partition(";")[0] if written[:4].lower() == "tel:" else written


def _spoken(named: Property) -> str:
    """A name of several fields as it is said; those of N are `family;given;middle;prefix;suffix`."""
    fields = _SEPARATOR.split(named.value[: MOST_NAME * 4])
    said = [msgspec.structs.replace(named, value=field).words() for field in fields]
    if named.name == "N":
        family, given, middle, prefix, suffix = (*said, "", "", "", "", "")[:5]
        said = [prefix, given, middle, family, suffix]
    return " ".join(field for field in said if field)


def _with_waid(phone: Property, waid_of: Callable[[str], str | None]) -> Property:
    others = [each for each in phone.parameters if each.partition("=")[0].strip().upper() != "WAID"]
    given = next((each.partition("=")[2] for each in phone.parameters if each not in others), "")
    waid = given if _WAID.fullmatch(given) else waid_of(phone.value) or (given if given.isdecimal() else None)
    return msgspec.structs.replace(phone, parameters=others if waid is None else [*others, f"waid={waid}"])
