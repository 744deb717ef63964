"""Exports: a file of all that the list would show, written at the pace at which it is read."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from libs.contracts.ids import new_message_id
from services.api.messages import exporting
from services.api.messages.exporting import BYTE_ORDER_MARK, PAGE, Exporter
from services.status.store import ensure_indexes
from tests.integration.api.edges import BASE, Site, refused, until
from tests.integration.api.messages import AT, message_row, stored

FORMULA = "=HYPERLINK(1)"


async def fill(site: Site, rows: Any, session_id: str, number: int, text: str = "Halo") -> None:
    """So many messages, some of the same moment."""
    made = [
        stored(message_row(site, session_id, new_message_id(), text=text, created_at=AT + timedelta(seconds=each // 3)))
        for each in range(number)
    ]
    await rows.messages.insert_many(made, ordered=False)


async def test_a_csv_file_holds_every_message_once_newest_first(site: Site, session_id: str, rows: Any) -> None:
    number = 3 * PAGE + 7
    await fill(site, rows, session_id, number)
    await rows.messages.insert_one(stored(message_row(site, "theirs", new_message_id(), customer_id="cus_other")))
    answer = await site.call("GET", "/messages/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="messages-')
    assert answer.headers["content-disposition"].endswith('.csv"')
    assert answer.headers["cache-control"] == "no-store"
    table = list(csv.DictReader(io.StringIO(answer.text.removeprefix(BYTE_ORDER_MARK), newline="")))
    assert len({row["messageId"] for row in table}) == len(table) == number
    times = [row["createdAt"] for row in table]
    assert times == sorted(times, reverse=True)


async def test_lines_of_json_hold_the_messages_of_the_list(site: Site, session_id: str, rows: Any) -> None:
    await fill(site, rows, session_id, 5, text=FORMULA)
    await fill(site, rows, session_id, 5, text="something else")
    answer = await site.call("GET", "/messages/export", params={"format": "jsonl", "q": "hyperlink"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    listed = (await site.call("GET", "/messages", params={"q": "hyperlink"})).json()["messages"]
    assert lines == listed
    assert [line["text"] for line in lines] == [FORMULA] * 5


async def test_no_cell_of_the_csv_file_is_a_formula(site: Site, session_id: str, rows: Any) -> None:
    await fill(site, rows, session_id, 2, text=FORMULA)
    text = (await site.call("GET", "/messages/export")).text
    assert text.count(f"'{FORMULA}") == 2
    cells = [cell for line in csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline="")) for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


async def test_nothing_to_export_is_a_header_alone(site: Site) -> None:
    assert len((await site.call("GET", "/messages/export")).text.splitlines()) == 1
    assert (await site.call("GET", "/messages/export", params={"format": "jsonl"})).text == ""


@pytest.mark.parametrize("params", [{"format": "xml"}, {"q": "!"}, {"from": "x"}])
async def test_what_is_wrong_is_said_before_the_file_begins(site: Site, params: dict[str, str]) -> None:
    refused(await site.call("GET", "/messages/export", params=params), 400, "VALIDATION_FAILED")


async def test_no_credential_no_export(site: Site) -> None:
    refused(await site.client.get(f"{BASE}/messages/export"), 401, "UNAUTHORIZED")


async def test_an_export_that_nobody_reads_reads_nothing_more(
    site: Site, session_id: str, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not read stays in MongoDB: neither the edge nor its sockets hold more than a few pages of it."""
    pages = 60
    await ensure_indexes(rows, message_days=3_650)
    await fill(site, rows, session_id, pages * PAGE, text="x" * 2_000)
    taken = 0
    read_page = Exporter._page

    async def counting(self: Exporter, wanted: Any, after: str | None) -> Any:
        nonlocal taken
        taken += 1
        return await read_page(self, wanted, after)

    monkeypatch.setattr(Exporter, "_page", counting)
    host, port = site.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1_000)
    headers = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {site.account.api_key}\r\n"
    request = f"GET {BASE}/messages/export HTTP/1.1\r\n{headers}\r\n"
    writer.write(request.encode())
    await reader.readexactly(100)
    before = -1
    while before != taken:  # until the sockets are full
        before = taken
        await asyncio.sleep(0.5)
    assert 1 <= taken < pages // 2
    async with asyncio.timeout(120):  # for what hangs: it is a lot of rows
        text = (await reader.read(-1)).decode()
    assert taken == pages
    assert text.count(session_id) == pages * PAGE
    writer.close()
    await writer.wait_closed()


async def test_a_reader_that_goes_away_ends_the_reading(
    site: Site, session_id: str, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(site, rows, session_id, 20 * PAGE, text="x" * 2_000)
    ended = asyncio.Event()
    written = Exporter.written

    async def watched(self: Exporter, *of: Any) -> Any:
        try:
            async for piece in written(self, *of):
                yield piece
        finally:
            ended.set()

    monkeypatch.setattr(exporting.Exporter, "written", watched)
    headers = {"Authorization": f"Bearer {site.account.api_key}"}
    async with site.client.stream("GET", f"{BASE}/messages/export", headers=headers) as answer:
        async for _ in answer.aiter_bytes():
            break

    async def has_ended() -> bool:
        return ended.is_set()

    await until(has_ended)
