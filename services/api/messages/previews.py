"""Link previews: finds the link in a text, and the title and description in a page."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Collection

from libs.contracts.content import LinkPreview
from libs.runtime import logs
from libs.runtime.targets import TargetRefused
from services.api.media.fetching import Fetcher, NotFetched, Source

MOST_READ = 512 * 1024
MOST_TITLE, MOST_DESCRIPTION = 256, 1_024
MOST_BEFORE = 4_096
"""How far back a mark may begin."""
MARKS = "*_~"
PUNCTUATION = ".,;:!?\u2026\u3002\u3001\uff0c\uff1b\uff1a\uff01\uff1f\u201d\u2019\u00bb\u203a"
"""Western, East Asian, and closing quotation marks."""
BRACKETS = {")": "(", "]": "[", "}": "{", "\uff09": "\uff08", "\u3011": "\u3010", "\u300d": "\u300c"}
"""Belong to the link where it opens them."""

_LINK = re.compile(r"https?://[^\s<>\"'`]{1,2040}", re.IGNORECASE)
_META = re.compile(r"<meta\b([^<>]{1,4000})>", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^<>]{0,200}>([^<]{1,2000})<", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z:-]{1,40})\s{0,9}=\s{0,9}(?:\"([^\"]{0,4000})\"|'([^']{0,4000})')", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_-]{2,40})", re.IGNORECASE)
_TITLES = ("og:title", "twitter:title")
_DESCRIPTIONS = ("og:description", "twitter:description", "description")

log = logs.get()


def link_in(text: str) -> str | None:
    """The first link in a text, without the punctuation and WhatsApp's marks (`*bold*`) behind it."""
    found = _LINK.search(text)
    if found is None:
        return None
    link, before = found[0], text[max(0, found.start() - MOST_BEFORE) : found.start()].rpartition("\n")[2]
    begun = _begun_in(before)
    while link and _is_behind(link, begun):
        link = link[:-1]
    return link


def _begun_in(before: str) -> frozenset[str]:
    """The marks that were begun in the line up to the link, and not ended."""
    return frozenset(mark for mark in MARKS if _is_open(mark, before))


def _is_behind(link: str, begun: Collection[str]) -> bool:
    """Whether the last character belongs to the text around the link; `begun` are the marks that it may end."""
    last = link[-1]
    if last in MARKS:
        return last in begun
    return last in PUNCTUATION or (last in BRACKETS and link.count(last) > link.count(BRACKETS[last]))


def _is_open(mark: str, before: str) -> bool:
    """Whether the mark was begun in this line, at the edge of a word, and not ended yet."""
    is_open = False
    for place, character in enumerate(before):
        if character != mark:
            continue
        left, right = before[place - 1 : place], before[place + 1 : place + 2] or "h"  # a link follows
        may_begin, may_end = not left.isalnum() and not right.isspace(), not left.isspace() and not right.isalnum()
        is_open = not may_end if is_open else may_begin
    return is_open


def preview_in(page: str, url: str) -> LinkPreview | None:
    """The card that a page gives of itself; None without a title. Takes linear time, whatever the page holds."""
    told: dict[str, str] = {}
    for tag in _META.finditer(page):
        attributes = {name.lower(): double or single for name, double, single in _ATTRIBUTE.findall(tag[1])}
        name = (attributes.get("property") or attributes.get("name") or "").lower()
        told.setdefault(name, attributes.get("content", ""))
    named = _TITLE.search(page)
    title = _first(told, _TITLES, MOST_TITLE) or _clean(named[1] if named else "", MOST_TITLE)
    if not title:
        return None
    return LinkPreview(url=url, title=title, description=_first(told, _DESCRIPTIONS, MOST_DESCRIPTION) or None)


def _first(told: dict[str, str], names: tuple[str, ...], most: int) -> str:
    return next((text for name in names if (text := _clean(told.get(name, ""), most))), "")


def _clean(text: str, most: int) -> str:
    return " ".join(html.unescape(text).split())[:most]


async def fetched_preview(fetcher: Fetcher, url: str, *, within_s: float) -> LinkPreview | None:
    """The card of the page at this address; None when it does not come in time, or is no page."""
    try:
        async with fetcher.opened(url, within_s=within_s) as source:
            if source.declared not in ("text/html", "application/xhtml+xml"):
                return None
            page = await _head_of(source)
        return await asyncio.to_thread(preview_in, _decoded(page, source), url)
    except (NotFetched, TargetRefused) as error:
        log.info("a link has no preview", reason=error.reason)
        return None


async def _head_of(source: Source) -> bytes:
    """The page up to the end of its head, or as much as is read of one."""
    page = bytearray()
    async for piece in source.pieces:
        seen = max(0, len(page) - 16)
        page += piece
        if len(page) >= MOST_READ or b"</head" in page[seen:].lower():
            break
    return bytes(page[:MOST_READ])


def _decoded(page: bytes, source: Source) -> str:
    named = source.charset or next((found[1].decode() for found in [_CHARSET.search(page[:4_096])] if found), "utf-8")
    try:
        return page.decode(named, errors="replace")
    except (LookupError, UnicodeError):
        return page.decode(errors="replace")
