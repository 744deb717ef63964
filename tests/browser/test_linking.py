"""The stages of the link dialog: how far the link is, why it does not go on, and Retry."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import BrowserContext, Locator, Page, Route, WebSocketRoute, expect

from tests.browser.people import DEVICES, Person, has_told, visit
from tests.browser.test_devices import card
from tests.browser.test_pages import DESK, PHONE, faults
from tests.browser.test_passkey import asked
from tests.e2e.handsets import Network, in_status, qr_code
from tests.e2e.wire import BASE

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
DEAD = "socks5://127.0.0.1:9"
"""Nobody listens there."""
UNREACHED = {
    "en": "WhatsApp cannot be reached: the proxy refused the connection",
    "id": "WhatsApp tidak dapat dihubungi: proksi menolak koneksi",
}
STREAM = re.compile(r"/stream\?")
OVERFLOWING = """(dialog) => [...dialog.querySelectorAll(".modal-box, [data-stages], [data-stages] *, [data-said] *")]
    .filter((each) => each.scrollWidth > each.clientWidth && each.clientWidth > 0 && !each.closest("svg"))
    .map((each) => each.outerHTML.slice(0, 120))"""


async def opened(page: Page, person: Person, name: str, *, proxy: str | None = None, language: str = "en") -> str:
    """Opens the link dialog of a new session; the session's id."""
    async with person.api() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": name, "proxy": proxy})).json()["session"]["id"]
    await visit(page, person, DEVICES.replace("/en/", f"/{language}/"))
    await card(page, name).locator("[data-dialog=link]").click()
    return str(session)


async def stands_at(dialog: Locator, stage: str, *, failed: bool = False) -> None:
    """Waits until this is the stage that the dialog shows as the present one."""
    now = dialog.locator(f"[data-stages] [data-stage={stage}]")
    await expect(now).to_have_attribute("aria-current", "step")
    await expect(now).to_have_attribute("data-is", "failed" if failed else "now")
    await expect(dialog.locator("[data-stages] [aria-current]")).to_have_count(1)


async def states(dialog: Locator) -> list[str]:
    """How each of the stages stands, in their order."""
    found: list[str] = await dialog.locator("[data-stages] [data-stage]").evaluate_all(
        "(stages) => stages.map((each) => `${each.dataset.stage} ${each.dataset.is}`)"
    )
    return found


