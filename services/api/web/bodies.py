"""Reads the text of request bodies: UTF-8 and nothing else, a refusal naming the first byte that is not."""

from __future__ import annotations

import codecs
import re
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import SerializationException
from litestar.serialization import decode_json

from libs.contracts.errors import ApiError
from services.api.errors import Refusal, invalid
from services.api.sentences import Phrase

OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""By their byte order marks; UTF-32's begins with UTF-16's, so it stands first."""
WITHOUT_MARKS: dict[tuple[int, ...], str] = {
    (1, 3): "UTF-16",
    (0, 2): "UTF-16",
    (1, 2, 3): "UTF-32",
    (0, 1, 2): "UTF-32",
}
"""By the places of NUL bytes among the first four: two ASCII characters begin any JSON (RFC 4627, section 3)."""

OPEN_BYTES = 16 * 1024
"""Largest body that is read without a credential, bytes."""
TEXT_BYTES = 1024 * 1024
"""Largest body where nothing but text comes: the longest message, every character escaped, is shorter."""
SEARCHED_BYTES = 1024 * 1024
LONGEST_ESCAPE = 12
_WHOLE = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89a-fA-F])|\\[^u])*+"
)
"""Text without half of a surrogate pair among its escapes."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class EdgeRequest(Request[Any, Any, Any]):
    """A request whose JSON body is read as RFC 8259 says: UTF-8, and a byte order mark may stand before it."""

    async def json(self) -> Any:
        """The decoded body; `null` when there is none. Raises Refusal MALFORMED_JSON."""
        body = json_text(await self.body())
        try:
            return decode_json(body or b"null", type_decoders=self.route_handler.resolve_type_decoders())
        except SerializationException as error:
            raise malformed(error, body) from error


def json_text(body: bytes) -> bytes:
    """The body without its byte order mark. Raises Refusal MALFORMED_JSON when it is not UTF-8."""
    text = body.removeprefix(codecs.BOM_UTF8)
    if text.isascii() and b"\0" not in text[:4]:
        return text
    fault = _encoding_fault(body)
    if fault is not None:
        offset, reason = fault
        raise Refusal(ApiError.MALFORMED_JSON, details={"offset": offset}, reason=reason)
    return text


def form_text(value: bytes, *, path: str) -> str:
    """One field of a form. Raises Refusal VALIDATION_FAILED, naming the field, when it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise invalid(path, _not_utf8(error.start, value)) from error


def malformed(error: Exception, body: bytes) -> Refusal:
    """MALFORMED_JSON with what the decoder says of the body, or that it holds half of a character."""
    said = str(error).removeprefix("JSON is malformed: ")
    offset = half_character(body) if "surrogate" in said or "truncated" in said else None
    if offset is not None:
        return Refusal(ApiError.MALFORMED_JSON, details={"offset": offset}, reason=_half_at(offset, body))
    return Refusal(ApiError.MALFORMED_JSON, reason=said[:200].rstrip(".") or "it cannot be read")


def decoded_json(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """What the decoder makes of the body. Raises Refusal MALFORMED_JSON, msgspec.ValidationError."""
    text = json_text(body)
    try:
        return decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise malformed(error, text) from error


def half_character(body: bytes) -> int | None:
    """Where an escape of half a surrogate pair stands in the first megabyte; the decoder calls some of them the end."""
    whole = _WHOLE.match(body, 0, SEARCHED_BYTES)
    end = whole.end() if whole is not None else 0
    is_cut = end + LONGEST_ESCAPE > SEARCHED_BYTES  # the other half may stand behind what was searched
    return end if not is_cut and _HALF.match(body, end) else None


def _half_at(offset: int, body: bytes) -> Phrase:
    escape = body[offset : offset + 6].decode()
    return Phrase(
        f"the text holds half of a character: {escape} at byte {offset} lacks its other half",
        f"teks memuat setengah karakter: {escape} pada byte {offset} tanpa pasangannya",
    )


def _encoding_fault(body: bytes) -> tuple[int, str] | None:
    """Where the body stops being UTF-8, and how; None when it is UTF-8."""
    for mark, name in OTHER_ENCODINGS:
        if body.startswith(mark):
            return 0, f"it is {name}; send UTF-8"
    name = WITHOUT_MARKS.get(tuple(place for place, byte in enumerate(body[:4]) if byte == 0))
    if name is not None:
        return body.index(b"\0"), f"it is {name}; send UTF-8"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start, _not_utf8(error.start, body)
    return None


def _not_utf8(offset: int, value: bytes) -> str:
    return f"it is not UTF-8: byte {offset} is 0x{value[offset]:02x}"
