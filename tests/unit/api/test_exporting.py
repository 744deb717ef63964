"""How exported messages are written: a spreadsheet runs nothing of what a stranger wrote, and loses nothing of it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import msgspec
import pytest
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
    "text",
    [
        "=1+1",
        "+62812",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        '=HYPERLINK("x")',
    ],
)
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "text"), [(None, ""), (3, "3"), ("62812", "62812"), ("a=b", "a=b"), ("", "")])
def test_what_is_no_formula_stays_as_it_is(value: object, text: str) -> None:
    assert cell(value) == text


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
