"""Plan and credits: what is used, asked for, paid, given and spent, as it happens."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.books import METERED, granted, many_entries, offered, operator
from tests.browser.people import OVERVIEW, Person, device, member_of, sign_in, visit
from tests.e2e.handsets import Network
from tests.e2e.tenants import make_tenant, pay
from tests.e2e.wire import BASE
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
PLAN = f"{OVERVIEW}/plan"


@pytest_asyncio.fixture(loop_scope="package")
async def person(browsed_stack: RunningStack) -> Person:
    """A customer whose messages cost credits."""
    return Person(tenant=await make_tenant(browsed_stack, allowance=METERED))


async def test_what_is_used_of_the_plan_is_shown_as_it_is_used(signed_in: Page, person: Person) -> None:
    await visit(signed_in, person, PLAN)
    await expect(signed_in.get_by_text("0 of 3", exact=True)).to_be_visible()
    await expect(signed_in.get_by_text("0 of 1,000", exact=True)).to_be_visible()
    async with person.api() as http:
        await http.post(f"{BASE}/sessions", json={"name": "Counter"})
    await expect(signed_in.get_by_text("1 of 3", exact=True)).to_be_visible()


async def test_a_plan_is_asked_for_and_begins_when_its_payment_is_confirmed(
    signed_in: Page, person: Person, browsed_stack: RunningStack
) -> None:
    plan = await offered(browsed_stack, "Toko Besar")
    await visit(signed_in, person, PLAN)
    await signed_in.locator(f"[data-plan={plan.id}]").get_by_role("button", name="Choose").click()
    dialog = signed_in.get_by_role("dialog", name="Ask for a plan: Toko Besar")
    await expect(dialog).to_contain_text("IDR 250,000")
    await dialog.get_by_label("Months").fill("3")
    await dialog.get_by_label("Note").fill("Transfer by Budi")
    await dialog.get_by_role("button", name="Ask for it").click()
    row = signed_in.locator("[data-payment]")
    await expect(row).to_contain_text("IDR 750,000")
    await expect(row).to_contain_text("Transfer by Budi")
    async with await operator(browsed_stack) as http:
        payment = await row.get_attribute("data-payment")
        assert (await http.post(f"/api/platform/transactions/{payment}/confirm")).is_success
    await expect(row).to_contain_text("Paid")
    await expect(signed_in.get_by_text("0 of 20,000", exact=True)).to_be_visible()


async def test_a_purchase_is_taken_back(signed_in: Page, person: Person, browsed_stack: RunningStack) -> None:
    plan = await offered(browsed_stack, "Toko Ragu")
    async with person.api() as http:
        await http.post(f"{BASE}/purchases", json={"planId": plan.id})
    await visit(signed_in, person, PLAN)
    await signed_in.get_by_role("button", name="Take back").click()
    await expect(signed_in.locator("[data-payment]")).to_contain_text("Cancelled")
    await expect(signed_in.get_by_role("button", name="Take back")).to_have_count(0)


async def test_credits_are_seen_to_come_and_to_go(
    signed_in: Page, person: Person, browsed_stack: RunningStack, network: Network
) -> None:
    await visit(signed_in, person, PLAN)
    await expect(signed_in.locator("[data-balance]")).to_have_text("0")
    await granted(browsed_stack, person, 1_000, reason="gift", note="Welcome")
    await expect(signed_in.locator("[data-balance]")).to_have_text("1,000")
    await expect(signed_in.locator("[data-entry]").first).to_contain_text("Welcome")
    session = await device(person, network)
    async with person.api() as http:
        body = {"type": "text", "to": await network.person(), "text": "Two credits"}
        await http.post(f"{BASE}/sessions/{session}/messages", json=body)
    await expect(signed_in.locator("[data-balance]")).to_have_text("998")
    await expect(signed_in.locator("[data-entry]").first).to_contain_text("Message sent")


async def test_a_threshold_is_set_and_taken_away(signed_in: Page, person: Person) -> None:
    await visit(signed_in, person, PLAN)
    for typed, threshold, shown in (("250", 250, "You are warned below 250."), ("", None, "when few are left")):
        await signed_in.get_by_role("button", name="Warn me").click()
        await signed_in.get_by_label("Below so many credits").fill(typed)
        await signed_in.get_by_role("button", name="Save").click()
        await expect(signed_in.get_by_text(shown)).to_be_visible()
        async with person.api() as http:
            assert (await http.get(f"{BASE}/credits")).json()["data"]["threshold"] == threshold


async def test_the_ledger_is_read_page_by_page_without_a_gap(
    signed_in: Page, person: Person, browsed_stack: RunningStack
) -> None:
    await many_entries(browsed_stack, person, 30)
    await visit(signed_in, person, PLAN)
    await expect(signed_in.locator("[data-entry]")).to_have_count(5)
    await signed_in.get_by_role("link", name="All of them").click()
    await expect(signed_in.locator("[data-entry]")).to_have_count(25)
    await signed_in.get_by_role("link", name="Older").click()
    await expect(signed_in.locator("[data-entry]")).to_have_count(5)
    await expect(signed_in.locator("[data-entry]").first).to_contain_text("Gift 5")


async def test_payments_are_found_by_their_state(signed_in: Page, person: Person, browsed_stack: RunningStack) -> None:
    for status in ("success", "failed"):
        await pay(browsed_stack, person.tenant, status)
    await visit(signed_in, person, f"{PLAN}/payments")
    await expect(signed_in.locator("[data-payment]")).to_have_count(2)
    await signed_in.get_by_role("link", name="Failed").click()
    await expect(signed_in.locator("[data-payment]")).to_have_count(1)
    await expect(signed_in.locator("[data-payment]")).to_contain_text("Paid with failed")


async def test_a_member_sees_the_plan_and_neither_credits_nor_buttons(
    page: Page, person: Person, browsed_stack: RunningStack
) -> None:
    plan = await offered(browsed_stack, "Toko Tetangga")
    member = await member_of(person)
    await sign_in(page, member)
    await visit(page, member, PLAN)
    await expect(page.locator(f"[data-plan={plan.id}]")).to_contain_text("Toko Tetangga")
    await expect(page.get_by_role("button", name="Choose")).to_have_count(0)
    await expect(page.locator("[data-balance]")).to_have_count(0)
    await page.goto(member.at(f"{PLAN}/credits"))
    await expect(page.get_by_role("alert")).to_contain_text("admin")
