"""Reads bodies piece by piece: multipart forms whose file goes straight into GridFS, and JSON up to a limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from libs.contracts.ids import new_id
from services.api.context import Edge
from services.api.errors import Refusal, invalid, too_large
from services.api.media import kinds
from services.api.media.dispositions import parameters_of
from services.api.media.sniffing import Sniffer
from services.api.media.store_media import Upload
from services.api.web.bodies import form_text

FORM_BYTES = 256 * 1024
"""All fields of a form together; the file does not count."""
FORM_PARTS = 30
HEADER_BYTES = 16 * 1024
DISCARDED_BYTES = 64 * 1024 * 1024
"""How much of a body that is too large is still read, so that the client gets to see the answer."""

AnyRequest = Request[Any, Any, Any]


async def body_of(request: AnyRequest, *, most: int) -> bytes:
    """The whole body. Raises Refusal 413 as soon as it is longer than `most` bytes."""
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        piece, more = await _next_piece(request)
        size += len(piece)
        if size > most:
            if more:
                await _discard(pieces_of(request))
            raise too_large("request body", most)
        pieces.append(piece)
    return b"".join(pieces) if len(pieces) > 1 else pieces[0]


async def _next_piece(request: AnyRequest) -> tuple[bytes, bool]:
    """Straight from the server: `Request.stream` has its own limit, and costs as much as all the rest of a send."""
    message: Any = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientException("the client went away")
    return message.get("body", b""), message.get("more_body", False)


async def pieces_of(request: AnyRequest) -> AsyncGenerator[bytes, None]:
    """The rest of the body. Raises ClientException when the client goes away, as Litestar's own reading does."""
    more = True
    while more:
        piece, more = await _next_piece(request)
        yield piece


async def _discard(body: AsyncIterator[bytes]) -> None:
    size = 0
    async for piece in body:
        size += len(piece)
        if size > DISCARDED_BYTES:
            return


def header_of(request: AnyRequest, name: bytes) -> str | None:
    """One header by its lower-case name, without parsing the others."""
    for found, value in request.scope["headers"]:
        if found == name:
            return value.decode("latin-1")
    return None


# --- Multipart -------------------------------------------------------------------------------------------------------


def is_form(request: AnyRequest) -> bool:
    """Whether the body is a multipart form."""
    return (header_of(request, b"content-type") or "").lower().startswith("multipart/form-data")


class ReceivedFile(msgspec.Struct, kw_only=True):
    """A file that came, written to GridFS but not yet kept there."""

    upload: Upload
    name: str | None
    declared: str
    sniffer: Sniffer = msgspec.field(default_factory=Sniffer)

    async def write(self, piece: bytes) -> None:
        """Add a piece."""
        self.sniffer.feed(piece)
        await self.upload.write(piece)

    def mimetype(self) -> str:
        """What its bytes say it is."""
        return self.sniffer.mimetype(declared=self.declared, file_name=self.name)


class Form(msgspec.Struct, kw_only=True):
    """A form: its fields by name, and its file."""

    fields: dict[str, str] = {}
    file: ReceivedFile | None = None


@asynccontextmanager
async def received_form(edge: Edge, request: AnyRequest) -> AsyncGenerator[Form, None]:
    """Read the form. Its file stays only if `keep` was called on it when the block ends.

    Raises Refusal: 400 for what is not a form, 413 for a file that is larger than any kind may be.
    """
    form = Form()
    try:
        await _read(edge, request, form)
        yield form
    except FormParserError as error:
        raise invalid("", "the body is not a multipart form") from error
    finally:
        if form.file is not None and not form.file.upload.kept:
            await form.file.upload.drop()


async def _read(edge: Edge, request: AnyRequest, form: Form) -> None:
    parts = _Parts(_boundary_of(request))
    reader = _FormReader(edge, form)
    body = pieces_of(request)
    async for piece in body:
        for event in parts.feed(piece):
            try:
                await reader.take(event)
            except Refusal:
                await _discard(body)
                raise
    if not parts.ended:
        raise invalid("", "the multipart form ends too early")
    reader.end()


def _boundary_of(request: AnyRequest) -> bytes:
    _, options = parse_options_header(header_of(request, b"content-type") or "")
    boundary: bytes | None = options.get(b"boundary")
    if not boundary or len(boundary) > 200:
        raise invalid("Content-Type", "the multipart form names no boundary")
    return boundary


class _Begin(msgspec.Struct, frozen=True):
    name: str
    file_name: str | None
    declared: str


_Event = _Begin | bytes


class _Parts:
    """Turns the parser's callbacks into events: a part's beginning, then its data."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[_Event] = []
        self._headers: dict[str, str] = {}
        self._field, self._value, self._header_bytes, self._parts = b"", b"", 0, 0
        self.ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    def feed(self, piece: bytes) -> list[_Event]:
        self._events = []
        self._parser.write(piece)
        return self._events

    def _begin(self) -> None:
        self._parts += 1
        self._headers, self._header_bytes = {}, 0
        if self._parts > FORM_PARTS:
            raise invalid("", f"a form has at most {FORM_PARTS} parts")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += self._counted(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._counted(data[start:end])

    def _counted(self, piece: bytes) -> bytes:
        self._header_bytes += len(piece)
        if self._header_bytes > HEADER_BYTES:
            raise invalid("", "a part of the form has too long headers")
        return piece

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode(errors="replace")
        self._field, self._value = b"", b""

    def _headers_finished(self) -> None:
        options = parameters_of(self._headers.get("content-disposition", ""))
        declared = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        self._events.append(_Begin(options.get("name", ""), options.get("filename"), declared))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end(self) -> None:
        self.ended = True


class _FormReader:
    """Puts the events of a form where they belong: fields into memory, the one file into GridFS."""

    def __init__(self, edge: Edge, form: Form) -> None:
        self._edge, self._form = edge, form
        self._field: str | None = None
        self._values: dict[str, bytes] = {}
        self._bytes = 0

    async def take(self, event: _Event) -> None:
        if isinstance(event, _Begin):
            self._begin(event)
        elif self._field is None:
            await self._add_to_file(event)
        else:
            self._add_to_field(self._field, event)

    def _begin(self, part: _Begin) -> None:
        if part.file_name is None and part.name != "file":
            self._field = part.name
            self._add_to_field(part.name, b"")
            return
        if self._form.file is not None:
            raise invalid(part.name, "a form brings one file")
        self._field = None
        upload = Upload(self._edge.database, new_id("med"))
        self._form.file = ReceivedFile(upload=upload, name=part.file_name, declared=part.declared)

    def _add_to_field(self, name: str, piece: bytes) -> None:
        self._bytes += len(piece)
        if self._bytes > FORM_BYTES:
            raise too_large("form besides its file", FORM_BYTES)
        self._values[name] = self._values.get(name, b"") + piece

    def end(self) -> None:
        """The form has ended: its fields are whole. Raises Refusal VALIDATION_FAILED for one that is not UTF-8."""
        self._form.fields = {name: form_text(value, path=name) for name, value in self._values.items()}

    async def _add_to_file(self, piece: bytes) -> None:
        file = self._form.file
        if file is None:
            return
        settings = self._edge.settings
        most = max(kinds.limit_bytes(kind, settings) for kind in kinds.KINDS)
        if file.upload.size + len(piece) > most:
            raise too_large("file", most)
        await file.write(piece)
