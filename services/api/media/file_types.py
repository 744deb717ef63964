"""Types, endings and marks of files, the same on every machine; pure."""

from __future__ import annotations

import mimetypes
import re
from typing import Final

PDF: Final = "application/pdf"
TOLD_BY_BYTES = re.compile(r"(?:image|video|audio)/|application/pdf$")
"""Types that are never believed without their bytes."""
NO_PAGE = re.compile(
    r"(?:image|video|audio)/(?!svg)|application/(?:pdf|zip|gzip|x-rar|x-7z|epub|vnd\.(?:openxmlformats|oasis)\b)"
)
"""Types that a web page cannot be opened as. HTML is not among them under the names of old office files, which are
often made so on purpose."""
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
_TYPES: Final = {
    "3gp": "audio/3gpp",
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "apk": "application/vnd.android.package-archive",
    "avif": "image/avif",
    "awb": "audio/amr-wb",
    "caf": "audio/x-caf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": _OFFICE + "wordprocessingml.document",
    "epub": "application/epub+zip",
    "flac": "audio/x-flac",
    "gz": "application/gzip",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "m4a": "audio/mp4",
    "m4v": "video/x-m4v",
    "md": "text/markdown",
    "mka": "audio/x-matroska",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "odp": _OPEN + "presentation",
    "ods": _OPEN + "spreadsheet",
    "odt": _OPEN + "text",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "pdf": PDF,
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": _OFFICE + "presentationml.presentation",
    "rar": "application/x-rar-compressed",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "wav": "audio/x-wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "xml": "text/xml",
    "zip": "application/zip",
}
"""By ending, before Python's own table, which depends on what else is installed on a machine."""
_USUAL: Final = {
    "audio/ogg": ".ogg",
    "image/jpeg": ".jpg",
    "text/html": ".html",
    "text/plain": ".txt",
    "video/3gpp": ".3gp",
    "audio/mp4": ".m4a",
} | {mimetype: f".{ending}" for ending, mimetype in _TYPES.items() if ending not in ("oga", "opus", "htm", "jpeg")}

_ENDING = re.compile(r"[A-Za-z0-9_+-]{1,10}")
_COMMENT_END = re.compile(rb"--\s*>")
_PAGE = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|h1|div|font|table|title|style|meta)(?=[\s>/])", re.IGNORECASE
)
"""What a web page begins with (WHATWG, MIME Sniffing, 7.1), besides white space and comments."""
_CONTROLS = frozenset(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}


def type_named(file_name: str) -> str | None:
    """The type that the name's ending stands for."""
    stem, dot, ending = file_name.rpartition(".")
    if not dot or not stem:
        return None
    return _TYPES.get(ending.lower()) or mimetypes.guess_type(f"a.{ending}")[0]


def usual_ending(mimetype: str) -> str:
    """The ending of files of this type, with its dot; empty when there is none."""
    plain = mimetype.partition(";")[0].strip().lower()
    return _USUAL.get(plain) or mimetypes.guess_extension(plain) or ""


def has_ending(file_name: str, *, certain: bool) -> bool:
    """Whether the name ends in what programs go by. Where the type is certain, only an ending that is known is one."""
    stem, dot, ending = file_name.rpartition(".")
    if not dot or not _ENDING.fullmatch(ending) or ending.isdecimal():
        return False
    return not stem or type_named(file_name) is not None or not certain


def is_web_page(head: bytes) -> bool:
    """Whether a file that begins so is a web page, in UTF-8 or UTF-16."""
    rest = head.removeprefix(b"\xef\xbb\xbf")
    if rest[:2] in (b"\xff\xfe", b"\xfe\xff"):
        rest = rest[2:].replace(b"\0", b"")
    while (rest := rest.lstrip()).startswith((b"<!--", b"<?xml")):
        end = _COMMENT_END.search(rest, 4) if rest.startswith(b"<!--") else re.search(rb"\?>", rest)
        if end is None:
            return False
        rest = rest[end.end() :]
    return _PAGE.match(rest) is not None


def is_text(head: bytes) -> bool:
    """Whether a file that begins so is text in UTF-8, whose last letter may be cut off."""
    if not head or _CONTROLS.intersection(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3 and error.reason == "unexpected end of data"
    return True
