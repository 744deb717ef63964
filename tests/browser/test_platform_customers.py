"""Customers, plans and payments as the platform's administrator keeps them."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from libs.contracts.ids import new_id
from tests.browser import books
from tests.browser.operators import administrator, go
from tests.browser.people import Person, has_told
from tests.e2e.tenants import client
from tests.e2e.wire import BASE
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
CUSTOMERS = "/customers"


@pytest_asyncio.fixture(loop_scope="package")
async def desk(page: Page, browsed_stack: RunningStack) -> Page:
    """The list of customers, in front of the administrator."""
    await go(page, administrator(browsed_stack), CUSTOMERS)
    return page


@pytest_asyncio.fixture(loop_scope="package")
async def dossier(page: Page, browsed_stack: RunningStack, person: Person) -> Page:
    """The page of one customer, in front of the administrator."""
    await go(page, administrator(browsed_stack), f"{CUSTOMERS}/{person.tenant.customer_id}")
    return page


async def done(page: Page, sentence: str) -> None:
    """Wait until the API has answered: a page that is read anew may show a change a moment before."""
    await has_told(page, sentence)


async def test_a_customer_is_created_and_its_owner_signs_in_with_the_password_shown(
    desk: Page, browsed_stack: RunningStack
) -> None:
    email = f"{new_id('x')}@example.com"
    await desk.get_by_role("button", name="New customer").click()
    dialog = desk.get_by_role("dialog", name="New customer")
    await dialog.get_by_label("Name", exact=True).fill("Kopi Tugu")
    await dialog.get_by_label("E-mail address").fill(email)
    await dialog.get_by_role("button", name="Create the customer").click()
    shown = desk.get_by_role("dialog", name="Shown this once")
    await expect(shown).to_contain_text(email)
    password = await shown.locator("#made-password").inner_text()
    async with client(browsed_stack.url) as http:
        answer = await http.post("/api/auth/signin", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    await shown.get_by_role("link", name="Open the customer").click()
    await expect(desk.get_by_role("heading", name="Kopi Tugu", exact=True)).to_be_visible()
    assert password not in await desk.content()


async def test_a_customer_is_found_by_its_name(desk: Page, browsed_stack: RunningStack) -> None:
    name = f"Zamrud {new_id('x')}"
    async with await books.operator(browsed_stack) as http:
        body = {"name": name, "email": f"{new_id('x')}@example.com"}
        made = (await http.post("/api/platform/customers", json=body)).json()["data"]["customer"]["id"]
    await desk.get_by_role("searchbox").fill(name.lower())
    await desk.get_by_role("button", name="Find").click()
    await expect(desk.locator("[data-customer]")).to_have_count(1)
    await expect(desk.locator(f"[data-customer={made}]")).to_contain_text("No plan")


async def test_a_customer_is_subscribed_and_its_subscription_extended_and_ended(
    dossier: Page, browsed_stack: RunningStack, person: Person
) -> None:
    plan = await books.offered(browsed_stack, f"Toko {new_id('x')}")
    await dossier.reload()
    await dossier.get_by_role("button", name="Subscribe").click()
    dialog = dossier.get_by_role("dialog", name="Subscribe the customer")
    await dialog.locator("[name=planId]").select_option(plan.id)
    await dialog.get_by_role("button", name="Subscribe").click()
    row = dossier.locator("[data-subscription=ACTIVE]").filter(has_text=plan.name)
    span = await row.locator("p.quiet").inner_text()
    await row.get_by_role("button", name="Extend").click()
    await dossier.get_by_role("dialog", name="Extend the subscription").get_by_role("button", name="Extend").click()
    await expect(row.locator("p.quiet")).not_to_have_text(span)
    async with person.api() as http:
        assert (await http.get(f"{BASE}/subscription")).json()["subscription"]["packageName"] == plan.name
    await row.get_by_role("button", name="End", exact=True).click()
    await dossier.get_by_role("dialog").get_by_role("button", name="End it now").click()
    await expect(row).to_have_count(0)
    await done(dossier, "The subscription has ended.")
    async with person.api() as http:
        assert not (await http.get(f"{BASE}/subscription")).json()["data"]["hasActiveSubscription"]


async def test_credits_are_topped_up_given_and_corrected(dossier: Page) -> None:
    balance = dossier.locator("[data-balance]")
    for reason, amount, left in (("Top-up", "500", "500"), ("Gift", "50", "550"), ("Correction", "-100", "450")):
        await dossier.get_by_role("button", name="Add credits").click()
        dialog = dossier.get_by_role("dialog", name="Change the credits")
        await dialog.get_by_role("radio", name=reason).check()
        await dialog.get_by_label("Credits", exact=True).fill(amount)
        paid = dialog.get_by_label("Amount paid")
        if reason == "Top-up":
            await paid.fill("75000")
        else:
            await expect(paid).to_be_hidden()
        await dialog.get_by_role("button", name="Book").click()
        await expect(balance).to_have_text(left)
    await expect(dossier.locator("[data-entry]")).to_have_count(3)
    await expect(dossier.get_by_role("region", name="Payments")).to_contain_text("IDR 75,000")


async def test_a_suspended_customer_is_refused_until_it_is_resumed(dossier: Page, person: Person) -> None:
    await dossier.get_by_role("button", name="Suspend").click()
    dialog = dossier.get_by_role("dialog", name="Suspend the customer")
    await dialog.get_by_label("Reason").fill("Complaints of recipients")
    await dialog.get_by_role("button", name="Suspend").click()
    await expect(dossier.locator("main").get_by_role("status")).to_contain_text("Complaints of recipients")
    await done(dossier, "The customer is suspended.")
    async with person.api() as http:
        assert (await http.get(f"{BASE}/sessions")).json()["error"] == "CUSTOMER_SUSPENDED"
        await dossier.get_by_role("button", name="Resume").click()
        await expect(dossier.get_by_role("button", name="Suspend")).to_be_visible()
        await done(dossier, "The customer goes on.")
        assert (await http.get(f"{BASE}/sessions")).status_code == 200


async def test_a_user_gets_a_new_password_that_is_shown_once(dossier: Page, person: Person) -> None:
    await dossier.get_by_label("More for Owner").click()
    await dossier.get_by_role("button", name="New password").click()
    await dossier.get_by_role("button", name="Make a new password").click()
    shown = dossier.get_by_role("dialog", name="Shown this once")
    password = await shown.locator("#made-password").inner_text()
    async with client(person.tenant.url) as http:
        body = {"email": person.tenant.email, "password": password}
        assert (await http.post("/api/auth/signin", json=body)).status_code == 200
    await shown.get_by_role("button", name="Close").click()
    await dossier.reload()
    assert password not in await dossier.content()


async def test_a_plan_is_written_changed_and_retired(page: Page, browsed_stack: RunningStack) -> None:
    name = f"Kios {new_id('x')}"
    await go(page, administrator(browsed_stack), "/plans/new")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Price of a cycle").fill("125000")
    await page.get_by_label("Devices").fill("3")
    await page.get_by_label("Features").fill("Support by chat\n\nTwo users")
    await page.get_by_role("checkbox", name="Messages cost credits").check()
    await page.get_by_label("Image").fill("4")
    await page.get_by_role("button", name="Create the plan").click()
    card = page.locator(f"[data-plan='{name}']")
    for line in ("IDR 125,000", "3 devices", "Any number of messages", "Messages cost credits", "Two users"):
        await expect(card).to_contain_text(line)
    await card.get_by_role("link", name="Change").click()
    await expect(page.get_by_label("Image")).to_have_value("4")
    await page.get_by_label("Messages a month").fill("20000")
    await page.get_by_role("checkbox", name="Messages cost credits").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("20,000 messages a month")
    await expect(card).not_to_contain_text("Messages cost credits")
    await card.get_by_role("button", name="Retire").click()
    await expect(card).to_contain_text("Retired")


async def test_a_payment_that_waits_is_confirmed_and_what_was_asked_for_begins(
    page: Page, browsed_stack: RunningStack, person: Person
) -> None:
    plan = await books.offered(browsed_stack, f"Pasar {new_id('x')}")
    async with person.api() as http:
        assert (await http.post(f"{BASE}/purchases", json={"planId": plan.id})).is_success
    await go(page, administrator(browsed_stack), f"/payments?customer={person.tenant.customer_id}")
    row = page.locator("[data-payment]").filter(has_text=plan.name)
    await row.get_by_role("button", name="Confirm").click()
    dialog = page.get_by_role("dialog", name="Confirm the payment")
    await expect(dialog).to_contain_text("IDR 250,000")
    await dialog.get_by_label("Note").fill("BCA 4711")
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(row.get_by_text("Paid", exact=True).first).to_be_visible()
    await done(page, "The payment is confirmed.")
    await row.get_by_text("History").click()
    await expect(row).to_contain_text("BCA 4711")
    async with person.api() as http:
        assert (await http.get(f"{BASE}/subscription")).json()["subscription"]["packageName"] == plan.name


async def test_what_is_refused_is_told_with_the_words_of_the_api(desk: Page, person: Person) -> None:
    await desk.get_by_role("button", name="New customer").click()
    dialog = desk.get_by_role("dialog", name="New customer")
    await dialog.get_by_label("Name", exact=True).fill("Twice")
    await dialog.get_by_label("E-mail address").fill(person.tenant.email)
    await dialog.get_by_role("button", name="Create the customer").click()
    await expect(desk.get_by_role("alert")).to_contain_text("The request is not valid")
    await expect(dialog).to_be_visible()
