"""What a medium is, by its bytes."""

from __future__ import annotations

import base64

import pytest

from services.api.media.kinds import (
    SLICE,
    Inline,
    InvalidMedium,
    Kind,
    clean_name,
    document_name,
    fault_of,
    inline_of,
    mimetype_of,
    misnamed,
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
        pytest.param("aGVsbG8", b"hello", "", id="without its padding"),
        pytest.param("aGVsbG8h-_8", b"hello!\xfb\xff", "", id="the URL-safe alphabet without padding"),
        pytest.param("aGVsbG8h-_-_\n", b"hello!\xfb\xff\xbf", "", id="the URL-safe alphabet"),
        pytest.param("data:text/plain;base64,aGVsbG8%3D", b"hello", "text/plain", id="percent escapes"),
        pytest.param("data:text/plain; charset=utf-8 ; base64 , aGVsbG8=", b"hello", "text/plain", id="with spaces"),
    ],
)
def test_base64_is_read(text: str, data: bytes, declared: str) -> None:
    assert inline_of(text) == Inline(data=data, declared=declared)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        pytest.param('name="Laporan, Juni; final.pdf"', "Laporan, Juni; final.pdf", id="in quotes"),
        pytest.param("name=Laporan, Juni 2026.pdf", "Laporan, Juni 2026.pdf", id="a comma and spaces, bare"),
        pytest.param("filename*=UTF-8''Laporan%20Juni.pdf", "Laporan Juni.pdf", id="extended"),
        pytest.param('name="a;base64,b.pdf"', "a;base64,b.pdf", id="what looks like the end"),
        pytest.param("charset=utf-8;name=" + "x" * 300 + ".pdf", "x" * 300 + ".pdf", id="long"),
    ],
)
def test_a_data_url_may_hold_any_parameters(parameters: str, name: str) -> None:
    read = inline_of(f"data:application/pdf;{parameters};base64,aGVsbG8=")
    assert read == Inline(data=b"hello", declared="application/pdf", file_name=name)


MANY = bytes(index * index * 7 % 251 for index in range(2_057))


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        pytest.param("aGVs G8=", "aGVs+G8=", id="one"),
        pytest.param("aGVs   G8", None, id="an unpadded length"),
        pytest.param("aG sbG8h", "aG+sbG8h", id="one in a whole length"),
        pytest.param(" GVsbG8=", "+GVsbG8=", id="at the beginning of what is padded"),
        pytest.param("aGVsbG8 ", None, id="at the end, where padding may be missing as well"),
        pytest.param(" aGVsbG8", None, id="at the beginning, where padding may be missing as well"),
        pytest.param("aGVsbG8h    ", "aGVsbG8h", id="around what is whole"),
        pytest.param("aG sbG8 ", "aG+sbG8+", id="within and at the end"),
        pytest.param("aG s \n  bG8= ", "aG+sbG8=", id="around lines as well as within"),
        pytest.param("aG s \r\n bG8h\r\n", "aG+sbG8h", id="two around lines and one within"),
        pytest.param("  aG s \n bG8h", None, id="four around lines and one within"),
        pytest.param("aGVs\n bG8=", "aGVsbG8=", id="around lines alone"),
        pytest.param("aGV \nbG8=", "aGV+bG8=", id="at the end of a padded line"),
        pytest.param("data:image/png;base64,aG sbG8=", "aG+sbG8=", id="in a data URL"),
        pytest.param("data:image/png;base64,aG%20sbG8=", "aG+sbG8=", id="escaped"),
        pytest.param("a- sbG8=", None, id="in the alphabet without plus"),
    ],
)
def test_a_space_within_a_line_was_a_plus(text: str, read_as: str | None) -> None:
    read = inline_of(text)
    if read_as is None:
        assert isinstance(read, InvalidMedium)
        assert "+ as %2B" in read.reason.en
    else:
        assert isinstance(read, Inline)
        assert read.data == base64.b64decode(read_as)


@pytest.mark.parametrize("size", [2_055, 2_056, 2_057])
@pytest.mark.parametrize("line", [0, 64, 76])
def test_a_form_that_loses_every_plus_loses_no_byte(size: int, line: int) -> None:
    data = MANY[:size]
    text = base64.b64encode(data).decode().replace("+", " ")
    assert " " in text
    if line:
        text = "\r\n".join(text[start : start + line] for start in range(0, len(text), line))
    read = inline_of(text)
    assert read == Inline(data=data) or (line and isinstance(read, InvalidMedium))


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
        pytest.param("aGVsb", id="a length that no data has"),
        pytest.param("aGVsbG8==", id="too much padding"),
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


PAGE = b"\xef\xbb\xbf \n<!-- error -->\r\n<!DOCTYPE html><title>404</title>"


