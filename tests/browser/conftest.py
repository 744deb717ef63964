"""A stack on the simulated network, Debian's Chromium, and a person who is signed in; no page may complain.

Mark: needs_browser and needs_go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Locator, Page, ViewportSize, async_playwright, expect

from infra.local import machine
from tests.browser.people import Person, enter
from tests.e2e.handsets import Network
from tests.e2e.tenants import make_tenant
from tests.processes import PATIENCE_S
from tests.stack import RunningStack, running_stack

FOLDER = Path(__file__).parent
WAIT_MS = round(PATIENCE_S * 1000)
"""Much longer than anything takes: two stacks and two browsers may share the machine."""
expect.set_options(timeout=WAIT_MS)
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]
"""CI is root in a container: Chromium's own sandbox cannot be made there."""
EXPECTED = (
    *("net::ERR_INTERNET_DISCONNECTED", "net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET"),
    *("net::ERR_EMPTY_RESPONSE", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_CONTENT_LENGTH_MISMATCH"),
    *("net::ERR_CONNECTION_CLOSED", "TypeError: network error", "WebSocket connection to"),
    "Failed to fetch",  # htmx tells again, without its cause, what Chromium tells with it
    *("the server responded with a status of 4", "the server responded with a status of 503"),
)
"""What the console says when a test breaks network or server, or asks for what is refused."""
LOADING = "html[data-loading]"
NOTES = """
    const told = new Set();
    function note() {
        const page = document.documentElement;
        if (!page) return;
        page.toggleAttribute("data-loading", document.readyState !== "complete");
        for (const each of document.querySelectorAll("#toasts > *, #link [data-step=linked]"))
            if (!each.closest("[hidden]")) told.add(each.textContent.replace(/\\s+/g, " ").trim());
        if (told.size) page.dataset.told = [...told].join("; ");
    }
    new MutationObserver(note).observe(document, { childList: true, subtree: true, attributeFilter: ["hidden"] });
    addEventListener("load", note);
"""
"""What a page notes of itself: that it is not there yet, and what it has said in passing (see `has_told`)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of this folder share one loop, as a browser does that they share."""
    for item in items:
        if item.path.parent == FOLDER and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest.fixture(scope="package")
def browsed_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningStack]:
    """Shared by all tests that kill nothing."""
    with asyncio.Runner() as runner:
        given = {
            "MERPATI_PRIVATE_TARGETS": "true",  # webhooks and media of tests are on this machine
            "MERPATI_OPEN_SIGNUP": "true",
            "MERPATI_OPERATOR_CONTACT": "help@merpati.example",
        }
        context = running_stack(tmp_path_factory.mktemp("browsed"), "--networks", "simulator", environment=given)
        stack = runner.run(context.__aenter__())
        yield stack
        runner.run(context.__aexit__(None, None, None))


@pytest_asyncio.fixture(loop_scope="package", scope="package")
async def chromium() -> AsyncGenerator[Browser]:
    """Debian's Chromium; it takes longer to start than most tests do."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=machine.chromium(), args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="package")
async def browser(chromium: Browser) -> AsyncGenerator[Browser]:
    """The browser, which has forgotten everything after each test."""
    yield chromium
    for context in chromium.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="package")
async def context(browser: Browser) -> BrowserContext:
    """A browser of somebody who reads English, with a desk, and wants no motion: a dialog that fades is still there."""
    desk = ViewportSize(width=1280, height=900)
    context = await browser.new_context(locale="en-US", viewport=desk, reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    await context.add_init_script(NOTES)
    return context


@pytest_asyncio.fixture(loop_scope="package")
async def page(context: BrowserContext) -> AsyncGenerator[Page]:
    """A page; fails the test when a script of it failed, or when the Content-Security-Policy refused something.

    Whoever clicks on a page that comes waits until its scripts are there: before that, a click is lost.
    """
    page = await context.new_page()
    await page.add_locator_handler(page.locator(LOADING), _is_there)
    complaints = listen(page)
    yield page
    assert complaints == []


async def _is_there(loading: Locator) -> None:
    await loading.page.wait_for_load_state("load")


def listen(page: Page) -> list[str]:
    """What the page complains of from now on."""
    complaints: list[str] = []

    def note(text: str) -> None:
        if not any(known in text for known in EXPECTED):
            complaints.append(text)

    page.on("pageerror", lambda error: note(str(error)))
    page.on("console", lambda said: note(said.text) if said.type == "error" else None)
    return complaints


@pytest_asyncio.fixture(loop_scope="package")
async def person(browsed_stack: RunningStack) -> Person:
    """A customer of the test's own."""
    return Person(tenant=await make_tenant(browsed_stack))


@pytest_asyncio.fixture(loop_scope="package")
async def signed_in(page: Page, person: Person) -> Page:
    """The page, on the overview of this person."""
    await enter(page, person)
    return page


@pytest_asyncio.fixture(loop_scope="package")
async def network(browsed_stack: RunningStack) -> AsyncGenerator[Network]:
    """The people on the simulated network."""
    network = Network(browsed_stack.simulator_url)
    yield network
    await network.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small picture."""
    path = tmp_path / "merpati.png"
    Image.new("RGB", (64, 48), (15, 118, 110)).save(path)
    return path
