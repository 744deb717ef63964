"""Writes a customer's messages as CSV or JSON lines, page by page: in the memory of one page, at the reader's pace."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Literal

import msgspec

from libs.contracts.records import MessageRow
from libs.contracts.updates import MessageView
from libs.contracts.views import message_view
from libs.runtime.mongo import Database
from services.api.messages.store_messages import Page, Wanted, messages_newest_first

Format = Literal["csv", "jsonl"]
CONTENT_TYPES: dict[Format, str] = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/x-ndjson"}
PAGE = 200
"""Rows; they take the event loop some 10 ms."""
PAGES_AT_ONCE = 2
"""So that exports leave room for everybody else."""

BYTE_ORDER_MARK = "\ufeff"
"""By which spreadsheets know that the file is UTF-8."""
SIGNS = "=+\\-@\u2212\uff1d\uff0b\uff0d\uff20"
"""With which a spreadsheet takes a cell for a formula or a number, and other forms of them (OWASP, CSV injection)."""
BLANKS = (
    " \"'\x0b\x0c\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
    "\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
)
"""What may stand before the sign: blanks, quotation marks, and characters that show nothing."""
_FORMULA = re.compile(rf"[{BLANKS}]*[{SIGNS}\t\r\n]")
_INNER_FORMULA = re.compile(rf"(?<=[;\t\r\n])(?=[{BLANKS}]*[{SIGNS}])")
"""Where another cell begins for a spreadsheet that divides the file at `;`, as in many countries, or at tabs."""
NUMBER = frozenset(" .,:;/+-()%eE$\u20ac\u00a3\u00a5")
"""What a spreadsheet takes, with digits, for a number, a time or a date: it rounds phone numbers, and drops zeros."""
MOST_NUMBER = 64
COLUMNS: dict[str, Callable[[MessageView], object]] = {
    "messageId": lambda view: view.message_id,
    "waId": lambda view: view.wa_id,
    "sessionId": lambda view: view.session_id,
    "direction": lambda view: view.direction,
    "type": lambda view: view.type,
    "status": lambda view: view.status,
    "to": lambda view: view.to,
    "from": lambda view: view.from_,
    "chat": lambda view: view.chat,
    "text": lambda view: view.text,
    "caption": lambda view: view.caption,
    "fileName": lambda view: view.file_name,
    "mediaId": lambda view: view.media.media_id if view.media else None,
    "errorCode": lambda view: view.error.code if view.error else None,
    "errorMessage": lambda view: view.error.message if view.error else None,
    "attempts": lambda view: view.attempts,
    "createdAt": lambda view: view.created_at,
    "sentAt": lambda view: view.sent_at,
    "deliveredAt": lambda view: view.delivered_at,
    "readAt": lambda view: view.read_at,
    "replyTo": lambda view: view.reply_to,
}

_encode = msgspec.json.Encoder().encode


class Exporter:
    """Reads page after page, each where the last one ended: what comes in meanwhile disturbs nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._slots = asyncio.Semaphore(PAGES_AT_ONCE)

    async def first_page(self, wanted: Wanted) -> Page:
        """Where an export begins; what is wrong shows here, before the answer has begun."""
        return await self._page(wanted, None)

    async def written(self, wanted: Wanted, first: Page, written_as: Format) -> AsyncGenerator[bytes]:
        """The whole of it, newest first, the next page read when the last is sent."""
        write = csv_rows if written_as == "csv" else json_lines
        page = first
        if written_as == "csv":
            yield csv_header()
        while page.rows:
            yield write(page.rows)
            if page.next is None:
                return
            page = await self._page(wanted, page.next)

    async def _page(self, wanted: Wanted, after: str | None) -> Page:
        async with self._slots:
            return await messages_newest_first(self._database, wanted, after=after, limit=PAGE)


def csv_header() -> bytes:
    """The first line."""
    return (BYTE_ORDER_MARK + _written([list(COLUMNS)])).encode()


def csv_rows(rows: Sequence[MessageRow]) -> bytes:
    """A line for each message (RFC 4180)."""
    views = [message_view(row) for row in rows]
    return _written([[cell(value(view)) for value in COLUMNS.values()] for view in views]).encode()


def json_lines(rows: Sequence[MessageRow]) -> bytes:
    """The message object of the API for each message, a line for each."""
    return b"".join(_encode(message_view(row)) + b"\n" for row in rows)


def cell(value: object) -> str:
    """The value as a spreadsheet shall show it.

    An apostrophe before it makes text of what would be a number or a formula. A text that begins with one gets another,
    so a program that takes off one apostrophe at the beginning has the text. Within a text it disarms a formula behind
    `;`, a tab or a line's end.
    """
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = _INNER_FORMULA.sub("'", value)
    return f"'{text}" if value.startswith("'") or _FORMULA.match(value) or _is_number(value) else text


def _is_number(text: str) -> bool:
    digits = [character.isdigit() for character in text[: MOST_NUMBER + 1]]
    is_short = any(digits) and len(digits) <= MOST_NUMBER
    return is_short and all(is_digit or text[place] in NUMBER for place, is_digit in enumerate(digits))


def _written(lines: Sequence[Sequence[str]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(lines)
    return buffer.getvalue()
