"""Addresses that somebody types: the bare one leads in, a wrong one says so, and programs are told in JSON as ever."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.people import OVERVIEW, Person, enter

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]


async def test_the_bare_address_leads_to_the_dashboard(page: Page, person: Person) -> None:
    await enter(page, person)
    await page.goto(person.at("/"))
    await expect(page).to_have_url(person.at(OVERVIEW))


@pytest.mark.parametrize(
    ("path", "heading", "sentence"),
    [
        ("/no/such/page", "This page cannot be shown", "There is nothing at this path."),
        ("/id/dashboard/whatsapp/nowhere", "Halaman ini tidak dapat ditampilkan", "Tidak ada apa pun di alamat ini."),
    ],
    ids=["anywhere", "in-the-dashboard"],
)
async def test_an_unknown_page_says_so_to_a_person(
    page: Page, person: Person, path: str, heading: str, sentence: str
) -> None:
    answer = await page.goto(person.at(path))
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("heading")).to_have_text(heading)
    await expect(page.get_by_role("alert")).to_have_text(sentence)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/", "*/*"),
        ("/no/such/page", "application/json"),
        ("/api/no/such/page", "text/html"),
        ("/whatsapp/nothing", "text/html"),
    ],
)
async def test_a_program_is_told_in_json(person: Person, path: str, accept: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(person.at(path), headers={"Accept": accept})
    assert (answer.status_code, answer.json()["error"]) == (404, "ROUTE_NOT_FOUND")


async def test_whoever_moves_by_the_keyboard_sees_where_in_the_sidebar(signed_in: Page) -> None:
    link = signed_in.get_by_role("navigation").get_by_role("link", name="Devices")
    await signed_in.get_by_role("navigation").get_by_role("link", name="Overview").focus()
    await signed_in.keyboard.press("Tab")
    await expect(link).to_be_focused()
    await expect(link).to_have_css("outline-style", "solid")
    await expect(link).to_have_css("outline-width", "2px")
