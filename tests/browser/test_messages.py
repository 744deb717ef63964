"""The message log: what was sent is found, exported, read in full, edited, taken back, and sent again."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.people import OVERVIEW, Person, device, has_told, visit
from tests.e2e.handsets import Network
from tests.e2e.wire import BASE

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
HOME = ZoneInfo("Asia/Jakarta")
"""Where customers live unless they say otherwise."""
MESSAGES = f"{OVERVIEW}/messages"


@pytest_asyncio.fixture(loop_scope="package")
async def log(signed_in: Page, person: Person, network: Network) -> Page:
    """The log of somebody who has sent two messages, and one to a number that has no WhatsApp."""
    session = await device(person, network)
    reachable = await network.person()
    async with person.api() as http:
        for to, text in ((reachable, "Soto tiga"), (reachable, "Rawon dua"), ("628130000000", "Nobody there")):
            body = {"type": "text", "to": to, "text": text}
            await http.post(f"{BASE}/sessions/{session}/messages", json=body, headers={"Prefer": "wait=10"})
    await visit(signed_in, person, MESSAGES)
    return signed_in


async def test_a_message_is_found_by_its_words_and_shown_with_its_history_and_chat(log: Page) -> None:
    await expect(log.locator("[data-message]")).to_have_count(3)
    await log.get_by_role("searchbox", name="Words").fill("rawon")
    await log.get_by_role("button", name="Find").click()
    await expect(log.locator("[data-message]")).to_have_count(1)
    await log.get_by_role("link", name="Rawon dua").click()
    history = log.get_by_role("region", name="What became of it")
    await expect(history).to_contain_text("Queued")
    await expect(history).to_contain_text("Sent")
    await log.get_by_role("link", name="Open the chat").click()
    await expect(log.locator("#log")).to_contain_text("Rawon dua")


async def test_a_message_that_comes_while_one_looks_appears_by_itself(
    log: Page, person: Person, network: Network
) -> None:
    async with person.api() as http:
        session = (await http.get(f"{BASE}/sessions")).json()["sessions"][0]["id"]
        body = {"type": "text", "to": await network.person(), "text": "Just now"}
        await http.post(f"{BASE}/sessions/{session}/messages", json=body)
    await expect(log.locator("[data-message]").filter(has_text="Just now")).to_be_visible()


async def test_a_failed_message_says_why_and_is_sent_again(log: Page) -> None:
    await log.get_by_role("combobox", name="Status").select_option("failed")
    await log.get_by_role("button", name="Find").click()
    await log.get_by_role("link", name="Nobody there").click()
    await log.get_by_role("button", name="Send again").click()
    await has_told(log, "queued again")


async def test_the_list_says_who_it_was_and_why_it_failed(log: Page, person: Person, network: Network) -> None:
    failed = log.locator("[data-message]").filter(has_text="Nobody there")
    await expect(failed).to_contain_text("This number is not on WhatsApp.")
    async with person.api() as http:
        number = (await http.get(f"{BASE}/sessions")).json()["sessions"][0]["phone"]
    writer = await network.person("Pak Budi")
    await network.phones.write(writer, number, "Is there soto?")
    came = log.locator("[data-message]").filter(has_text="Is there soto?")
    await expect(came).to_contain_text("Pak Budi (+62 812")
    await log.goto(log.url.replace("/en/", "/id/"))
    await expect(failed).to_contain_text("Nomor ini tidak ada di WhatsApp.")


async def test_a_sent_message_gets_new_words(log: Page, person: Person) -> None:
    await log.get_by_role("link", name="Soto tiga").click()
    await log.get_by_role("button", name="Edit").click()
    words = log.get_by_role("dialog").get_by_label("New words")
    await expect(words).to_have_value("Soto tiga")
    await words.fill("Soto empat")
    await log.get_by_role("button", name="Save").click()
    await expect(log.locator("h1 ~ .badge").get_by_text("Edited")).to_be_visible()
    await expect(log.locator("#message")).to_contain_text("Soto empat")
    await expect(log.locator("[data-entry=edited]")).to_be_visible()


async def test_a_message_that_waits_for_its_time_is_cancelled(log: Page, person: Person, network: Network) -> None:
    async with person.api() as http:
        session = (await http.get(f"{BASE}/sessions")).json()["sessions"][0]["id"]
        at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        body = {"type": "text", "to": await network.person(), "text": "Tomorrow", "sendAt": at}
        await http.post(f"{BASE}/sessions/{session}/messages", json=body)
    await log.get_by_role("link", name="Tomorrow").click()
    await expect(log.get_by_text("Scheduled")).to_be_visible()
    await log.get_by_role("button", name="Cancel", exact=True).click()
    await expect(log.locator("h1 ~ [data-status=cancelled]")).to_be_visible()
    await expect(log.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)


async def test_the_files_hold_what_the_filters_let_through(log: Page) -> None:
    today = datetime.now(HOME).date()
    await log.get_by_text("More filters").click()
    for name, day in (("From", today - timedelta(days=1)), ("To", today)):  # they may have been sent before midnight
        await log.get_by_label(name, exact=True).fill(day.isoformat())
    await log.get_by_role("combobox", name="Status").select_option("failed")
    await log.get_by_role("button", name="Find").click()
    await expect(log.locator("[data-message]")).to_have_count(1)
    assert [row["text"] for row in csv.DictReader(io.StringIO(await exported(log, "CSV")))] == ["Nobody there"]
    lines = (await exported(log, "JSON lines")).splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["Nobody there"]


async def exported(log: Page, kind: str) -> str:
    """The file that the export link gives."""
    await log.get_by_text("Export").click()
    async with log.expect_download() as download:
        await log.get_by_role("link", name=kind).click()
    await log.get_by_text("Export").click()
    return text_of(await (await download.value).path())


def text_of(file: Path) -> str:
    """What stands in it, after the mark by which spreadsheets know UTF-8."""
    return file.read_text(encoding="utf-8-sig")


async def test_messages_are_found_by_what_else_is_known(log: Page, person: Person) -> None:
    for field, value, found in (("type", "image", 0), ("direction", "out", 3), ("chat", "0813 0000 000", 1)):
        await visit(log, person, f"{MESSAGES}?{field}={value.replace(' ', '+')}")
        await expect(log.locator("[data-message]")).to_have_count(found)
        await expect(log.locator(f"[name={field}]")).to_be_visible()
        await expect(log.locator(f"[name={field}]")).to_have_value(value)


async def test_words_that_nothing_can_hold_are_told_beside_the_search(log: Page, person: Person) -> None:
    await log.get_by_role("searchbox", name="Words").fill("!!!")
    await log.get_by_role("button", name="Find").click()
    await expect(log.get_by_role("alert")).to_contain_text("neither a letter nor a digit")
    await expect(log.get_by_role("searchbox", name="Words")).to_have_value("!!!")


async def test_older_messages_are_on_further_pages(log: Page, person: Person, network: Network) -> None:
    async with person.api() as http:
        session = (await http.get(f"{BASE}/sessions")).json()["sessions"][0]["id"]
        to = await network.person()
        for number in range(25):
            body = {"type": "text", "to": to, "text": f"Nasi {number}"}
            await http.post(f"{BASE}/sessions/{session}/messages", json=body)
    await expect(log.get_by_role("link", name="Nasi 24")).to_be_visible()
    await log.get_by_role("link", name="Older").click()
    await expect(log.locator("[data-message]")).to_have_count(3)
    await log.get_by_role("link", name="Newest").click()
    await expect(log.locator("[data-message]")).to_have_count(25)


async def test_a_sent_message_is_taken_back_after_a_question(log: Page) -> None:
    await log.get_by_role("link", name="Soto tiga").click()
    await log.get_by_role("button", name="Delete for everybody").click()
    await log.get_by_role("dialog").get_by_role("button", name="Delete for everybody").click()
    await expect(log.locator("h1 ~ .badge").get_by_text("Deleted")).to_be_visible()
