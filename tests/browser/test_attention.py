"""What of the account needs attention, on the overview, with the click that mends it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from tests.browser.books import METERED, granted, subscribed
from tests.browser.people import OVERVIEW, Person, sign_in, visit
from tests.e2e.tenants import make_tenant
from tests.e2e.wire import BASE
from tests.receiver import receiver, refusing, taken
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]


async def test_a_webhook_that_was_disabled_is_told_and_switched_on_by_one_click(
    signed_in: Page, person: Person
) -> None:
    async with receiver() as endpoint, person.api() as http:
        endpoint.answers["/hook"] = refusing(410)
        body = {"url": endpoint.url("/hook"), "description": "Desk"}
        webhook = (await http.post(f"{BASE}/webhooks", json=body)).json()["data"]["id"]
        await http.post(f"{BASE}/sessions", json={"name": "Counter"})
        concern = signed_in.locator("[data-concern]")
        await expect(concern).to_contain_text("gone for good (410)")
        endpoint.answers["/hook"] = taken
        await concern.get_by_role("button", name="Switch on").click()
        await expect(concern).to_have_count(0)
        assert (await http.get(f"{BASE}/webhooks/{webhook}")).json()["data"]["status"] == "working"


async def test_a_failing_webhook_leads_to_its_page(signed_in: Page, person: Person) -> None:
    async with receiver() as endpoint, person.api() as http:
        endpoint.answers["/hook"] = refusing(500)
        await http.post(f"{BASE}/webhooks", json={"url": endpoint.url("/hook"), "description": "Desk"})
        await http.post(f"{BASE}/sessions", json={"name": "Counter"})
        await endpoint.until(lambda: bool(endpoint.of("/hook")))
        await visit(signed_in, person, f"{OVERVIEW}/webhooks")
        await expect(signed_in.get_by_text("Failing", exact=True)).to_be_visible()
        await visit(signed_in, person, OVERVIEW)
        await signed_in.locator("[data-concern]").get_by_role("link", name="Look").click()
        await expect(signed_in.get_by_role("heading", name="Desk")).to_be_visible()


@pytest.mark.parametrize(
    ("ends_in", "words"),
    [(timedelta(days=2), "Toko ends"), (-timedelta(hours=1), "No subscription is active")],
    ids=["ending", "ended"],
)
async def test_the_end_of_a_subscription_leads_to_the_plans(
    page: Page, browsed_stack: RunningStack, ends_in: timedelta, words: str
) -> None:
    person = Person(tenant=await make_tenant(browsed_stack, max_sessions=None))
    await subscribed(browsed_stack, person, ends_in=ends_in)
    await sign_in(page, person)
    await expect(page.locator("[data-concern]")).to_contain_text(words)
    await page.get_by_role("link", name="Renew").click()
    await expect(page).to_have_url(person.at(f"{OVERVIEW}/plan"))


async def test_credits_that_are_used_up_are_told_until_there_are_some(page: Page, browsed_stack: RunningStack) -> None:
    person = Person(tenant=await make_tenant(browsed_stack, allowance=METERED))
    await sign_in(page, person)
    await expect(page.locator("[data-concern]")).to_contain_text("No credits are left")
    await granted(browsed_stack, person, 100)
    await expect(page.locator("[data-concern]")).to_have_count(0)
