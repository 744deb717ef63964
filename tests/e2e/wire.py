"""What both dashboards count on in every answer: a JSON object, one envelope, and times in one form."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import httpx

Json = dict[str, Any]

BASE = "/api/customer/whatsapp"
CHAT = "/api/services/whatsapp/chat"

SESSION_KEYS = {
    *("id", "sessionId", "name", "sessionName", "status", "phone", "qr", "message", "engine", "createdAt", "updatedAt"),
    *("connectedAt", "lastSeenAt", "aiConfig", "isNotification", "isDefault", "proxy", "deviceName", "pacing"),
    *("reason", "cause", "stage"),
}
MESSAGE_KEYS = {
    *("messageId", "waId", "sessionId", "direction", "type", "to", "from", "chat", "text", "caption", "fileName"),
    *("media", "status", "waitingFor", "resumeAt", "error", "attempts", "createdAt", "sentAt", "deliveredAt", "readAt"),
    *("replyTo", "mentions", "details", "editedAt", "revokedAt", "reactions", "votes"),
}
FRAME_KEYS = {"id", "cursor", "type", "sessionId", "occurredAt", "data", "v"}

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_TIME_NAME = re.compile(r"[a-zA-Z]*(At|Date)|at|timestamp|expiration|lastUpdated")
_PNG = b"\x89PNG\r\n\x1a\n"


def told(answer: httpx.Response, *keys: str, status: int = 200) -> Json:
    """The body of a success with exactly these keys beside `success`."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    assert answer.headers["content-type"].startswith("application/json")
    body: Json = answer.json()
    assert body["success"] is True
    assert set(body) == {"success", *keys}
    assert_times(body)
    return body


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """The body of a refusal: the error envelope and nothing else."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    assert answer.headers["content-type"].startswith("application/json")
    body: Json = answer.json()
    assert set(body) - {"details"} == {"success", "error", "message", "requestId"}
    assert (body["success"], body["error"]) == (False, code)
    assert body["message"].strip()
    assert body["requestId"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return body


def assert_times(value: Any) -> None:
    """Every time in it is ISO-8601 in UTC with exactly milliseconds and `Z`."""
    for name, at in _times_in("", value):
        assert isinstance(at, str), f"{name}: {at!r}"
        assert _TIME.fullmatch(at), f"{name}: {at!r}"


def _times_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, inner in value.items():
                yield from _times_in(key, inner)
        case list():
            for inner in value:
                yield from _times_in(name, inner)
        case _ if value is not None and _TIME_NAME.fullmatch(name):
            yield name, value


def png_in(data_url: str) -> bytes:
    """The PNG in a data URL; AssertionError unless it decodes to a picture."""
    head, _, data = data_url.partition(",")
    assert head == "data:image/png;base64"
    picture = base64.b64decode(data, validate=True)
    assert_png(picture)
    return picture


def assert_png(picture: bytes) -> None:
    """It is a whole PNG, whose checksums hold and whose pixels unpack to the size that it names."""
    assert picture.startswith(_PNG)
    chunks = list(_chunks(picture[len(_PNG) :]))
    assert [kind for kind, _ in chunks][0 :: len(chunks) - 1] == [b"IHDR", b"IEND"]
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    assert colour == 0, "a QR code is drawn in greys"
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    assert len(pixels) == height * (1 + (width * depth + 7) // 8)
    assert width == height


def _chunks(rest: bytes) -> Iterator[tuple[bytes, bytes]]:
    while rest:
        (size,) = struct.unpack(">I", rest[:4])
        kind, body = rest[4:8], rest[8 : 8 + size]
        assert struct.unpack(">I", rest[8 + size : 12 + size]) == (zlib.crc32(kind + body),)
        yield kind, body
        rest = rest[12 + size :]
