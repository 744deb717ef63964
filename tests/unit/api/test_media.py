"""What a medium is, by its bytes."""

from __future__ import annotations

import base64

import pytest

from services.api.media.kinds import (
    SLICE,
    Inline,
    InvalidMedium,
    clean_name,
    document_name,
    fault_of,
    inline_of,
    mimetype_of,
    size_fault,
)
from services.api.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
ZIP = b"PK\x03\x04" + b"\0" * 64
SETTINGS = Settings(nats_url="", mongodb_url="", secret_keys="", image_bytes=100, document_bytes=200)


@pytest.mark.parametrize(
    ("text", "data", "declared"),
    [
        pytest.param("aGVsbG8=", b"hello", "", id="bare"),
        pytest.param("aGVs\nbG8=\n", b"hello", "", id="with line ends"),
        pytest.param("  aGVsbG8 =", b"hello", "", id="with spaces, even before the padding"),
        pytest.param("data:text/plain;base64,aGVsbG8=", b"hello", "text/plain", id="a data URL"),
        pytest.param("DATA:Text/Plain;charset=utf-8;BASE64,aGVsbG8=", b"hello", "text/plain", id="with parameters"),
        pytest.param("data:;base64,aGVsbG8=", b"hello", "", id="without a type"),
    ],
)
def test_base64_is_read(text: str, data: bytes, declared: str) -> None:
    assert inline_of(text) == Inline(data=data, declared=declared)


@pytest.mark.parametrize("size", [SLICE - 4, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE, 3 * SLICE + 2])
@pytest.mark.parametrize("line", [0, 76])
def test_long_base64_is_read_slice_by_slice(size: int, line: int) -> None:
    data = bytes(index * 7 % 256 for index in range(size))
    text = base64.b64encode(data).decode()
    if line:
        text = "\r\n".join(text[start : start + line] for start in range(0, len(text), line))
    assert inline_of(text) == Inline(data=data)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("   ", id="only spaces"),
        pytest.param("data:image/png;base64,", id="an empty data URL"),
        pytest.param("data:image/png,hello", id="a data URL that is not base64"),
        pytest.param("data:image/png;base64", id="a data URL without data"),
        pytest.param("aGVsbG8", id="without its padding"),
        pytest.param("aGVs*G8=", id="a sign that is none of base64"),
        pytest.param("aGVsbG8=aGVsbG8=", id="padding in the middle"),
        pytest.param("a" * SLICE + "=" + "a" * SLICE, id="padding in the middle of much"),
        pytest.param("aGVsbG8é", id="a letter beyond ASCII"),
        pytest.param("https://example.org/a.png", id="an address"),
        pytest.param("file:///etc/passwd", id="a file's address"),
    ],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    assert isinstance(inline_of(text), InvalidMedium)


@pytest.mark.parametrize(
    ("head", "declared", "name", "mimetype"),
    [
        pytest.param(PNG, "application/pdf", "a.pdf", "image/png", id="the bytes win"),
        pytest.param(ZIP, "", "a.docx", None, id="a container is named by its name"),
        pytest.param(ZIP, "", "a.zip", "application/zip", id="a plain archive"),
        pytest.param(b"a,b\n1,2\n", "", "list.csv", "text/csv", id="a text by its name"),
        pytest.param(b"hello", "text/plain", None, "text/plain", id="a text by what was declared"),
        pytest.param(b"hello", "image/png", "a.png", "application/octet-stream", id="no image without its bytes"),
        pytest.param(b"<svg/>", "image/svg+xml", "a.svg", "image/svg+xml", id="an SVG is known as one"),
        pytest.param(b"hello", "no type\r\nX: y", None, "application/octet-stream", id="what is no type at all"),
    ],
)
def test_the_type_is_what_the_bytes_say(head: bytes, declared: str, name: str | None, mimetype: str | None) -> None:
    docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert mimetype_of(head, declared=declared, file_name=name) == (mimetype or docx)


@pytest.mark.parametrize(
    ("kind", "mimetype", "fits"),
    [
        ("image", "image/png", True),
        ("image", "image/svg+xml", False),
        ("image", "image/tiff", False),
        ("image", "application/pdf", False),
        ("video", "video/mp4", True),
        ("video", "audio/mpeg", False),
        ("audio", "audio/ogg", True),
        ("document", "text/html", True),
        ("document", "image/png", True),
    ],
)
def test_a_file_goes_only_as_a_kind_that_it_is(kind: str, mimetype: str, fits: bool) -> None:
    assert (fault_of(kind, mimetype) is None) is fits  # pyright: ignore[reportArgumentType]


def test_each_kind_has_its_own_limit() -> None:
    assert size_fault("image", 100, SETTINGS) is None
    large = size_fault("image", 101, SETTINGS)
    assert large is not None
    assert (large.what, large.limit_bytes) == ("image", 100)
    assert size_fault("document", 101, SETTINGS) is None


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param("offer.pdf", "offer.pdf", id="plain"),
        pytest.param("../../etc/passwd", "passwd", id="a path"),
        pytest.param("C:\\Users\\me\\offer.pdf", "offer.pdf", id="a path of Windows"),
        pytest.param("a\r\nb\x00.pdf", "ab.pdf", id="control characters"),
        pytest.param("gpj.\u202efdp.exe", "gpj.fdp.exe", id="a direction override"),
        pytest.param("x" * 500 + ".pdf", "x" * 180 + ".pdf", id="very long"),
        pytest.param("Penawaran 🕊️.pdf", "Penawaran 🕊️.pdf", id="emoji"),
        pytest.param("..", None, id="a folder"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_a_file_name_is_cleaned(given: str | None, shown: str | None) -> None:
    assert clean_name(given) == shown


def test_a_document_without_a_name_gets_one() -> None:
    assert document_name(None, "application/pdf") == "document.pdf"
    assert document_name("offer.pdf", "application/pdf") == "offer.pdf"
