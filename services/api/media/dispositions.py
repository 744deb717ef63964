"""The file's name in a `Content-Disposition`, as servers and forms write it: RFC 6266, 8187, 2231, 2047. Pure."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import cast
from urllib.parse import unquote_to_bytes

MOST_CHARACTERS = 4_096
"""A longer header names nothing: the reading of parameters looks at what is left once for each of them."""

_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_ENCODED_WORD = re.compile(r"=\?[\w.-]{1,40}\?[BbQq]\?[^?\s]*\?=")


_Extended = tuple[str | None, str | None, str]
"""Charset, language and value, as `email` hands them out."""


def parameters_of(header: str) -> dict[str, str]:
    """The header's parameters by lower-case name, decoded; `name*` wins over `name`, and its sections are joined."""
    if len(header) > MOST_CHARACTERS:
        return {}
    message: Message[str, str] = Message()
    message["Content-Disposition"] = re.sub(r"[\r\n]+", " ", header)
    found: dict[str, str] = {}
    extended: set[str] = set()
    for name, value in ((name.lower(), value) for name, value in _written_in(message)[1:]):
        if isinstance(value, tuple):
            found[name] = _of_charset(value)
            extended.add(name)
        elif name not in extended:
            found.setdefault(name, _plain(value))
    return found


def _written_in(message: Message[str, str]) -> list[tuple[str, str | _Extended]]:
    """The parameters; none of a header that `email` cannot put in order, such as `name*0*=a; name*=b`."""
    try:
        return cast("list[tuple[str, str | _Extended]]", message.get_params([], "content-disposition"))
    except (TypeError, ValueError):
        return []


def file_name_in(header: str) -> str | None:
    """The name that this `Content-Disposition` gives the file; None when it gives none."""
    return parameters_of(header).get("filename") or None


def _of_charset(extended: _Extended) -> str:
    """An extended value, whose bytes are the characters of Latin-1."""
    charset, _, value = extended
    written = value.encode("latin-1", "replace")
    try:
        return written.decode(charset or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return written.decode("utf-8", "replace")


def _plain(value: str) -> str:
    """A plain value; many senders put an encoded word, percent escapes or raw UTF-8 into it."""
    if _ENCODED_WORD.search(value):
        return _of_encoded_words(value)
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        raw = value.encode()
    try:
        return (unquote_to_bytes(raw) if _ESCAPED.search(value) else raw).decode()
    except UnicodeDecodeError:
        return value


def _of_encoded_words(value: str) -> str:
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        return value
