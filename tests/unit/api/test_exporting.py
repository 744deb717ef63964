"""How exported messages are written: a spreadsheet runs nothing of what a stranger wrote, and loses nothing of it."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.contracts.records import MessageRow
from services.api.messages.exporting import BYTE_ORDER_MARK, COLUMNS, cell, csv_header, csv_rows, json_lines

ROW = MessageRow(
    id="s/W",
    customer_id="cus_1",
    session_id="s",
    shard=0,
    wa_id="W",
    direction="in",
    message_id="019a9d3c-7c00-7000-8000-000000000001",
    type="text",
    text='Halo, "dunia"\r\nbaris dua',
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+62812", "'+62812"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\r=1", "'\r'=1"),
        ("\n=1", "'\n'=1"),
        (" =1", "' =1"),
        (" " * 200 + "=1", "'" + " " * 200 + "=1"),
        ("\xa0=1", "'\xa0=1"),
        ("\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20x", "'\uff20x"),
        ('=HYPERLINK("x")', '\'=HYPERLINK("x")'),
        ("Halo;=1+1", "Halo;'=1+1"),
        ("Halo; =1+1", "Halo;' =1+1"),
        ('Halo;"=1+1"', 'Halo;\'"=1+1"'),
        ("Halo;'=1+1", "Halo;''=1+1"),
        ("Halo\t@SUM(A1)", "Halo\t'@SUM(A1)"),
        ("Halo\n-2+3;+1", "Halo\n'-2+3;'+1"),
        ("a;;=1", "a;;'=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\u200b=1", "'\u200b=1"),
        ("\u2003=1", "'\u2003=1"),
        ("\x1f=1", "'\x1f=1"),
        ("\u22121", "'\u22121"),
        ("a;\u202f=1", "a;'\u202f=1"),
    ],
)
def test_no_cell_is_a_formula_wherever_the_file_is_divided(text: str, shown: str) -> None:
    assert cell(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "6281234567890",
        "081234567890",
        "+62 812-3456",
        "3E10",
        "1,5",
        "12:30",
        "1/2",
        "2026-01-02",
        "50%",
        "(12)",
        "007",
    ],
)
def test_what_a_spreadsheet_takes_for_a_number_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (3, "3"),
        ("a=b", "a=b"),
        ("", ""),
        ("a; b", "a; b"),
        ("2 kopi", "2 kopi"),
        ("e", "e"),
        ("...", "..."),
    ],
)
def test_what_is_no_formula_and_no_number_stays_as_it_is(value: object, text: str) -> None:
    assert cell(value) == text


@given(st.text(alphabet="=+-@;\t\r\n '\"a1\u3000", max_size=20))
def test_a_program_gets_the_text_back(text: str) -> None:
    """One apostrophe comes off at the beginning, and one behind each `;`, tab and line end before a sign."""
    written = cell(text)
    inner = re.sub(r"(?<=[;\t\r\n])'(?=[ \xa0\u3000\"']*[=+\-@])", "", written.removeprefix("'"))
    assert inner == text
    for part in re.split(r"[;\t\r\n]", written):
        assert not part.lstrip(' \xa0\u3000"').startswith(("=", "+", "-", "@"))


def test_a_csv_file_gives_back_what_was_written() -> None:
    data = (csv_header() + csv_rows([ROW, replace(ROW, text="=cmd|' /C calc'!A0")])).decode()
    assert data.startswith(BYTE_ORDER_MARK)
    header, first, second = csv.reader(io.StringIO(data.removeprefix(BYTE_ORDER_MARK), newline=""))
    assert header == list(COLUMNS)
    assert dict(zip(header, first, strict=True))["text"] == ROW.text
    assert dict(zip(header, second, strict=True))["text"] == "'=cmd|' /C calc'!A0"


def test_a_line_of_json_is_the_message_object() -> None:
    (line,) = json_lines([ROW]).splitlines()
    told = msgspec.json.decode(line)
    assert (told["messageId"], told["text"], told["createdAt"]) == (
        ROW.message_id,
        ROW.text,
        "2026-01-02T03:04:05.000Z",
    )
