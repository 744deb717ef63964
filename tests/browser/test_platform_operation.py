"""The platform at work as its own users see it: what needs them, every device, replicas, dead letters, the state."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from libs.contracts.ids import new_id
from libs.runtime.mongo import Database, database
from tests.browser import books
from tests.browser.operators import administrator, buried, go, supporter
from tests.browser.people import Person, device, has_told, sign_in
from tests.e2e.handsets import Network
from tests.e2e.wire import BASE
from tests.servers import client_of
from tests.stack import RunningStack

pytestmark = [pytest.mark.needs_browser, pytest.mark.needs_go]
PRETENDED = "pretended"
CHANGES = "main [data-call], main [data-dialog]"


@pytest_asyncio.fixture(loop_scope="package")
async def mongodb(browsed_stack: RunningStack) -> AsyncGenerator[Database]:
    """The database of the stack."""
    async with client_of(browsed_stack.ready.mongodb_url) as client:
        yield database(client)


@pytest_asyncio.fixture(loop_scope="package")
async def leases(mongodb: Database) -> AsyncGenerator[Any]:
    """The leases, with a service of which one replica is silent, and one shard is free."""
    row = {"service": PRETENDED, "epoch": 1, "beat": 5, "fit": True}
    await mongodb.leases.insert_many(
        [
            {**row, "_id": f"{PRETENDED}/replica/ghost", "shard": None, "owner": "ghost"},
            {**row, "_id": f"{PRETENDED}/00", "shard": 0, "owner": "ghost"},
            {**row, "_id": f"{PRETENDED}/01", "shard": 1, "owner": None},
        ]
    )
    yield mongodb.leases
    await mongodb.leases.delete_many({"service": PRETENDED})


async def test_the_overview_says_what_needs_somebody_and_leads_there(
    page: Page, browsed_stack: RunningStack, person: Person
) -> None:
    plan = await books.offered(browsed_stack, f"Ruko {new_id('x')}")
    async with person.api() as http:
        assert (await http.post(f"{BASE}/purchases", json={"planId": plan.id})).is_success
    await go(page, administrator(browsed_stack))
    attention = page.get_by_role("region", name="Needs attention")
    await attention.get_by_role("listitem").filter(has_text="wait to be confirmed").get_by_role("link").click()
    await expect(page.locator("[data-payment]").filter(has_text=plan.name)).to_be_visible()


async def test_every_device_is_seen_with_its_customer_and_its_replica_without_a_reload(
    page: Page, browsed_stack: RunningStack, person: Person, network: Network
) -> None:
    await go(page, administrator(browsed_stack), f"/sessions?customer={person.tenant.customer_id}")
    await expect(page.get_by_text("No devices", exact=True)).to_be_visible()
    session = await device(person, network, "Kasir")
    row = page.locator(f"[data-session='{session}']")
    await expect(row).to_contain_text("Kasir")
    await expect(row).to_contain_text("Tenant")
    await expect(row.locator("[data-status=connected]")).to_be_visible()
    await expect(row).not_to_contain_text("nobody")


async def test_every_shard_is_seen_with_the_replica_that_holds_it(page: Page, browsed_stack: RunningStack) -> None:
    await go(page, administrator(browsed_stack), "/replicas")
    for service in ("sender", "sessions/simulator", "status"):
        held = page.locator(f"[data-service='{service}']")
        await expect(held).to_contain_text("32 of 32 shards held")
        await expect(held.locator("[data-status=works]").first).to_be_visible()


async def test_a_silent_replica_and_a_free_shard_are_told_and_so_is_their_end(
    page: Page, browsed_stack: RunningStack, leases: Any
) -> None:
    await go(page, administrator(browsed_stack), "/replicas")
    service = page.locator(f"[data-service={PRETENDED}]")
    await expect(service.locator("[data-replica=ghost]").get_by_text("Silent")).to_be_visible()
    await expect(service).to_contain_text("1 of 2 shards held")
    await expect(service).to_contain_text("Held by nobody")
    await leases.update_one({"_id": f"{PRETENDED}/01"}, {"$set": {"owner": "ghost"}})
    await expect(service).to_contain_text("2 of 2 shards held")
    await expect(service).not_to_contain_text("Held by nobody")


async def test_a_dead_letter_is_read_redriven_and_dropped(page: Page, browsed_stack: RunningStack) -> None:
    first, second = [await buried(browsed_stack, f"ValueError('{name}')") for name in ("first", "second")]
    await buried(browsed_stack, "of another service", service="status")
    await go(page, administrator(browsed_stack), "/letters?service=sender")
    letters = page.locator("[data-letter]")
    for seq in (first, second):
        await expect(page.locator(f"[data-letter='{seq}']")).to_be_visible()
    await expect(letters.filter(has_text="of another service")).to_have_count(0)
    await letters.filter(has_text="ValueError('first')").get_by_role("link").click()
    await expect(page.get_by_role("region", name="What it says")).to_contain_text("ReconcileSession")
    await expect(page.get_by_role("region", name="Earlier deaths")).to_contain_text("the first time")
    await page.get_by_role("button", name="Redrive").click()
    await has_told(page, "It is on its way again.")
    await expect(page.locator(f"[data-letter='{first}']")).to_have_count(0)
    await page.locator(f"[data-letter='{second}']").get_by_role("button", name="Drop").click()
    dialog = page.get_by_role("dialog", name="Drop the dead letter")
    await expect(dialog).to_contain_text("ValueError('second')")
    await dialog.get_by_role("button", name="Drop for good").click()
    await expect(page.locator(f"[data-letter='{second}']")).to_have_count(0)
    await expect(letters.filter(has_text="of another service").first).to_be_visible()


async def test_all_dead_letters_of_a_service_are_redriven_at_once(page: Page, browsed_stack: RunningStack) -> None:
    for number in range(3):
        await buried(browsed_stack, f"again {number}", service="sessions.simulator")
    await go(page, administrator(browsed_stack), "/letters?service=sessions%2Fsimulator")
    await expect(page.locator("[data-letter]")).to_have_count(3)
    await page.get_by_role("button", name="Redrive those of sessions/simulator").click()
    await has_told(page, "3 messages are on their way again")
    await expect(page.get_by_text("No dead letters")).to_be_visible()


async def test_the_state_of_nats_and_mongodb_is_shown(page: Page, browsed_stack: RunningStack) -> None:
    await go(page, administrator(browsed_stack), "/state")
    for part, row in (("nats", "[data-stream=COMMANDS]"), ("mongodb", "[data-collection=customers]")):
        shown = page.locator(f"[data-part={part}]")
        await expect(shown.locator("[data-status=well]")).to_be_visible()
        await expect(shown.locator(row)).to_be_visible()


async def test_support_reads_everything_and_is_offered_nothing_to_change(
    page: Page, browsed_stack: RunningStack, person: Person
) -> None:
    await books.offered(browsed_stack, "Seen by support")
    await buried(browsed_stack, "seen by support")
    operator = await supporter(browsed_stack)
    customer = f"/customers/{person.tenant.customer_id}"
    for place in ("", "/customers", customer, "/plans", "/payments", "/sessions", "/replicas", "/letters", "/state"):
        await go(page, operator, place)
        await expect(page.locator(CHANGES)).to_have_count(0)
    await page.goto(f"{operator.url}/en/dashboard/platform/plans/new")
    await expect(page.get_by_role("alert")).to_contain_text("support may only read")


async def test_a_customers_user_is_refused_and_not_shown_the_way(page: Page, person: Person) -> None:
    await sign_in(page, person)
    await expect(page.get_by_role("link", name="Replicas")).to_have_count(0)
    await page.goto(person.at("/en/dashboard/platform/customers"))
    await expect(page.get_by_role("alert")).to_contain_text("for the platform's own users")


async def test_a_page_that_cannot_be_read_anew_says_so_and_goes_on_by_itself(
    page: Page, browsed_stack: RunningStack
) -> None:
    await go(page, administrator(browsed_stack), "/customers")
    lost = page.get_by_text("The live connection is lost")
    await page.context.set_offline(True)
    await expect(lost).to_be_visible()
    await page.context.set_offline(False)
    await expect(lost).to_be_hidden()
    await page.route("**/platform/customers", lambda route: route.fulfill(status=429, body=""))
    await expect(lost).to_be_visible()
    await page.unroute("**/platform/customers")
    await expect(lost).to_be_hidden()
