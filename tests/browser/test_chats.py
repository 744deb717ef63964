"""Chats: who writes appears by itself, media are shown, answers leave, and what is unread is known on both sides."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from tests.browser.people import OVERVIEW, PLAYGROUND, Person, visit
from tests.browser.test_pages import PHONE, faults
from tests.e2e.handsets import WITHIN_S, Network, linked
from tests.e2e.wire import BASE, Json
from tests.processes import eventually

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
CHATS = f"{OVERVIEW}/chats"
IDS = "rows => rows.map(row => row.dataset.message)"


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A page of somebody with a connected device, and the phone of a customer of theirs."""

    page: Page
    person: Person
    network: Network
    session: str
    number: str
    """Of the device."""
    sari: str

    async def writes(self, text: str = "", **more: Any) -> str:
        """Bu Sari writes to the device; the id of the message on her phone."""
        body = {"to": self.number, "type": "text", "text": text, **more}
        return str((await self.network.called("POST", f"/phones/{self.sari}/messages", json=body))["id"])

    async def opened(self) -> None:
        """Open her chat, once it is there."""
        await self.page.locator("[data-chat]").filter(has_text="Bu Sari").click()
        await expect(self.page.get_by_role("heading", name="Bu Sari")).to_be_visible()

    async def shown_on_her_phone(self, is_it: Callable[[Json], bool]) -> Json:
        """What her phone shows, once there is such a message."""

        async def found() -> Json | None:
            return next((row for row in await self.network.phones.inbox(self.sari) if is_it(row)), None)

        row = await eventually(found, within_s=WITHIN_S, every_s=0.02)
        assert row is not None
        return row


@pytest_asyncio.fixture(loop_scope="package")
async def desk(signed_in: Page, person: Person, network: Network) -> Desk:
    async with person.api() as http:
        session, number = await linked(http, network, "Counter")
    sari = await network.person()
    await visit(signed_in, person, CHATS)
    return Desk(page=signed_in, person=person, network=network, session=session, number=number, sari=sari)


def bubble(page: Page, text: str) -> Locator:
    """The message with these words in the chat that is open."""
    return page.locator("#log [data-message]").filter(has_text=text)


async def answer(page: Page, words: str) -> None:
    """Write and press Enter."""
    await page.get_by_role("textbox", name="Write a message").fill(words)
    await page.keyboard.press("Enter")


def encoded(file: Path) -> str:
    """The file as JSON carries it."""
    return base64.b64encode(file.read_bytes()).decode()


async def test_who_writes_appears_by_itself_and_learns_that_it_was_read(desk: Desk) -> None:
    page = desk.page
    await expect(page.get_by_text("No chats yet")).to_be_visible()
    wrote = await desk.writes("Ada kopi?")
    row = page.locator("[data-chat]").filter(has_text="Bu Sari")
    await expect(row).to_contain_text("Ada kopi?")
    await expect(row.locator("[data-unread='1']")).to_be_visible()
    await desk.opened()
    await expect(bubble(page, "Ada kopi?")).to_be_visible()
    await expect(row.locator("[data-unread='1']")).to_be_visible()
    await page.get_by_role("button", name="Mark as read").click()
    await expect(row.locator("[data-unread]")).to_have_count(0)
    await expect(page.get_by_role("button", name="Mark as read")).to_have_count(0)

    async def told() -> bool:
        sent = (await desk.network.called("GET", f"/phones/{desk.sari}/messages"))["messages"]
        return [one["status"] for one in sent if one["id"] == wrote] == ["read"]

    assert await eventually(told, within_s=WITHIN_S, every_s=0.05)