@pytest.mark.parametrize(
    ("head", "declared", "name", "mimetype"),
    [
        pytest.param(PAGE, "", "a.pdf", "text/html", id="a page under a PDF's name"),
        pytest.param(PAGE, "application/pdf", None, "text/html", id="a page declared as a PDF"),
        pytest.param(b"<HTML lang=id>", "", "a.docx", "text/html", id="a page under the name of a document"),
        pytest.param("\ufeff<html>".encode("utf-16-le"), "", "a.png", "text/html", id="a page in UTF-16"),
        pytest.param(b"<?xml version='1.0'?><html>", "", "a.zip", "text/html", id="an XHTML page"),
        pytest.param(b'{"error": "gone"}', "", "a.pdf", "text/plain", id="JSON under a PDF's name"),
        pytest.param("galat: tidak ada é".encode()[:-1], "application/pdf", None, "text/plain", id="a cut off text"),
    ],
)
def test_a_page_under_the_name_of_a_file_is_refused(
    head: bytes, declared: str, name: str | None, mimetype: str
) -> None:
    assert mimetype_of(head, declared=declared, file_name=name) == mimetype
    fault = misnamed(mimetype, declared=declared, file_name=name)
    assert fault is not None
    assert str(fault.reason).startswith("its bytes are a web page" if mimetype == "text/html" else "its bytes are text")


@pytest.mark.parametrize(
    ("head", "declared", "name", "mimetype"),
    [
        pytest.param(PAGE, "", "a.html", "text/html", id="a page under its own name"),
        pytest.param(PAGE, "", None, "text/html", id="a page without a name"),
        pytest.param(PAGE, "text/plain", "a.txt", "text/plain", id="a page as text"),
        pytest.param(b"<table><tr>", "", "a.xls", "text/html", id="a table for Excel"),
        pytest.param(b"\r\n%PDF-1.4\n", "", "a.pdf", "application/pdf", id="a PDF behind line ends"),
        pytest.param(b"\x01\x02\x03", "", "a.pdf", "application/octet-stream", id="unknown bytes"),
        pytest.param(b"a,b\n", "application/pdf", "a.csv", "text/csv", id="a text whose name tells it"),
    ],
)
def test_what_its_name_allows_is_taken(head: bytes, declared: str, name: str | None, mimetype: str) -> None:
    assert mimetype_of(head, declared=declared, file_name=name) == mimetype
    assert misnamed(mimetype, declared=declared, file_name=name) is None


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


@pytest.mark.parametrize(
    ("given", "mimetype", "shown"),
    [
        pytest.param("Penawaran", "application/pdf", "Penawaran.pdf", id="no ending"),
        pytest.param("Penawaran v1.2", "application/pdf", "Penawaran v1.2.pdf", id="a number"),
        pytest.param("PT. Maju Jaya", "application/pdf", "PT. Maju Jaya.pdf", id="a dot within"),
        pytest.param("PT.Maju", "application/pdf", "PT.Maju.pdf", id="what is no ending that is known"),
        pytest.param("Penawaran.", "application/pdf", "Penawaran.pdf", id="a dot at the end"),
        pytest.param("foto.bin", "image/png", "foto.bin", id="another ending"),
        pytest.param("foto", "image/jpeg", "foto.jpg", id="a picture"),
        pytest.param("suara", "audio/ogg; codecs=opus", "suara.ogg", id="a type with parameters"),
        pytest.param("gambar.sketch", "application/zip", "gambar.sketch", id="a container of some format"),
        pytest.param("arsip", "application/zip", "arsip.zip", id="a container without an ending"),
        pytest.param("catatan", "text/plain", "catatan.txt", id="a text"),
        pytest.param("peta.geojson", "text/plain", "peta.geojson", id="a text of some format"),
        pytest.param("data", "application/octet-stream", "data", id="bytes of no type"),
        pytest.param("x" * 500, "application/pdf", "x" * 180 + ".pdf", id="very long"),
    ],
)
def test_a_name_gets_the_ending_that_its_type_implies(given: str, mimetype: str, shown: str) -> None:
    assert document_name(given, mimetype) == shown


@pytest.mark.parametrize(
    ("kind", "isi"),
    [
        ("image", "isinya text/plain, bukan gambar; kirim sebagai dokumen"),
        ("video", "isinya text/plain, bukan video; kirim sebagai dokumen"),
        ("audio", "isinya text/plain, bukan audio; kirim sebagai dokumen"),
        ("sticker", "isinya text/plain; stiker berupa WebP"),
    ],
)
def test_a_kind_stands_in_an_indonesian_sentence_by_its_indonesian_word(kind: Kind, isi: str) -> None:
    fault = fault_of(kind, "text/plain")
    assert fault is not None
    assert fault.reason.id == isi
