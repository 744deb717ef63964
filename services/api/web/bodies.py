"""Reads the text of request bodies: UTF-8 and nothing else, a refusal naming the first byte that is not."""

from __future__ import annotations

import codecs
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import SerializationException
from litestar.serialization import decode_json

from libs.contracts.errors import ApiError
from services.api.errors import Refusal, invalid

OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""By their byte order marks; UTF-32's begins with UTF-16's, so it stands first."""


class EdgeRequest(Request[Any, Any, Any]):
    """A request whose JSON body is read as RFC 8259 says: UTF-8, and a byte order mark may stand before it."""

    async def json(self) -> Any:
        """The decoded body; `null` when there is none. Raises Refusal MALFORMED_JSON."""
        body = json_text(await self.body())
        try:
            return decode_json(body or b"null", type_decoders=self.route_handler.resolve_type_decoders())
        except SerializationException as error:
            raise malformed(error) from error


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


def malformed(error: Exception) -> Refusal:
    """MALFORMED_JSON with what the decoder says of the body."""
    said = str(error).removeprefix("JSON is malformed: ")
    return Refusal(ApiError.MALFORMED_JSON, reason=said[:200].rstrip(".") or "it cannot be read")


def decoded_json(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """What the decoder makes of the body. Raises Refusal MALFORMED_JSON, msgspec.ValidationError."""
    try:
        return decoder.decode(json_text(body))
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise malformed(error) from error


def _encoding_fault(body: bytes) -> tuple[int, str] | None:
    """Where the body stops being UTF-8, and how; None when it is UTF-8."""
    for mark, name in OTHER_ENCODINGS:
        if body.startswith(mark):
            return 0, f"it is {name}; send UTF-8"
    if b"\0" in body[:4]:  # RFC 4627, section 3: two ASCII characters begin any JSON
        name = "UTF-32" if body[:4].count(b"\0") == 3 else "UTF-16"
        return body.index(b"\0"), f"it is {name}; send UTF-8"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start, _not_utf8(error.start, body)
    return None


def _not_utf8(offset: int, value: bytes) -> str:
    return f"it is not UTF-8: byte {offset} is 0x{value[offset]:02x}"