async def test_an_answer_names_its_message_and_is_seen_on_its_way(desk: Desk) -> None:
    wrote = await desk.writes("Jam berapa buka?")
    await desk.opened()
    await bubble(desk.page, "Jam berapa buka?").locator("summary").click()
    await desk.page.get_by_role("button", name="Answer", exact=True).click()
    await answer(desk.page, "Jam tujuh")
    ours = bubble(desk.page, "Jam tujuh")
    await expect(ours).to_contain_text("Jam berapa buka?")
    await expect(ours.locator("[data-status=delivered]")).to_be_visible()
    shown = await desk.shown_on_her_phone(lambda row: row.get("text") == "Jam tujuh")
    assert (shown["replyTo"], shown["quoted"]) == (wrote, "Jam berapa buka?")
    await desk.network.phones.read(desk.sari, desk.number)
    await expect(ours.locator("[data-status=read]")).to_be_visible()
    await expect(desk.page.locator("[data-chat] [data-unread]")).to_have_count(0)
    await answer(desk.page, "Sampai nanti")
    assert "replyTo" not in await desk.shown_on_her_phone(lambda row: row.get("text") == "Sampai nanti")


async def test_media_of_both_sides_are_shown(desk: Desk, picture: Path) -> None:
    await desk.writes(type="image", media=encoded(picture), mimetype="image/png", caption="Menu hari ini")
    await desk.opened()
    theirs = bubble(desk.page, "Menu hari ini").locator("img")
    await expect(theirs).to_have_js_property("naturalWidth", 64)
    await desk.page.locator("#reply [name=file]").set_input_files(picture)
    await answer(desk.page, "Menu kami")
    shown = await desk.shown_on_her_phone(lambda row: row["type"] == "image")
    assert shown["caption"] == "Menu kami"
    await expect(bubble(desk.page, "Menu kami").locator("img")).to_have_js_property("naturalWidth", 64)
    await expect(desk.page.locator("#reply [data-chosen]")).to_be_hidden()


async def test_a_reaction_of_either_side_stands_at_its_message(desk: Desk) -> None:
    wrote = await desk.writes("Terima kasih!")
    await desk.opened()
    theirs = bubble(desk.page, "Terima kasih!")
    await theirs.locator("summary").click()
    await theirs.get_by_role("button", name="React with 🙏").click()
    shown = await desk.shown_on_her_phone(lambda row: row["type"] == "reaction")
    assert (shown["target"], shown["emoji"]) == (wrote, "🙏")
    await expect(theirs.get_by_title("Reaction")).to_have_text("🙏")
    await answer(desk.page, "Sama-sama")
    ours = (await desk.shown_on_her_phone(lambda row: row.get("text") == "Sama-sama"))["id"]
    await desk.writes(type="reaction", target=ours, emoji="😂")
    await expect(bubble(desk.page, "Sama-sama").get_by_title("Reaction")).to_have_text("😂")


async def test_a_message_whose_acceptance_got_lost_is_sent_once(desk: Desk) -> None:
    await desk.writes("Halo")
    await desk.opened()
    lost: list[str] = []

    async def lose_the_first(route: Route) -> None:
        if lost:
            return await route.continue_()
        lost.append((await route.fetch()).headers["content-type"])
        return await route.abort("internetdisconnected")

    await desk.page.route(f"**{BASE}/sessions/*/messages", lose_the_first)
    await answer(desk.page, "Sekali saja")
    await expect(desk.page.get_by_role("alert")).to_contain_text("cannot be reached")
    await expect(desk.page.get_by_role("textbox", name="Write a message")).to_have_value("Sekali saja")
    await desk.page.keyboard.press("Enter")
    await expect(desk.page.get_by_role("textbox", name="Write a message")).to_have_value("")
    await answer(desk.page, "Yang kedua")
    await desk.shown_on_her_phone(lambda row: row.get("text") == "Yang kedua")
    assert [row["text"] for row in await desk.network.phones.inbox(desk.sari)] == ["Sekali saja", "Yang kedua"]