async def fits(page: Page, dialog: Locator) -> None:
    """Whether axe finds nothing and nothing is wider than its place."""
    assert await faults(page) == []
    assert await dialog.evaluate(OVERFLOWING) == []
    width = (page.viewport_size or DESK)["width"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def code_of(person: Person, session: str) -> str:
    """The code that can be scanned now."""
    async with person.api() as http:
        return await qr_code(http, session)


async def proxied(person: Person, session: str, proxy: str | None) -> None:
    """Gives the session this proxy."""
    async with person.api() as http:
        assert (await http.put(f"{BASE}/sessions/{session}", json={"proxy": proxy})).is_success


async def test_the_dialog_goes_through_its_stages_to_connected(
    signed_in: Page, person: Person, network: Network
) -> None:
    await signed_in.set_viewport_size(PHONE)
    session = await opened(signed_in, person, "Stages")
    dialog = signed_in.get_by_role("dialog", name="Link: Stages")
    await stands_at(dialog, "code")
    assert await states(dialog) == ["reaching done", "code now", "scanned next", "keys next", "connected next"]
    await fits(signed_in, dialog)
    number = await network.person()
    await network.fault(kind="loginFailure", code=503, phone=number)  # else it is connected before anybody has looked
    try:
        await network.phones.scan(number, await code_of(person, session))
        await stands_at(dialog, "keys")
        assert await states(dialog) == ["reaching done", "code done", "scanned done", "keys now", "connected next"]
        await expect(dialog.get_by_role("status").filter(has_text="keys are being exchanged")).to_be_visible()
        await expect(dialog.get_by_role("img", name="QR code")).to_be_hidden()
        await fits(signed_in, dialog)
    finally:
        await network.mended()
    await has_told(signed_in, "The device is connected")
    await expect(dialog).to_be_hidden()


@pytest.mark.parametrize("language", ["en", "id"])
async def test_a_network_out_of_reach_is_told_with_its_reason_and_the_link_goes_on_by_itself(
    signed_in: Page, person: Person, language: str
) -> None:
    await signed_in.set_viewport_size(PHONE)
    await signed_in.emulate_media(color_scheme="dark" if language == "id" else "light")
    session = await opened(signed_in, person, "Away", proxy=DEAD, language=language)
    dialog = signed_in.locator("#link")
    await stands_at(dialog, "reaching", failed=True)
    await expect(dialog.get_by_role("status").filter(has_text=UNREACHED[language])).to_be_visible()
    await fits(signed_in, dialog)
    await dialog.locator("[data-way=number]").click()
    await expect(dialog.get_by_text(UNREACHED[language])).to_be_visible()
    await dialog.locator("[data-way=code]").click()
    await expect(card(signed_in, "Away")).to_contain_text(UNREACHED[language])
    await proxied(person, session, None)
    await stands_at(dialog, "code")
    await expect(dialog.locator("[data-qr=code]")).to_be_visible()
    await expect(dialog.get_by_text(UNREACHED[language])).to_be_hidden()


async def test_retry_asks_again_and_reaches_the_code(signed_in: Page, context: BrowserContext, person: Person) -> None:
    await context.route_web_socket(STREAM, lambda _: None)  # without frames it is Retry that leads on
    session = await opened(signed_in, person, "Retried", proxy=DEAD)
    dialog = signed_in.get_by_role("dialog", name="Link: Retried")
    await stands_at(dialog, "reaching", failed=True)
    await dialog.get_by_role("button", name="Retry").click()
    await stands_at(dialog, "reaching", failed=True)
    await proxied(person, session, None)
    await dialog.get_by_role("button", name="Retry").click()
    await stands_at(dialog, "code")
    await expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Retry")).to_be_hidden()


async def test_after_a_gap_in_the_stream_the_dialog_asks_how_far_the_link_is(
    signed_in: Page, person: Person, network: Network, context: BrowserContext
) -> None:
    silent = asyncio.Queue[WebSocketRoute]()

    def silent_once(stream: WebSocketRoute) -> None:
        if silent.empty():
            silent.put_nowait(stream)
        else:
            stream.connect_to_server()

    await context.route_web_socket(STREAM, silent_once)
    session = await opened(signed_in, person, "Gap")
    dialog = signed_in.get_by_role("dialog", name="Link: Gap")
    await stands_at(dialog, "code")
    async with person.api() as http:
        await network.phones.scan(await network.person(), await code_of(person, session))
        await in_status(http, session, "CONNECTED")
    await stands_at(dialog, "code")
    stream = silent.get_nowait()
    silent.put_nowait(stream)
    stream.send('{"type":"ping","cursor":"1f2e3d-7"}')  # a cursor of another log: the server answers it with a gap
    await stream.close(code=1012)
    await has_told(signed_in, "The device is connected")
    await expect(dialog).to_be_hidden()


async def test_a_failure_that_was_asked_for_before_does_not_take_the_codes_place(
    signed_in: Page, person: Person
) -> None:
    late = asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await late.wait()
        await route.fulfill(response=answer)

    await signed_in.route("**/qr?wait=20", answer_late)
    session = await opened(signed_in, person, "Late", proxy=DEAD)
    dialog = signed_in.get_by_role("dialog", name="Link: Late")
    await stands_at(dialog, "reaching", failed=True)
    await expect(dialog.get_by_text(UNREACHED["en"])).to_be_visible()
    await proxied(person, session, None)
    await stands_at(dialog, "code")
    async with signed_in.expect_response("**/qr?wait=20") as answered:
        late.set()
    await (await answered.value).finished()
    await signed_in.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    await stands_at(dialog, "code")
    await expect(dialog.get_by_role("img", name="QR code")).to_be_visible()


@pytest.mark.parametrize(
    ("fault", "said", "retry"),
    [
        pytest.param(
            {"code": 402, "banCode": 101, "expireS": 3600},
            "WhatsApp has banned this number: it wrote to too many people.",
            False,
            id="banned",
        ),
        pytest.param({"code": 405}, "its operator has to update it.", True, id="outdated"),
        pytest.param({"code": 401}, "The phone has ended the link.", True, id="unlinked"),
    ],
)
async def test_a_link_that_ends_after_the_scan_says_why(
    signed_in: Page, person: Person, network: Network, fault: dict[str, int], said: str, retry: bool
) -> None:
    session = await opened(signed_in, person, "Ends")
    dialog = signed_in.get_by_role("dialog", name="Link: Ends")
    await stands_at(dialog, "code")
    number = await network.person()
    await network.fault(kind="loginFailure", phone=number, **fault)
    try:
        await network.phones.scan(number, await code_of(person, session))
        await stands_at(dialog, "keys", failed=True)
    finally:
        await network.mended()
    await expect(dialog.get_by_role("status").filter(has_text=said)).to_be_visible()
    await expect(dialog.get_by_role("button", name="Retry")).to_be_visible(visible=retry)
    await expect(dialog.get_by_role("img", name="QR code")).to_be_hidden()


async def test_a_code_that_is_typed_on_the_phone_leads_through_the_same_stages(
    signed_in: Page, person: Person, network: Network
) -> None:
    await opened(signed_in, person, "Typed")
    dialog = signed_in.get_by_role("dialog", name="Link: Typed")
    number = await network.person()
    await dialog.get_by_role("tab", name="By number").click()
    await dialog.locator("[name=phone]").fill(number)
    await dialog.get_by_role("button", name="Get a code").click()
    code = await dialog.locator("[data-pair-code]:not([hidden]) [data-code]").inner_text()
    await stands_at(dialog, "code")
    await network.fault(kind="loginFailure", code=503, phone=number)
    try:
        await network.called("POST", f"/phones/{number}/scan", json={"pairCode": code})
        await stands_at(dialog, "keys")
    finally:
        await network.mended()
    await has_told(signed_in, "The device is connected")


async def test_the_passkey_stands_in_the_same_stages(signed_in: Page, person: Person, network: Network) -> None:
    await signed_in.set_viewport_size(PHONE)
    async with asked(signed_in, person, network) as (dialog, _):
        await stands_at(dialog, "scanned")
        await fits(signed_in, dialog)
        await dialog.get_by_role("button", name="Begin again with a new code").click()
        await stands_at(dialog, "code")
