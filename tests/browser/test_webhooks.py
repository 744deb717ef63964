"""Webhooks: made, tested, changed, watched, and put right again, on their pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser.people import OVERVIEW, Person, member_of, sign_in, visit
from tests.browser.test_pages import LONG, PHONE, faults
from tests.e2e.wire import BASE
from tests.receiver import Receiver, Request, receiver, refusing, taken

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
WEBHOOKS = f"{OVERVIEW}/webhooks"


@pytest_asyncio.fixture(loop_scope="package")
async def endpoint() -> AsyncIterator[Receiver]:
    """A program of the customer's that takes deliveries."""
    async with receiver() as made:
        yield made


async def made(person: Person, endpoint: Receiver, **fields: Any) -> str:
    """A webhook of this person; its id."""
    async with person.api() as http:
        answer = await http.post(f"{BASE}/webhooks", json={"url": endpoint.url("/hook"), **fields})
        return str(answer.json()["data"]["id"])


async def told(person: Person, webhook: str) -> dict[str, Any]:
    """The webhook as the API tells it."""
    async with person.api() as http:
        found: dict[str, Any] = (await http.get(f"{BASE}/webhooks/{webhook}")).json()["data"]
    return found


async def something_happens(person: Person, name: str = "Counter") -> str:
    """A frame: a device is made; its id."""
    async with person.api() as http:
        return str((await http.post(f"{BASE}/sessions", json={"name": name})).json()["session"]["id"])


def place(request: Request) -> int:
    """Where the frame that was posted stands in the log of all."""
    return int(request.frame["cursor"].partition("-")[2])


def row(page: Page, webhook: str) -> Locator:
    """The webhook in the list."""
    return page.locator(f"[data-webhook='{webhook}']")


async def test_a_webhook_is_made_and_its_secret_shown_once_verifies_what_comes(
    signed_in: Page, person: Person, endpoint: Receiver
) -> None:
    page = signed_in
    await visit(page, person, WEBHOOKS)
    await page.get_by_role("link", name="Make the first webhook").click()
    await page.get_by_label("Address").fill(endpoint.url("/hook"))
    await page.get_by_label("Name", exact=True).fill("Order desk")
    await page.get_by_role("button", name="Make the webhook").click()
    field = page.get_by_role("dialog").get_by_label("Its secret")
    await expect(field).to_have_value(re.compile(r"^whsec_.{40,}"))
    secret = await field.input_value()
    await page.get_by_role("button", name="I have kept it").click()
    await expect(page.get_by_role("heading", name="Order desk")).to_be_visible()
    assert secret not in await page.content()
    await expect(page.get_by_text("Nothing delivered yet", exact=True)).to_be_visible()
    await something_happens(person)
    await expect(page.locator("[data-delivery]").filter(has_text="session.created")).to_contain_text("Delivered")
    await expect(page.get_by_text("Working", exact=True)).to_be_visible()
    assert endpoint.of("/hook")
    endpoint.verify(secret, "/hook")


async def test_a_test_tells_what_the_endpoint_answered(signed_in: Page, person: Person, endpoint: Receiver) -> None:
    webhook = await made(person, endpoint)
    endpoint.answers["/hook"] = refusing(503)
    await visit(signed_in, person, WEBHOOKS)
    tried = signed_in.get_by_role("dialog", name="What the endpoint answered")
    await row(signed_in, webhook).get_by_role("button", name="Test").click()
    await expect(tried).to_contain_text("The endpoint did not take it: the endpoint answered 503.")
    await tried.get_by_role("button", name="Close").click()
    endpoint.answers["/hook"] = taken
    await row(signed_in, webhook).get_by_role("button", name="Test").click()
    await expect(tried).to_contain_text("The endpoint has taken it.")
    await expect(tried.locator("pre")).to_have_text("ok")


