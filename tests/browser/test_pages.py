"""Every page: nothing serious for axe, in both themes and languages; no wider than a phone; light; readable."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Request, ViewportSize, expect

from infra.local import dashboard
from tests.browser import books
from tests.browser.conftest import WAIT_MS, listen
from tests.browser.operators import administrator, buried, go
from tests.browser.people import DEVICES, OVERVIEW, PLAYGROUND, SETTINGS, TEAM, Person, device, sign_in, visit
from tests.e2e.handsets import Network
from tests.e2e.tenants import PASSWORD
from tests.e2e.wire import BASE
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
PAGES = (
    OVERVIEW,
    DEVICES,
    PLAYGROUND,
    f"{OVERVIEW}/messages",
    f"{OVERVIEW}/chats",
    SETTINGS,
    f"{SETTINGS}/audit",
    TEAM,
    f"{OVERVIEW}/webhooks",
    f"{OVERVIEW}/webhooks/new",
    f"{OVERVIEW}/plan",
)
DIALOGS = {
    DEVICES: (
        *("create", "rename", "log-out", "delete", "rotate", "link"),
        *("new-key", "change-key", "rotate-key", "revoke-key", "once"),
    ),
    f"{OVERVIEW}/webhooks": ("delete", "tried"),
    f"{OVERVIEW}/webhooks/new": ("secret",),
    f"{OVERVIEW}/plan": ("threshold", "purchase-monthly", "purchase-yearly"),
    TEAM: ("add-person", "change-person", "reset-person", "remove-person", "handed"),
}
PLATFORM_PLACES = (
    "",
    "/customers",
    "/plans",
    "/plans/new",
    "/payments",
    "/sessions",
    "/replicas",
    "/letters",
    "/state",
)
SERIOUS = ("serious", "critical")
DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
LONG = "A name of fifty characters, as long as it may be.."
FIRST_PAGE_BYTES = 100_000
MOVED = """Promise.race([
    new Promise((done) => setTimeout(done, 2000)),
    Promise.all(document.getAnimations().filter((each) => each instanceof CSSTransition).map((each) => each.finished)),
]).then(() => null, () => null)"""
"""Waits until what fades in is there: half faded in, no text has the contrast that it has."""


@pytest_asyncio.fixture(loop_scope="package")
async def busy(signed_in: Page, person: Person, network: Network) -> Page:
    """The page of somebody with a connected device, one that waits, and one with a long name; with messages."""
    session = await device(person, network)
    async with person.api() as http:
        await http.post(f"{BASE}/sessions", json={"name": LONG})
        await http.post(f"{BASE}/webhooks", json={"url": f"http://127.0.0.1:9/{'deep/' * 30}", "description": LONG})
        await http.post(f"{BASE}/keys", json={"name": LONG, "sessions": [session], "addresses": ["2001:db8::/32"]})
        await http.post(
            "/api/customer/users", json={"name": LONG, "email": f"{session}@example.com", "password": PASSWORD}
        )
        for text in ("Short", "A text that is so long that no phone shows all of it in one line " * 3):
            body = {"type": "text", "to": await network.person(), "text": text}
            await http.post(f"{BASE}/sessions/{session}/messages", json=body)
    return signed_in


async def faults(page: Page) -> list[str]:
    """What axe finds that keeps people out."""
    axe = dashboard.packages() / "node_modules" / "axe-core" / "axe.min.js"
    await page.evaluate(MOVED)
    await page.evaluate(axe.read_text())
    found: dict[str, Any] = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    bad = [each for each in found["violations"] if each["impact"] in SERIOUS]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in bad]


@pytest.mark.parametrize(
    ("theme", "language", "size"), [("light", "en", DESK), ("dark", "id", PHONE)], ids=["desk", "phone"]
)
async def test_the_pages_are_accessible_and_none_is_wider_than_the_screen(
    busy: Page, person: Person, theme: Any, language: str, size: ViewportSize
) -> None:
    await busy.emulate_media(color_scheme=theme)
    await busy.set_viewport_size(size)
    for path in PAGES:
        await visit(busy, person, path.replace("/en/", f"/{language}/"))
        assert await faults(busy) == [], path
        assert await busy.evaluate("document.documentElement.scrollWidth") <= size["width"], path


async def test_axe_finds_nothing_serious_in_the_dialogs_and_the_sign_in(
    busy: Page, person: Person, browser: Browser
) -> None:
    for path, dialogs in DIALOGS.items():
        await visit(busy, person, path)
        for dialog in dialogs:
            await busy.evaluate("name => document.getElementById(name).showModal()", dialog)
            assert await faults(busy) == [], dialog
            await busy.evaluate("name => document.getElementById(name).close()", dialog)
    stranger = await (await browser.new_context()).new_page()
    for page in ("signin", "signup"):
        await stranger.goto(person.at(f"/en/dashboard/{page}"))
        assert await faults(stranger) == [], page


async def test_on_a_phone_the_menu_opens_when_it_is_asked_for(signed_in: Page) -> None:
    await signed_in.set_viewport_size(PHONE)
    menu = signed_in.get_by_role("navigation", name="Main menu")
    await expect(menu).not_to_be_in_viewport()
    await signed_in.locator("label[for=menu].btn").click()
    await expect(menu.get_by_role("link", name="Devices")).to_be_in_viewport()


@pytest_asyncio.fixture(loop_scope="package")
async def overseen(page: Page, browsed_stack: RunningStack, person: Person, network: Network) -> Page:
    """The page of the platform's administrator, where there is something of everything, with long names."""
    await device(person, network)
    await books.granted(browsed_stack, person, 1_234_567, reason="gift", note=LONG * 5)
    await books.subscribed(browsed_stack, person, ends_in=timedelta(days=3))
    plan = await books.offered(browsed_stack, LONG, price=999_999_999)
    async with person.api() as http:
        await http.post(f"{BASE}/sessions", json={"name": LONG})
        await http.post(f"{BASE}/purchases", json={"planId": plan.id})
        await http.patch("/api/customer/account", json={"name": LONG * 2})
    await buried(browsed_stack, "A reason that nobody has cut short " * 20)
    await go(page, administrator(browsed_stack))
    return page


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "id")], ids=["light", "dark"])
async def test_the_platform_is_accessible_and_fits_a_phone(
    overseen: Page, person: Person, theme: Any, language: str
) -> None:
    await overseen.emulate_media(color_scheme=theme)
    await overseen.set_viewport_size(PHONE)
    customer = f"/customers/{person.tenant.customer_id}"
    for place in (*PLATFORM_PLACES, customer):
        await visit(overseen, person, f"/{language}/dashboard/platform{place}")
        assert await faults(overseen) == [], place
        assert await overseen.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], place
    for dialog in ("edit", "suspend", "subscribe", "extend", "end", "grant", "password", "made"):
        await overseen.evaluate("name => document.getElementById(name).showModal()", dialog)
        assert await faults(overseen) == [], dialog
        await overseen.evaluate("name => document.getElementById(name).close()", dialog)


