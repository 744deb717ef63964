"""What a medium is: reads base64, looks at the bytes instead of believing a name, and knows the limits. Pure."""

from __future__ import annotations

import binascii
import re
from typing import Final, Literal
from urllib.parse import unquote

import filetype
import msgspec

from services.api.media.dispositions import parameters_of
from services.api.media.file_types import (
    NO_PAGE,
    PDF,
    TOLD_BY_BYTES,
    has_ending,
    is_text,
    is_web_page,
    type_named,
    usual_ending,
)
from services.api.sentences import Phrase, phrase_of_term
from services.api.settings import Settings

Kind = Literal["image", "document", "video", "audio", "voice", "sticker"]
KINDS: Final[tuple[Kind, ...]] = ("image", "document", "video", "audio", "voice", "sticker")
PublicKind = Literal["image", "document", "video", "audio"]
PUBLIC_KINDS: Final[tuple[PublicKind, ...]] = ("image", "document", "video", "audio")
"""What the public endpoints send."""
HEAD_BYTES = 8_192
SLICE = 256 * 1024
"""Base64 longer than this is decoded off the event loop, this much at a time."""

MOST_HEAD = 2_048
"""Characters of a data URL before its data."""

_MARK = re.compile(r";\s*base64\s*,", re.IGNORECASE)
_SPACES = b" \t\n\r\v\f"
_STANDARD = bytes.maketrans(b"-_", b"+/")
"""The URL-safe alphabet of base64 (RFC 4648, 5) in the usual one."""
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_UNFIT = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_MIMETYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,80}")

IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""The images that WhatsApp shows; every other one goes as a document."""
CONTAINERS = frozenset({"application/zip", "application/x-ole-storage", "application/octet-stream"})
"""What the bytes say of many formats; the name tells which one it is."""
UNKNOWN = "application/octet-stream"
OPUS = "audio/ogg; codecs=opus"
"""What phones record, and WhatsApp plays as a voice note."""
_MORE_SOUND = (
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b"caff\0\1", "audio/x-caf"),
    (b"\xff\xfa", "audio/mpeg"),
    (b"\xff\xe3", "audio/mpeg"),
    (b"\xff\xe2", "audio/mpeg"),
)
"""Sound that `filetype` does not know: AMR-WB, Apple's CAF, MP3 with a checksum and at low rates."""
ACTIVE = re.compile(r"html|javascript|ecmascript|svg|[/+]xml$|wasm")
"""Types that a browser would run."""
_WRITTEN = re.compile(r"text/.+|application/(?:.+\+)?(?:json|xml)")
MAX_NAME = 200


