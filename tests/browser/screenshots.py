"""`python -m tests.browser.screenshots [folder]`: every page in both themes, for the README, as small WebP files."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from infra.local import machine
from tests.browser.conftest import FLAGS
from tests.browser.operators import administrator, go
from tests.browser.people import DEVICES, OVERVIEW, PLAYGROUND, SETTINGS, TEAM, Person, live, sign_in, visit
from tests.browser.showcase import showcase
from tests.e2e.handsets import Network
from tests.receiver import receiver
from tests.stack import RunningStack, running_stack

FOLDER = Path("docs/screenshots")
DESK: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 800}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
QUALITY = 78
CUSTOMER_PAGES = {
    "overview": OVERVIEW,
    "devices": DEVICES,
    "playground": PLAYGROUND,
    "messages": f"{OVERVIEW}/messages",
    "webhooks": f"{OVERVIEW}/webhooks",
    "webhook-new": f"{OVERVIEW}/webhooks/new",
    "plan": f"{OVERVIEW}/plan",
    "payments": f"{OVERVIEW}/plan/payments",
    "ledger": f"{OVERVIEW}/plan/credits",
    "settings": SETTINGS,
    "audit": f"{SETTINGS}/audit",
    "team": TEAM,
}
PLATFORM_PLACES = {
    "platform": "",
    "platform-customers": "/customers",
    "platform-plans": "/plans",
    "platform-payments": "/payments",
    "platform-sessions": "/sessions",
    "platform-replicas": "/replicas",
    "platform-letters": "/letters",
    "platform-state": "/state",
}
BEHIND_LINKS = {
    "chats": (f"{OVERVIEW}/chats", "Bu Sari"),
    "message": (f"{OVERVIEW}/messages", "Siap, pesanan #1042"),
    "webhook": (f"{OVERVIEW}/webhooks", "Deliveries"),
}
"""Pages that are one of many: the list, and the link to follow there."""
ON_A_PHONE = ("overview", "devices", "messages")
DRAWN = """() => document.fonts.ready.then(() => Promise.all(
    [...document.images].filter((each) => !each.complete).map((each) => each.decode().catch(() => null))))"""


async def take_all(folder: Path) -> None:
    """Start a stack, fill a shop, and walk through its pages."""
    given = {"MERPATI_PRIVATE_TARGETS": "true", "MERPATI_OPEN_SIGNUP": "true"}
    with tempfile.TemporaryDirectory() as data:
        async with running_stack(Path(data), "--networks", "simulator", environment=given) as stack:
            await _take_all(stack, folder)


async def _take_all(stack: RunningStack, folder: Path) -> None:
    network = Network(stack.simulator_url)
    async with receiver() as endpoint, async_playwright() as playwright:
        person = await showcase(stack, network, endpoint)
        browser = await playwright.chromium.launch(executable_path=machine.chromium(), args=FLAGS)
        for theme in THEMES:
            await _strangers(browser, person, folder, theme)
            await _customers(browser, person, folder, theme)
            await _platforms(browser, stack, folder, theme)
        await browser.close()
    await network.close()


async def _strangers(browser: Browser, person: Person, folder: Path, theme: Literal["light", "dark"]) -> None:
    page = await (await _context(browser, theme)).new_page()
    for name in ("signin", "signup"):
        await page.goto(person.at(f"/en/dashboard/{name}"))
        await _take(page, folder / f"{name}-{theme}.webp")
    await page.context.close()


async def _customers(browser: Browser, person: Person, folder: Path, theme: Literal["light", "dark"]) -> None:
    page = await (await _context(browser, theme)).new_page()
    await sign_in(page, person)
    for name, path in CUSTOMER_PAGES.items():
        await visit(page, person, path)
        await _take(page, folder / f"{name}-{theme}.webp")
    await _link_dialog(page, person, folder / f"link-{theme}.webp")
    for name, (path, link) in BEHIND_LINKS.items():
        await visit(page, person, path)
        await page.get_by_role("main").get_by_role("link", name=link).first.click()
        await live(page)
        await _take(page, folder / f"{name}-{theme}.webp")
    await page.set_viewport_size(PHONE)
    for name in ON_A_PHONE:
        await visit(page, person, CUSTOMER_PAGES[name])
        await _take(page, folder / f"{name}-phone-{theme}.webp")
    await page.context.close()


async def _link_dialog(page: Page, person: Person, path: Path) -> None:
    await visit(page, person, DEVICES)
    card = page.locator("li, article").filter(has_text="Marketing").last
    await card.get_by_role("button", name="Link").first.click()
    await expect(page.locator("#link img, #link svg.qr").first).to_be_visible()
    await _take(page, path)


async def _platforms(browser: Browser, stack: RunningStack, folder: Path, theme: Literal["light", "dark"]) -> None:
    page = await (await _context(browser, theme)).new_page()
    for name, place in PLATFORM_PLACES.items():
        await go(page, administrator(stack), place)
        await _take(page, folder / f"{name}-{theme}.webp")
    await go(page, administrator(stack), "/customers")
    await page.get_by_role("link", name="Toko Kopi").first.click()
    await live(page)
    await _take(page, folder / f"platform-customer-{theme}.webp")
    await page.context.close()


async def _context(browser: Browser, theme: Literal["light", "dark"]) -> BrowserContext:
    return await browser.new_context(locale="en-US", viewport=DESK, color_scheme=theme, reduced_motion="reduce")


async def _take(page: Page, path: Path) -> None:
    await page.wait_for_load_state("networkidle")
    await page.evaluate(DRAWN)
    shot = Image.open(io.BytesIO(await page.screenshot(animations="disabled")))
    await asyncio.to_thread(shot.save, path, "WEBP", quality=QUALITY, method=6)


def main() -> None:
    """The command."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_all(folder))


if __name__ == "__main__":
    main()
