"""The passkey's help: a person answers WhatsApp's challenge step by step, and the device is linked."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import BrowserContext, Dialog, Locator, Page, Route, expect

from tests.browser.people import DEVICES, Person, has_told, visit
from tests.browser.test_devices import card
from tests.browser.test_pages import faults
from tests.e2e.handsets import Network, qr_code
from tests.e2e.wire import BASE

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
WHATSAPP = "https://web.whatsapp.com"
SOON_MS = 15_000
"""Sooner than a dialog that asks for a code alone would hear of the passkey: that takes 20 s."""


@asynccontextmanager
async def asked(page: Page, person: Person, network: Network) -> AsyncGenerator[tuple[Locator, str]]:
    """The link dialog once a phone with a passkey has scanned: the dialog, and the phone's number."""
    number = await network.person("Pak Budi")
    async with person.api() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": "Guarded"})).json()["session"]["id"]
        await visit(page, person, DEVICES)
        await card(page, "Guarded").get_by_role("button", name="Link").click()
        dialog = page.get_by_role("dialog", name="Link: Guarded")
        await expect(dialog.get_by_role("img", name="QR code")).to_be_visible()
        code = await qr_code(http, session)
        await network.fault(kind="passkey", phone=number)
        scanning = asyncio.create_task(network.called("POST", f"/phones/{number}/scan", json={"qr": code}))
    try:
        await expect(dialog.get_by_text("WhatsApp asks for your passkey")).to_be_visible()
        yield dialog, number
    finally:
        scanning.cancel()
        await asyncio.gather(scanning, return_exceptions=True)
        await network.mended()


async def line_of(dialog: Locator, context: BrowserContext) -> str:
    """What a person is told to paste."""
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await dialog.get_by_role("button", name="Copy the line").click()
    await has_told(dialog.page, "Copied")
    line: str = await dialog.page.evaluate("navigator.clipboard.readText()")
    return line


def challenge_in(line: str) -> dict[str, Any]:
    """WhatsApp's challenge, as it stands in the line."""
    start = line.index("FromJSON(") + len("FromJSON(")
    options, _ = json.JSONDecoder().raw_decode(line[start:])
    return dict(options)


async def answer(network: Network, number: str, challenge: dict[str, Any]) -> str:
    """What the passkey of this person says."""
    said = await network.called("POST", f"/phones/{number}/passkey", json={"challenge": challenge["challenge"]})
    return json.dumps(said)


async def hand_over(dialog: Locator, text: str) -> None:
    """Paste an answer and give it to WhatsApp."""
    await dialog.get_by_label("The passkey's answer").fill(text)
    await dialog.get_by_role("button", name="Hand it to WhatsApp").click()


async def test_an_answered_passkey_links_the_device_and_closes_the_dialog(
    signed_in: Page, context: BrowserContext, person: Person, network: Network
) -> None:
    async with asked(signed_in, person, network) as (dialog, number):
        await expect(dialog.get_by_role("link", name=WHATSAPP)).to_have_attribute("href", WHATSAPP)
        assert await faults(signed_in) == []
        challenge = challenge_in(await line_of(dialog, context))
        await hand_over(dialog, '{"id": "cut off')
        await expect(signed_in.get_by_role("alert").filter(has_text="not the whole answer")).to_be_visible()
        await hand_over(dialog, await answer(network, number, challenge))
        await has_told(signed_in, "The device is connected")
        await expect(dialog).to_be_hidden()
        await expect(card(signed_in, "Guarded").get_by_text("Connected", exact=True)).to_be_visible()


async def test_the_line_asks_a_passkey_on_whatsapps_own_page_and_what_is_refused_may_be_given_anew(
    signed_in: Page, context: BrowserContext, person: Person, network: Network
) -> None:
    async with asked(signed_in, person, network) as (dialog, number):
        line = await line_of(dialog, context)
        challenge = challenge_in(line)
        said = json.loads(await answered_by_browser(context, line, challenge["allowCredentials"][0]["id"]))
        seen = json.loads(base64.urlsafe_b64decode(said["response"]["clientDataJSON"] + "=="))
        assert (seen["type"], seen["challenge"], seen["origin"]) == ("webauthn.get", challenge["challenge"], WHATSAPP)
        await hand_over(dialog, json.dumps(said))  # of the right form, but signed by a key that is not the phone's
        await expect(dialog.get_by_text("WhatsApp did not take that answer")).to_be_visible()
        await hand_over(dialog, await answer(network, number, challenge))
        await has_told(signed_in, "The device is connected")


async def answered_by_browser(context: BrowserContext, line: str, credential: str) -> str:
    """What the line shows on a page at WhatsApp's address, in a browser with a passkey of this id."""
    page = await context.new_page()
    await page.route("**/*", lambda route: route.fulfill(body="<title>WhatsApp</title>", content_type="text/html"))
    await page.goto(WHATSAPP)
    await give_passkey(context, page, credential)
    shown: list[str] = []

    async def close(dialog: Dialog) -> None:
        shown.append(dialog.default_value or dialog.message)
        await dialog.dismiss()

    page.on("dialog", close)
    await page.evaluate(line)
    [text] = shown
    return text


async def give_passkey(context: BrowserContext, page: Page, credential: str) -> None:
    """An authenticator with one key for WhatsApp, and a person who consents."""
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    cdp = await context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    kind = {"protocol": "ctap2", "transport": "internal", "hasUserVerification": True, "isUserVerified": True}
    made = cast("dict[str, Any]", await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": kind}))
    kept = {
        "credentialId": base64.b64encode(base64.urlsafe_b64decode(credential + "==")).decode(),
        "isResidentCredential": False,
        "rpId": "whatsapp.com",
        "privateKey": base64.b64encode(key).decode(),
        "signCount": 0,
    }
    await cdp.send("WebAuthn.addCredential", {"authenticatorId": made["authenticatorId"], "credential": kept})


async def test_the_step_is_there_again_when_the_dialog_is_opened_anew_and_is_left_for_another_code(
    signed_in: Page, person: Person, network: Network
) -> None:
    async with asked(signed_in, person, network) as (dialog, _):
        await dialog.get_by_role("button", name="Close").click()
        await card(signed_in, "Guarded").get_by_role("button", name="Link").click()
        await expect(dialog.get_by_role("button", name="Copy the line")).to_be_visible(timeout=SOON_MS)
        await expect(dialog.get_by_text(" left")).to_be_visible()
        await dialog.get_by_role("button", name="Begin again with a new code").click()
        await expect(dialog.get_by_role("img", name="QR code")).to_be_visible()


async def test_a_code_that_was_asked_for_before_does_not_take_the_passkeys_place(
    signed_in: Page, person: Person, network: Network
) -> None:
    late = asyncio.Event()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch()
        await late.wait()
        await route.fulfill(response=answer)

    await signed_in.route("**/qr?wait=20", answer_late)
    async with asked(signed_in, person, network) as (dialog, _):
        async with signed_in.expect_response("**/qr?wait=20") as answered:
            late.set()
        await (await answered.value).finished()
        await signed_in.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        await expect(dialog.get_by_role("img", name="QR code")).to_be_hidden()
        await expect(dialog.get_by_text("WhatsApp asks for your passkey")).to_be_visible()