class InvalidMedium(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` completes the sentence "The medium is not valid: ..."."""

    reason: Phrase


class TooLarge(msgspec.Struct, frozen=True, kw_only=True):
    """The medium, a `what`, has more bytes than are taken."""

    what: str
    limit_bytes: int


class Inline(msgspec.Struct, frozen=True, kw_only=True):
    """A medium out of JSON; `declared` is the type that its data URL claimed, or empty, `file_name` its parameter."""

    data: bytes
    declared: str = ""
    file_name: str | None = None


_NO_DATA_URL = InvalidMedium(
    reason=Phrase("a data URL looks like data:<type>;base64,<data>", "data URL berbentuk data:<jenis>;base64,<data>")
)
_AN_ADDRESS = InvalidMedium(
    reason=Phrase(
        "it is an address; send the file itself as a data URL, base64 or multipart",
        "itu alamat; kirim berkasnya sebagai data URL, base64 atau multipart",
    )
)
_NOT_BASE64 = InvalidMedium(reason=Phrase("it is not base64", "bukan base64"))
_LOST_PLUS = InvalidMedium(
    reason=Phrase(
        "a space stands where base64 has a +, as in a form that does not write + as %2B",
        "ada spasi di tempat tanda + pada base64, seperti dari formulir yang tidak menulis + sebagai %2B",
    )
)
_EMPTY = InvalidMedium(reason=Phrase("it is empty", "kosong"))


class _PlusLost(ValueError):
    """Which spaces of the base64 were a `+` cannot be told."""


def inline_bytes_of(text: str) -> int:
    """About how many bytes (never less than there are) this base64 text decodes to."""
    return len(text) * 3 // 4 + 1


def inline_of(text: str) -> Inline | InvalidMedium:
    """Decode a data URL or bare base64 of either alphabet, with or without padding, in lines or not.

    Spaces within a line are read as the `+` that a form makes a space of, where the length is right so.
    """
    declared, name, encoded = "", None, text
    if text[:5].lower() == "data:":
        marks = list(_MARK.finditer(text, 4, MOST_HEAD))
        if not marks:
            return _NO_DATA_URL
        declared, name = _described(text[5 : marks[-1].start()])  # the last: no data holds a semicolon
        encoded = text[marks[-1].end() :]
        encoded = unquote(encoded) if "%" in encoded else encoded
    elif _LINK.match(text):
        return _AN_ADDRESS
    try:
        data = _decoded(_with_plus(encoded) if " " in encoded else encoded)
    except _PlusLost:
        return _LOST_PLUS
    except (binascii.Error, UnicodeEncodeError):
        return _NOT_BASE64
    if not data:
        return _EMPTY
    return Inline(data=data, declared=declared, file_name=name)


def _described(head: str) -> tuple[str, str | None]:
    """The type and the name in the head of a data URL: `type;name=value;...`, whatever its values hold."""
    declared, separator, _ = head.partition(";")
    given = parameters_of(f"data{head[len(declared) :]}") if separator else {}
    return declared.strip().lower(), given.get("filename") or given.get("name")


def _with_plus(encoded: str) -> str:
    """The text without the spaces around its lines; those within a line are the `+` that they were.

    Raises _PlusLost when they cannot be all of them, or when those around lines may have been a `+`, too.
    """
    text = _without_spaces_at_padding(encoded)
    for each in "\t\v\f":
        text = text.replace(each, "")
    lines = text.replace("\r", "\n").split("\n")
    whole, trimmed = "".join(lines), "".join(line.strip(" ") for line in lines)
    is_split, has_plus = " " in trimmed, not ("-" in text or "_" in text)
    if not is_split and (len(trimmed) % 4 == 0 or not has_plus):
        return trimmed
    readings = [each for each in {whole, trimmed} if has_plus and len(each) % 4 == 0]
    if not is_split and "=" not in text and len(trimmed) % 4 != 1:
        readings.append(trimmed)  # its padding was left out
    if len(readings) == 1:
        return readings[0].replace(" ", "+")
    if is_split or readings:
        raise _PlusLost
    return trimmed


def _without_spaces_at_padding(encoded: str) -> str:
    """No encoder ends with `+` before padding: the bits that the padding leaves over are zero (RFC 4648, 3.5)."""
    body = encoded.rstrip("= \t\n\r\v\f")
    padding = encoded.count("=", len(body))
    return body + "=" * padding if padding else encoded


def _decoded(encoded: str) -> bytes:
    """Strict base64, a slice at a time: in a thread, the event loop gets its turn between two slices."""
    decoded: list[bytes] = []
    rest = b""
    for start in range(0, len(encoded), SLICE):
        rest += encoded[start : start + SLICE].encode("ascii").translate(_STANDARD, _SPACES)
        whole = len(rest) - 4  # the last group waits: only at the very end may it hold padding
        whole -= whole % 4
        if whole > 0:
            if b"=" in rest[:whole]:
                raise binascii.Error("padding within the data")
            decoded.append(binascii.a2b_base64(rest[:whole], strict_mode=True))
            rest = rest[whole:]
    decoded.append(binascii.a2b_base64(_padded(rest), strict_mode=True))
    return b"".join(decoded)


def _padded(group: bytes) -> bytes:
    """The last group with the padding that may be left out (RFC 4648, 3.2)."""
    return group if b"=" in group else group + b"=" * (-len(group) % 4)


def mimetype_of(head: bytes, *, declared: str, file_name: str | None) -> str:
    """The type of a file that begins with `head` (HEAD_BYTES are enough).

    Its bytes decide; only where they do not tell, its name, then what was declared, as long as that is no image, video,
    audio or PDF, which bytes always tell.
    """
    sniffed = _sniffed(head)
    if sniffed is not None and sniffed not in CONTAINERS:
        return sniffed
    named = type_named(file_name or "") or ""
    candidates = [named, declared]
    if is_web_page(head) and not any(map(_WRITTEN.fullmatch, candidates)):
        return "text/html"
    for candidate in candidates:
        if _MIMETYPE.fullmatch(candidate) and not TOLD_BY_BYTES.match(candidate):
            return candidate
    if PDF in candidates and is_text(head):
        return "text/plain"
    return sniffed or ("image/svg+xml" if named == "image/svg+xml" else UNKNOWN)


def _sniffed(head: bytes) -> str | None:
    sniffed: str | None = filetype.guess_mime(head)
    if sniffed == "audio/ogg" and head[28:36] == b"OpusHead":  # RFC 7845: the first packet of the first page
        return OPUS
    if sniffed is None and b"%PDF-" in head[:1_024]:  # readers take what stands before it (ISO 32000-1, annex H)
        return PDF
    return sniffed or next((mimetype for mark, mimetype in _MORE_SOUND if head.startswith(mark)), None)


def misnamed(mimetype: str, *, declared: str = "", file_name: str | None) -> InvalidMedium | None:
    """Why a file of this type is not what its name, or else what was declared, says: a page that tells of an error."""
    claimed = type_named(file_name or "") or declared
    is_page = mimetype == "text/html" and NO_PAGE.match(claimed) is not None
    if not is_page and not (claimed == PDF and _WRITTEN.fullmatch(mimetype)):
        return None
    is_html = mimetype == "text/html"
    what, isi = ("a web page", "halaman web") if is_html else ("text", "teks")
    said, disebut = ("a PDF", "PDF") if claimed == PDF else (claimed, claimed)
    return InvalidMedium(
        reason=Phrase(f"its bytes are {what}, though it is called {said}", f"isinya {isi}, padahal disebut {disebut}")
    )


_OTHERWISE = {
    "voice": (
        "a voice note is Ogg with Opus, other sound goes as audio",
        "pesan suara berupa Ogg dengan Opus, suara lain dikirim sebagai audio",
    ),
    "sticker": ("a sticker is WebP", "stiker berupa WebP"),
}


def fault_of(kind: Kind, mimetype: str) -> InvalidMedium | None:
    """Why a file of this type cannot be sent as this kind, or None."""
    fits = {
        "image": mimetype in IMAGES,
        "video": mimetype.startswith("video/"),
        "audio": mimetype.startswith("audio/"),
        "voice": mimetype == OPUS,
        "sticker": mimetype == "image/webp",
        "document": True,
    }
    if fits[kind]:
        return None
    english, indonesian = _OTHERWISE.get(kind, ("send it as a document", "kirim sebagai dokumen"))
    article = "an" if kind[0] in "aeiou" else "a"
    if kind not in _OTHERWISE:
        return InvalidMedium(
            reason=Phrase(
                f"its bytes are {mimetype}, not {article} {kind}; {english}",
                f"isinya {mimetype}, bukan {phrase_of_term(kind).id}; {indonesian}",
            )
        )
    return InvalidMedium(reason=Phrase(f"its bytes are {mimetype}; {english}", f"isinya {mimetype}; {indonesian}"))


def needs_conversion(kind: Kind, mimetype: str) -> bool:
    """Whether this is sound that becomes a voice note only by conversion."""
    return kind == "voice" and mimetype.startswith("audio/") and mimetype != OPUS


def limit_bytes(kind: Kind, settings: Settings) -> int:
    """The most bytes that a medium of this kind may have."""
    limits = {
        "image": settings.image_bytes,
        "video": settings.video_bytes,
        "audio": settings.audio_bytes,
        "voice": settings.audio_bytes,
        "sticker": settings.sticker_bytes,
        "document": settings.document_bytes,
    }
    return limits[kind]


def size_fault(kind: Kind, size_bytes: int, settings: Settings) -> TooLarge | None:
    """Whether the medium is too large for its kind."""
    limit = limit_bytes(kind, settings)
    return TooLarge(what=kind, limit_bytes=limit) if size_bytes > limit else None


def served_type(mimetype: str) -> str:
    """The type that a browser is told: nothing that it would run, and nothing that is not a type."""
    plain = mimetype.partition(";")[0].strip().lower()
    return plain if _MIMETYPE.fullmatch(plain) and not ACTIVE.search(plain) else UNKNOWN


def clean_name(file_name: str | None) -> str | None:
    """The file's name without folders and control characters; None when nothing is left."""
    if file_name is None:
        return None
    last = re.split(r"[/\\]", _UNFIT.sub("", file_name))[-1].strip()
    if last in ("", ".", ".."):
        return None
    if len(last) <= MAX_NAME:
        return last
    stem, dot, extension = last.rpartition(".")
    return f"{stem[: MAX_NAME - 20]}{dot}{extension}" if dot and len(extension) < 20 else last[:MAX_NAME]


def name_with_ending(file_name: str | None, mimetype: str) -> str | None:
    """The clean name; where it has no ending, with the one that its type implies."""
    name = clean_name(file_name)
    if name is None or has_ending(name, certain=mimetype not in CONTAINERS and not mimetype.startswith("text/")):
        return name
    ending = "" if mimetype == UNKNOWN else usual_ending(mimetype)
    return clean_name(name.rstrip(". ") + ending) if ending else name


def document_name(file_name: str | None, mimetype: str) -> str:
    """The name that a document is shown with."""
    return name_with_ending(file_name, mimetype) or "document" + usual_ending(mimetype)


def attachment_name(file_name: str | None, media_id: str, mimetype: str) -> str:
    """The name under which a file is downloaded."""
    return name_with_ending(file_name, mimetype) or media_id + usual_ending(mimetype)