async def test_a_webhook_is_switched_off_and_on(signed_in: Page, person: Person, endpoint: Receiver) -> None:
    webhook = await made(person, endpoint, description="Desk")
    await visit(signed_in, person, WEBHOOKS)
    switch = signed_in.get_by_role("checkbox", name="Desk: active")
    await switch.uncheck()
    await expect(row(signed_in, webhook).get_by_text("Off", exact=True)).to_be_visible()
    assert not (await told(person, webhook))["enabled"]
    await switch.check()
    await expect(row(signed_in, webhook).get_by_text("Nothing delivered yet", exact=True)).to_be_visible()
    assert (await told(person, webhook))["enabled"]


async def test_a_change_changes_what_was_changed(signed_in: Page, person: Person, endpoint: Receiver) -> None:
    webhook = await made(person, endpoint, description="Desk", events=["*.failed"])
    session = await something_happens(person, "Counter")
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}/change")
    await signed_in.get_by_label("Name", exact=True).fill("")
    await signed_in.get_by_label("message.received").check()
    await signed_in.get_by_label("Every device").uncheck()
    await signed_in.get_by_label("Counter").check()
    await signed_in.get_by_label("One after the other").uncheck()
    await signed_in.get_by_role("button", name="Save").click()
    await expect(signed_in).to_have_url(person.at(f"{WEBHOOKS}/{webhook}"))
    now = await told(person, webhook)
    assert (now["description"], now["sessions"], now["ordered"]) == ("", [session], False)
    assert sorted(now["events"]) == ["*.failed", "message.received"]
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}/change")
    await signed_in.get_by_label("Every event").check()
    await signed_in.get_by_label("Every device").check()
    await signed_in.get_by_role("button", name="Save").click()
    await expect(signed_in).to_have_url(person.at(f"{WEBHOOKS}/{webhook}"))
    now = await told(person, webhook)
    assert (now["events"], now["sessions"]) == ([], None)


async def test_a_choice_of_nothing_is_no_choice(signed_in: Page, person: Person, endpoint: Receiver) -> None:
    await visit(signed_in, person, f"{WEBHOOKS}/new")
    await signed_in.get_by_label("Address").fill(endpoint.url())
    await signed_in.get_by_label("Every event").uncheck()
    await signed_in.get_by_role("button", name="Make the webhook").click()
    await expect(signed_in.get_by_role("alert")).to_have_text("Choose at least one event, or every event.")


async def test_what_the_api_refuses_is_told_and_what_was_typed_stays(signed_in: Page, person: Person) -> None:
    await visit(signed_in, person, f"{WEBHOOKS}/new")
    await signed_in.get_by_label("Address").fill("http://169.254.169.254/")
    await signed_in.get_by_role("button", name="Make the webhook").click()
    await expect(signed_in.get_by_role("alert")).to_contain_text("the address is refused")
    await expect(signed_in.get_by_label("Address")).to_have_value("http://169.254.169.254/")


async def test_a_delivery_that_failed_is_read_and_sent_again(
    signed_in: Page, person: Person, endpoint: Receiver
) -> None:
    webhook = await made(person, endpoint)
    endpoint.answers["/hook"] = refusing(500)
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}")
    await something_happens(person)
    log = signed_in.locator("[data-delivery]").filter(has_text="session.created")
    await expect(log).to_contain_text("the endpoint answered 500")
    await expect(signed_in.locator("h1 ~ .badge")).to_have_text("Failing")
    await log.get_by_role("link").click()
    await expect(signed_in.locator("pre").first).to_contain_text('"type": "session.created"')
    await expect(signed_in.locator("[data-attempt]").first).to_contain_text("500")
    await expect(signed_in.locator("[data-attempt] pre").first).to_have_text("no")
    endpoint.answers["/hook"] = taken
    await signed_in.get_by_role("button", name="Send again").click()
    await expect(signed_in.locator("h1 ~ .badge")).to_have_text("Delivered")
    await expect(signed_in.locator("[data-attempt]").first).to_contain_text("200")


