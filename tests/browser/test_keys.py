"""Named keys: made with no more than they need, shown once, changed, rotated and revoked."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from services.api.times import iso
from tests.browser.people import DEVICES, Person, visit
from tests.e2e.tenants import client
from tests.e2e.wire import BASE, refused

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
JAKARTA = ZoneInfo("Asia/Jakarta")
"""Where the person lives; the browser's clock is another one."""


@pytest_asyncio.fixture(loop_scope="package")
async def devices(signed_in: Page, person: Person) -> Page:
    """The devices page of an owner with two devices."""
    async with person.api() as http:
        for name in ("Counter", "Warehouse"):
            await http.post(f"{BASE}/sessions", json={"name": name})
    await visit(signed_in, person, DEVICES)
    return signed_in


def with_key(person: Person, key: str) -> httpx.AsyncClient:
    """A program that has this key."""
    return client(person.tenant.url, {"X-API-Key": key})


def row(page: Page, name: str) -> Locator:
    """A key in the list."""
    return page.locator("[data-named-key]").filter(has_text=name)


async def taken(page: Page) -> str:
    """The key that is shown once; then the dialog is left."""
    shown = page.get_by_label("The new key")
    await expect(shown).to_be_visible()
    key = await shown.input_value()
    await page.get_by_role("button", name="I have it").click()
    await expect(shown).to_have_value("")
    assert key.startswith("gf_")
    assert key not in await page.content()
    return key


async def made(page: Page, name: str) -> str:
    """A key that may read and send, as the form proposes."""
    await page.get_by_role("button", name="New named key").click()
    await page.locator("#new-key [name=name]").fill(name)
    await page.get_by_role("button", name="Make the key").click()
    return await taken(page)


async def choose(page: Page, name: str, what: str) -> None:
    """Something from a key's menu."""
    await row(page, name).get_by_label(f"More for {name}").click()
    await row(page, name).get_by_role("button", name=what, exact=True).click()


async def test_a_key_is_made_with_what_it_needs_and_may_do_no_more(devices: Page, person: Person) -> None:
    until = datetime.now(JAKARTA).date() + timedelta(days=40)
    await devices.get_by_role("button", name="New named key").click()
    form = devices.get_by_role("dialog", name="New named key")
    await form.get_by_label("Name").fill("Reader")
    await form.get_by_role("checkbox", name="Send").uncheck()
    await form.get_by_role("checkbox", name="Every device").uncheck()
    await form.get_by_role("checkbox", name="Counter").check()
    await form.get_by_label("Only from these addresses").fill("127.0.0.1\n::1\n")
    await form.get_by_label("Good until the end of").fill(until.strftime("%Y-%m-%d"))
    await form.get_by_role("button", name="Make the key").click()
    key = await taken(devices)
    async with with_key(person, key) as http:
        [only] = (await http.get(f"{BASE}/sessions")).json()["sessions"]
        assert only["name"] == "Counter"
        body = {"type": "text", "to": "6281234567890", "text": "No"}
        refused(await http.post(f"{BASE}/sessions/{only['id']}/messages", json=body), 403, "FORBIDDEN")
    shown = row(devices, "Reader")
    await expect(shown).to_contain_text("Devices: Counter")
    await expect(shown).to_contain_text("Only from 127.0.0.1/32, ::1/128")
    await expect(shown).to_contain_text(f"until {until.day} ")
    await expect(shown).not_to_contain_text("Send")
    async with person.api() as http:
        stored = next(each for each in (await http.get(f"{BASE}/keys")).json()["data"] if each["name"] == "Reader")
    ends_at = datetime.fromisoformat(stored["expiresAt"]).astimezone(JAKARTA)
    assert (ends_at.date(), ends_at.time()) == (until, time(23, 59, 59))


async def test_a_key_is_changed_and_stays_as_it_was_in_what_was_left_alone(devices: Page, person: Person) -> None:
    ends_at = (datetime.now(UTC) + timedelta(days=40)).replace(hour=3, minute=20, second=0, microsecond=0)
    async with person.api() as http:
        wished = {"scopes": ["read"], "sessions": ["Counter"], "addresses": ["127.0.0.1"], "expiresAt": iso(ends_at)}
        made = (await http.post(f"{BASE}/keys", json={"name": "Reader"} | wished)).json()["data"]
        await visit(devices, person, DEVICES)
        await choose(devices, "Reader", "Change")
        form = devices.get_by_role("dialog", name="Change the key")
        await expect(form.get_by_role("checkbox", name="Send")).not_to_be_checked()
        await expect(form.get_by_role("checkbox", name="Counter")).to_be_checked()
        await expect(form.get_by_role("checkbox", name="Warehouse")).not_to_be_checked()
        await expect(form.get_by_label("Only from these addresses")).to_have_value("127.0.0.1/32")
        await form.get_by_label("Name").fill("Reader and writer")
        await form.get_by_role("checkbox", name="Send").check()
        await form.get_by_label("Only from these addresses").fill("")
        await form.get_by_role("button", name="Save").click()
        await expect(row(devices, "Reader and writer")).to_contain_text("Send")
        changed = (await http.get(f"{BASE}/keys/{made['id']}")).json()["data"]
    assert changed == made | {"name": "Reader and writer", "scopes": ["read", "send"], "addresses": None}