async def test_chats_are_found_by_a_part_of_the_name_or_number(desk: Desk) -> None:
    budi = await desk.network.person("Pak Budi")
    await desk.writes("Halo")
    await desk.network.phones.write(budi, desk.number, "Halo juga")
    rows = desk.page.locator("[data-chat]")
    await expect(rows).to_have_count(2)
    for sought, found in (("budi", "Pak Budi"), (f"0{desk.sari[2:8]}", "Bu Sari")):
        await desk.page.get_by_role("searchbox", name="Name or number").fill(sought)
        await desk.page.get_by_role("button", name="Find").click()
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text(found)
    await desk.page.get_by_role("searchbox", name="Name or number").fill("nobody")
    await desk.page.get_by_role("button", name="Find").click()
    await expect(desk.page.get_by_text("No chat fits")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_an_open_chat_fits_a_phone_and_keeps_nobody_out(desk: Desk, picture: Path, theme: Any) -> None:
    page = desk.page
    await page.emulate_media(color_scheme=theme)
    await desk.writes("Katasangatpanjangtanpaspasi" * 9)
    await desk.writes(type="image", media=encoded(picture), mimetype="image/png", fileName="a")
    await desk.writes(type="poll", question="Soto?", options=["Ya", "Tidak"], selectable=1)
    await desk.opened()
    await answer(page, "Baik. " * 40)
    await expect(page.locator("#log [data-message]")).to_have_count(4)
    await page.locator("#log summary").first.click()
    assert await faults(page) == []
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    await expect(page.get_by_role("textbox", name="Write a message")).to_be_in_viewport()
    await expect(page.get_by_role("search")).not_to_be_visible()
    await page.get_by_role("link", name="All chats").click()
    await expect(page.locator("[data-chat]").filter(has_text="Bu Sari")).to_be_visible()
    assert await faults(page) == []


async def test_a_long_chat_begins_at_its_end_and_goes_back_in_pages(desk: Desk) -> None:
    page, shown = desk.page, desk.page.locator("#log [data-message]")
    for number in range(45):
        await desk.writes(f"Pesan nomor {number}.")
    await a_second_later()
    for word in ("Hampir", "terakhir", "selesai"):
        await desk.writes(word)
    await expect(page.locator("[data-unread='48']")).to_be_visible()
    await desk.opened()
    await expect(shown).to_have_count(40)
    await expect(shown.last).to_contain_text("selesai")
    await expect(shown.nth(-2)).to_contain_text("terakhir")
    await expect(shown.last).to_be_in_viewport()
    await expect(shown.first).not_to_be_in_viewport()
    newest = await shown.evaluate_all(IDS)
    await page.get_by_role("link", name="Older messages").click()
    await expect(shown).to_have_count(8)
    assert set(await shown.evaluate_all(IDS)).isdisjoint(newest)
    await page.get_by_role("link", name="Newest").click()
    await expect(shown.last).to_be_in_viewport()


async def a_second_later() -> None:
    """Wait until the clock shows another second: WhatsApp tells no less."""
    began = int(time.time())

    async def passed() -> bool:
        return int(time.time()) > began

    await eventually(passed, within_s=5)


async def test_a_chat_is_read_and_searched_without_scripts(desk: Desk, browser: Browser) -> None:
    for number in range(12):
        await desk.writes(f"Pesan {number}. " + "Panjang sekali. " * 20)
    await expect(desk.page.locator("[data-unread='12']")).to_be_visible()
    plain = await browser.new_context(java_script_enabled=False, storage_state=await desk.page.context.storage_state())
    page = await plain.new_page()
    await page.goto(desk.person.at(CHATS))
    await page.get_by_role("searchbox", name="Name or number").fill("sari")
    await page.get_by_role("button", name="Find").click()
    await page.locator("[data-chat]").click()
    await expect(bubble(page, "Pesan 11.")).to_be_in_viewport()
    await expect(bubble(page, "Pesan 0.")).not_to_be_in_viewport()


async def test_a_group_that_others_made_is_called_by_its_subject_once_it_is_opened(desk: Desk) -> None:
    people = {"subject": "Panitia", "participants": [desk.sari, desk.number]}
    group = (await desk.network.called("POST", "/groups", json=people))["jid"]
    await desk.writes("Rapat jam tujuh", to=group)
    await desk.page.locator("[data-chat]").filter(has_text="Rapat jam tujuh").click()
    await expect(desk.page.get_by_role("heading", name="Panitia")).to_be_visible()
    await answer(desk.page, "Siap")
    await expect(desk.page.locator("[data-chat]").filter(has_text="Panitia")).to_contain_text("Siap")
    for path in (f"{OVERVIEW}/messages", PLAYGROUND):
        await visit(desk.page, desk.person, path)
        row = desk.page.locator("[data-message]").filter(has_text="Siap")
        await expect(row.get_by_text("Panitia", exact=True)).to_be_visible()