async def test_what_was_sent_is_replayed_from_a_time_and_from_a_delivery_on(
    signed_in: Page, person: Person, endpoint: Receiver
) -> None:
    webhook = await made(person, endpoint, events=["session.created"])
    for name in ("First", "Second"):
        await something_happens(person, name)
    await endpoint.until(lambda: len(endpoint.of("/hook")) == 2)
    first, second = (request.id for request in sorted(endpoint.of("/hook"), key=place))
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}")
    await signed_in.get_by_role("button", name="Replay").click()
    await signed_in.get_by_role("dialog").get_by_role("button", name="Send it again").click()
    await endpoint.until(lambda: len(endpoint.of("/hook")) == 4)
    assert sorted(request.id for request in endpoint.of("/hook")) == sorted([first, first, second, second])
    await signed_in.locator(f"[data-delivery='{webhook}.{second}']").get_by_role("link").click()
    await signed_in.get_by_role("button", name="Replay from here").click()
    await signed_in.get_by_role("dialog").get_by_role("button", name="Send it again").click()
    await endpoint.until(lambda: len(endpoint.of("/hook")) == 5)
    assert endpoint.of("/hook")[-1].id == second


async def test_deliveries_are_shown_by_their_state(signed_in: Page, person: Person, endpoint: Receiver) -> None:
    webhook = await made(person, endpoint)
    await something_happens(person)
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}")
    await expect(signed_in.locator("[data-delivery]")).not_to_have_count(0)
    await signed_in.get_by_role("link", name="Failed", exact=True).click()
    await expect(signed_in.get_by_text("None is in this state.")).to_be_visible()


async def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(
    signed_in: Page, person: Person, endpoint: Receiver
) -> None:
    webhook = await made(person, endpoint)
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}")
    await signed_in.get_by_role("button", name="New secret").click()
    await signed_in.get_by_role("dialog").get_by_role("button", name="New secret").click()
    field = signed_in.locator("#secret-value")
    await expect(field).to_have_value(re.compile("^whsec_"))
    await signed_in.get_by_role("button", name="I have kept it").click()
    await expect(field).to_have_value("")
    await expect(signed_in.get_by_text("The secret was replaced")).to_be_visible()


async def test_a_webhook_is_deleted_after_a_question(signed_in: Page, person: Person, endpoint: Receiver) -> None:
    webhook = await made(person, endpoint, description="Desk")
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}")
    await signed_in.get_by_role("button", name="Delete", exact=True).click()
    await signed_in.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    await expect(signed_in.get_by_text("No webhook yet")).to_be_visible()


async def test_a_member_sees_no_webhooks(page: Page, person: Person) -> None:
    member = await member_of(person)
    await sign_in(page, member)
    menu = page.get_by_role("navigation", name="Main menu")
    await expect(menu.get_by_role("link", name="Devices")).to_be_visible()
    await expect(menu.get_by_role("link", name="Webhooks")).to_have_count(0)
    await page.goto(member.at(WEBHOOKS))
    await expect(page.get_by_role("alert")).to_contain_text("webhooks")


async def test_the_pages_of_a_webhook_keep_nobody_out_and_fit_a_phone(
    signed_in: Page, person: Person, endpoint: Receiver
) -> None:
    endpoint.answers["/hook"] = refusing(500)
    webhook = await made(person, endpoint, description=LONG, events=["message.*", "session.*", "credits.low"])
    await something_happens(person, LONG)
    await visit(signed_in, person, f"{WEBHOOKS}/{webhook}")
    delivery = signed_in.locator("[data-delivery]").filter(has_text="500").first
    await expect(delivery).to_be_visible()
    log = await delivery.get_by_role("link").get_attribute("href")
    await signed_in.set_viewport_size(PHONE)
    for path in (f"{WEBHOOKS}/{webhook}", f"{WEBHOOKS}/{webhook}/change", str(log)):
        for theme in ("light", "dark"):
            await signed_in.emulate_media(color_scheme=theme)
            await visit(signed_in, person, path)
            assert await faults(signed_in) == [], path
        assert await signed_in.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
