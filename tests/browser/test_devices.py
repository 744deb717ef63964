"""Devices: created, scanned, seen to connect by themselves, changed, and caught up with after the network was away."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import BrowserContext, Locator, Page, Route, expect

from tests.browser.people import DEVICES, Person, device, enter, has_told, visit
from tests.e2e.handsets import Network, in_status, linked, qr_code, scanned
from tests.e2e.tenants import make_tenant
from tests.e2e.wire import BASE
from tests.processes import PATIENCE_S
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]


def card(page: Page, name: str) -> Locator:
    """The card of the device with this name."""
    return page.locator("[data-device]").filter(has=page.get_by_role("heading", name=name, exact=True))


async def test_a_device_is_created_scanned_and_connects_by_itself(signed_in: Page, person: Person) -> None:
    page = signed_in
    await visit(page, person, DEVICES)
    await page.get_by_role("button", name="Link the first device").click()
    await page.locator("#create [name=name]").fill("Toko Merpati")
    await page.get_by_role("button", name="Create and link").click()
    link = page.get_by_role("dialog", name="Link: Toko Merpati")
    await expect(link.get_by_role("img", name="QR code")).to_be_visible()
    await expect(link.get_by_text("A new code in")).to_be_visible()
    await link.get_by_role("button", name="Scan with a simulated phone").click()
    await has_told(page, "The device is connected")
    await expect(link).to_be_hidden()
    await expect(card(page, "Toko Merpati").get_by_text("Connected", exact=True)).to_be_visible()
    await expect(card(page, "Toko Merpati")).to_contain_text("+62 812")


async def test_a_phone_that_scans_elsewhere_closes_the_dialog(
    signed_in: Page, person: Person, network: Network
) -> None:
    async with person.api() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": "Far away"})).json()["session"]["id"]
        await visit(signed_in, person, DEVICES)
        await card(signed_in, "Far away").get_by_role("button", name="Link").click()
        await expect(signed_in.get_by_role("img", name="QR code")).to_be_visible()
        code = await qr_code(http, session)
    number = await network.person()
    await network.phones.scan(number, code)
    await expect(signed_in.get_by_role("dialog")).to_be_hidden()


async def test_a_code_by_number_is_shown(signed_in: Page, person: Person, network: Network) -> None:
    async with person.api() as http:
        await http.post(f"{BASE}/sessions", json={"name": "By number"})
    await visit(signed_in, person, DEVICES)
    await card(signed_in, "By number").get_by_role("button", name="Link").click()
    await signed_in.get_by_role("tab", name="By number").click()
    await signed_in.locator("#link [name=phone]").fill(await network.person())
    await signed_in.get_by_role("button", name="Get a code").click()
    await expect(signed_in.locator("#link [data-pair-code]")).to_be_visible()
    assert len((await signed_in.locator("#link [data-code]").inner_text()).replace("-", "")) == 8


async def test_a_device_is_renamed_stopped_started_and_deleted(
    signed_in: Page, person: Person, network: Network
) -> None:
    await device(person, network, "Old name")
    await visit(signed_in, person, DEVICES)
    await card(signed_in, "Old name").get_by_label("More for Old name").click()
    await signed_in.get_by_role("button", name="Rename").click()
    await signed_in.locator("#rename [name=name]").fill("New name")
    await signed_in.get_by_role("button", name="Save").click()
    renamed = card(signed_in, "New name")
    switch = renamed.get_by_role("checkbox", name="New name: active")
    await switch.uncheck()
    await expect(renamed.get_by_text("Stopped", exact=True)).to_be_visible()
    await switch.check()
    await expect(renamed.get_by_text("Connected", exact=True)).to_be_visible()
    await renamed.get_by_label("More for New name").click()
    await renamed.get_by_role("button", name="Delete").click()
    await signed_in.get_by_role("button", name="Delete for good").click()
    await expect(signed_in.get_by_text("No device yet")).to_be_visible()


async def test_a_list_that_was_asked_for_before_a_click_does_not_undo_it(
    signed_in: Page, person: Person, network: Network
) -> None:
    await device(person, network, "Counter")
    await visit(signed_in, person, DEVICES)
    switch = card(signed_in, "Counter").get_by_role("checkbox", name="Counter: active")
    asked: asyncio.Queue[Route] = asyncio.Queue()
    await signed_in.route("**/devices/list?*", asked.put)
    await signed_in.evaluate("document.body.dispatchEvent(new CustomEvent('live-sessions'))")
    async with asyncio.timeout(PATIENCE_S):
        older = await asked.get()
        before = await older.fetch()
        async with signed_in.expect_response(lambda answer: answer.request.method == "PUT"):
            await switch.click()
        await older.fulfill(response=before)
        newer = await asked.get()
    assert not await switch.is_checked()
    await signed_in.route("**/devices/list?*", lambda route: route.continue_())  # what follows goes its way
    await newer.continue_()
    while not asked.empty():
        await asked.get_nowait().continue_()
    await expect(card(signed_in, "Counter").get_by_text("Stopped", exact=True)).to_be_visible()
    await expect(switch).not_to_be_checked()


async def test_what_is_refused_is_told_with_the_words_of_the_api(
    signed_in: Page, person: Person, network: Network
) -> None:
    await device(person, network, "Taken")
    await visit(signed_in, person, DEVICES)
    await signed_in.get_by_role("button", name="New device").click()
    await signed_in.locator("#create [name=name]").fill("Taken")
    await signed_in.get_by_role("button", name="Create and link").click()
    await expect(signed_in.get_by_role("alert")).to_contain_text("A session with this name exists already.")
    await expect(signed_in.get_by_role("dialog", name="New device")).to_be_visible()


async def test_a_page_without_network_says_so_and_catches_up_by_itself(
    signed_in: Page, context: BrowserContext, person: Person, network: Network
) -> None:
    session = await device(person, network, "Before")
    await visit(signed_in, person, DEVICES)
    await context.set_offline(True)
    await expect(signed_in.get_by_text("The live connection is lost")).to_be_visible()
    async with person.api() as http:
        await http.put(f"{BASE}/sessions/{session}", json={"name": "After"})
    await expect(card(signed_in, "Before")).to_be_visible()
    await context.set_offline(False)
    await expect(card(signed_in, "After")).to_be_visible()
    await expect(signed_in.get_by_text("The live connection is lost")).to_be_hidden()


async def test_the_settings_of_a_device_are_changed_and_go_back_to_the_default(signed_in: Page, person: Person) -> None:
    async with person.api() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": "Counter"})).json()["session"]["id"]

        async def kept() -> dict[str, object]:
            answer = (await http.get(f"{BASE}/sessions/{session}")).json()["session"]
            return {name: answer[name] for name in ("proxy", "deviceName", "pacing")}

        await visit(signed_in, person, DEVICES)
        dialog = await settings_of(signed_in, "Counter")
        await dialog.get_by_role("checkbox", name="Direct").uncheck()
        await dialog.get_by_label("Address of the proxy").fill("socks5://name:password@proxy.example:1080")
        await dialog.get_by_label("Name on the phone").fill("Toko Kopi")
        await dialog.get_by_role("checkbox", name="The usual pace").uncheck()
        await dialog.get_by_label("Messages a minute").fill("7")
        await dialog.get_by_role("checkbox", name="Few new contacts").uncheck()
        await dialog.get_by_role("button", name="Save").click()
        await has_told(signed_in, "The device has its new settings.")
        pacing = {"perMinute": 7, "burst": 5, "jitter": 0.3, "newContacts": False}
        assert await kept() == {"proxy": "set", "deviceName": "Toko Kopi", "pacing": pacing}

        dialog = await settings_of(signed_in, "Counter")
        await expect(dialog.get_by_label("Messages a minute")).to_have_value("7")
        await expect(dialog.get_by_label("Address of the proxy")).to_have_value("")
        await dialog.get_by_role("checkbox", name="The usual pace").check()
        await dialog.get_by_label("Name on the phone").fill("")
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).to_be_hidden()
        assert await kept() == {"proxy": "set", "deviceName": None, "pacing": None}

        dialog = await settings_of(signed_in, "Counter")
        await dialog.get_by_role("checkbox", name="Direct").check()
        await dialog.get_by_role("button", name="Save").click()
        await expect(dialog).to_be_hidden()
        assert await kept() == {"proxy": None, "deviceName": None, "pacing": None}


async def test_a_proxy_where_nobody_may_connect_to_is_refused_in_the_dialog(signed_in: Page, person: Person) -> None:
    async with person.api() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": "Inside"})).json()["session"]["id"]
        await visit(signed_in, person, DEVICES)
        dialog = await settings_of(signed_in, "Inside")
        await dialog.get_by_role("checkbox", name="Direct").uncheck()
        await dialog.get_by_label("Address of the proxy").fill("http://169.254.169.254:80")
        await dialog.get_by_role("button", name="Save").click()
        await expect(
            dialog.get_by_text("the address is refused: it is an address for a special purpose")
        ).to_be_visible()
        assert (await http.get(f"{BASE}/sessions/{session}")).json()["session"]["proxy"] is None


async def settings_of(page: Page, name: str) -> Locator:
    """The dialog with the settings of this device, opened."""
    await card(page, name).locator("summary").click()
    await page.get_by_role("button", name="Settings", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Settings: {name}")
    await expect(dialog).to_be_visible()
    return dialog


async def test_who_has_no_plan_is_told_whom_to_ask_and_offered_nothing_that_is_refused(
    page: Page, browsed_stack: RunningStack
) -> None:
    owner = Person(tenant=await make_tenant(browsed_stack, max_sessions=None))
    await enter(page, owner, path=DEVICES)
    await expect(page.get_by_role("link", name="help@merpati.example")).to_have_attribute(
        "href", "mailto:help@merpati.example"
    )
    for name in ("New device", "Link the first device"):
        await expect(page.get_by_role("button", name=name)).to_be_disabled()


async def test_the_key_is_shown_when_asked_for_and_stands_in_no_page(signed_in: Page, person: Person) -> None:
    await visit(signed_in, person, DEVICES)
    assert person.tenant.key not in await signed_in.content()
    field = signed_in.locator("[data-key-value]")
    await signed_in.get_by_role("button", name="Show the key").click()
    await expect(field).to_have_value(person.tenant.key)
    await signed_in.get_by_role("button", name="New key").click()
    await signed_in.get_by_role("button", name="Replace the key").click()
    await expect(field).not_to_have_value(person.tenant.key)


async def test_what_was_queued_under_a_former_number_is_released_or_cancelled_on_its_card(
    signed_in: Page, person: Person, network: Network
) -> None:
    await signed_in.set_viewport_size({"width": 360, "height": 740})
    async with person.api() as http:
        session, _ = await linked(http, network, "Two numbers")
        contact = await network.person()
        for again in (False, True):
            await http.post(f"{BASE}/sessions/{session}/stop")
            await in_status(http, session, "DISCONNECTED")
            await http.post(f"{BASE}/sessions/{session}/messages", json={"type": "text", "to": contact, "text": "x"})
            await http.post(f"{BASE}/sessions/{session}/logout")
            await visit(signed_in, person, DEVICES)
            await scanned(http, network, session)
            notice = card(signed_in, "Two numbers").locator("[data-undecided]")
            await expect(notice).to_contain_text("another number was linked: 1")
            assert await signed_in.evaluate("document.documentElement.scrollWidth") <= 360
            if again:
                await notice.get_by_role("button", name="Cancel them").click()
                await signed_in.get_by_role("dialog").get_by_role("button", name="Cancel the messages").click()
                await has_told(signed_in, "The messages are cancelled")
            else:
                await notice.get_by_role("button", name="Send from this number").click()
                await has_told(signed_in, "The messages leave from this number")
            await expect(notice).to_be_hidden()
        assert len(await network.arrived(contact)) == 1