async def test_a_key_for_some_devices_becomes_one_for_all_by_its_switch_alone(devices: Page, person: Person) -> None:
    async with person.api() as http:
        made = (await http.post(f"{BASE}/keys", json={"name": "Reader", "sessions": ["Counter"]})).json()["data"]
        await visit(devices, person, DEVICES)
        await choose(devices, "Reader", "Change")
        form = devices.get_by_role("dialog", name="Change the key")
        await form.get_by_role("checkbox", name="Counter").uncheck()
        await form.get_by_role("button", name="Save").click()
        await expect(devices.get_by_role("alert")).to_contain_text("Choose at least one device")
        await form.get_by_role("checkbox", name="Every device").check()
        await form.get_by_role("button", name="Save").click()
        await expect(row(devices, "Reader")).not_to_contain_text("Devices: Counter")
        assert (await http.get(f"{BASE}/keys/{made['id']}")).json()["data"]["sessions"] is None


async def test_a_rotated_key_has_another_secret_and_the_one_before_ends_when_it_was_said(
    devices: Page, person: Person
) -> None:
    first = await made(devices, "Web shop")
    second = await rotated(devices, "Web shop", "is good for an hour")
    await expect(row(devices, "Web shop")).to_contain_text("the key before is good until")
    async with with_key(person, first) as http:
        assert (await http.get(f"{BASE}/sessions")).is_success
    third = await rotated(devices, "Web shop", "ends at once")
    for gone in (first, second):
        async with with_key(person, gone) as http:
            refused(await http.get(f"{BASE}/sessions"), 401, "INVALID_API_KEY")
    async with with_key(person, third) as http:
        assert (await http.get(f"{BASE}/sessions")).is_success


async def rotated(page: Page, name: str, before: str) -> str:
    """Another secret for the key; `before` is what becomes of the present one."""
    await choose(page, name, "Rotate")
    await page.get_by_label("The one before").select_option(before)
    await page.get_by_role("button", name="Rotate the key").click()
    return await taken(page)


async def test_a_revoked_key_is_refused_and_then_deleted(devices: Page, person: Person) -> None:
    key = await made(devices, "Lost")
    await choose(devices, "Lost", "Revoke")
    await devices.get_by_role("button", name="Revoke the key").click()
    await expect(row(devices, "Lost")).to_contain_text("Revoked")
    async with with_key(person, key) as http:
        refused(await http.get(f"{BASE}/sessions"), 401, "INVALID_API_KEY")
    await choose(devices, "Lost", "Delete")
    await expect(row(devices, "Lost")).to_have_count(0)


async def test_what_a_key_may_not_be_is_told_with_the_words_of_the_api(devices: Page) -> None:
    await devices.get_by_role("button", name="New named key").click()
    form = devices.get_by_role("dialog", name="New named key")
    await form.get_by_label("Name").fill("Too much")
    await form.get_by_role("checkbox", name="Account").check()
    await form.get_by_role("checkbox", name="Every device").uncheck()
    await form.get_by_role("checkbox", name="Counter").check()
    await form.get_by_role("button", name="Make the key").click()
    await expect(devices.get_by_role("alert")).to_contain_text("a key for some sessions cannot have the scope admin")
    await expect(form.get_by_label("Name")).to_have_value("Too much")


async def test_many_keys_stand_on_several_pages(signed_in: Page, person: Person) -> None:
    async with person.api() as http:
        for number in range(8):
            await http.post(f"{BASE}/keys", json={"name": f"Program {number}"})
    await visit(signed_in, person, DEVICES)
    await expect(signed_in.locator("[data-named-key]")).to_have_count(6)
    await signed_in.get_by_role("navigation", name="Further keys").get_by_role("link", name="Older").click()
    await expect(signed_in.locator("[data-named-key]")).to_have_count(2)
    await expect(row(signed_in, "Program 0")).to_be_visible()