async def test_the_first_page_is_light(page: Page, person: Person) -> None:
    asked: list[Request] = []
    page.on("requestfinished", lambda request: asked.append(request))
    await sign_in(page, person)
    sizes = [(await request.sizes())["responseBodySize"] for request in asked]
    assert 20_000 < sum(sizes) < FIRST_PAGE_BYTES


async def test_a_chosen_theme_stays_chosen(signed_in: Page, person: Person) -> None:
    await signed_in.locator("[data-menu=theme] summary").click()
    await signed_in.get_by_role("button", name="Dark").click()
    await visit(signed_in, person, DEVICES)
    await expect(signed_in.locator("html")).to_have_attribute("data-theme", "merpati-dark")


async def test_the_language_is_switched_on_the_page_one_is_on(signed_in: Page, person: Person) -> None:
    await visit(signed_in, person, DEVICES)
    await signed_in.locator("[data-menu=language] summary").click()
    await signed_in.get_by_role("link", name="Bahasa Indonesia").click()
    await expect(signed_in).to_have_url(person.at(DEVICES.replace("/en/", "/id/")))
    await expect(signed_in.get_by_role("heading", name="Perangkat", exact=True)).to_be_visible()


@pytest_asyncio.fixture(loop_scope="package")
async def unscripted(browser: Browser) -> AsyncGenerator[Page]:
    """A browser that runs no scripts."""
    context: BrowserContext = await browser.new_context(java_script_enabled=False, locale="en-US")
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    complaints = listen(page)
    yield page
    assert complaints == []


async def test_the_pages_are_read_without_scripts(unscripted: Page, person: Person, network: Network) -> None:
    await device(person, network, "Quiet")
    await unscripted.goto(person.at(DEVICES))
    await unscripted.locator("[name=email]").fill(person.tenant.email)
    await unscripted.locator("[name=password]").fill(PASSWORD)
    await unscripted.locator("main button.btn-primary").click()
    await expect(unscripted.get_by_role("heading", name="Quiet")).to_be_visible()
    await expect(unscripted.locator("[data-status=connected]")).to_be_visible()
    await unscripted.get_by_role("link", name="Overview").click()
    await expect(unscripted.get_by_text("of 1 connected")).to_be_visible()
