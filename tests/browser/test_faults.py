"""What a person sees while replicas die: the page says what is, and catches up by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.books import operator
from tests.browser.conftest import WAIT_MS
from tests.browser.people import DEVICES, PLAYGROUND, Person, enter, live
from tests.e2e.handsets import Network, linked
from tests.e2e.tenants import make_tenant
from tests.e2e.wire import BASE
from tests.stack import RunningStack, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.needs_browser, pytest.mark.needs_go]
REPLICAS = ("--networks", "simulator", "--replicas", "sessions=2")


@pytest.fixture(scope="module")
def browsed_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningStack]:
    """One to kill: every device has another replica to go to."""
    with asyncio.Runner() as runner:
        context = running_stack(tmp_path_factory.mktemp("killed"), *REPLICAS)
        stack = runner.run(context.__aenter__())
        yield stack
        runner.run(context.__aexit__(None, None, None))


@pytest_asyncio.fixture(loop_scope="package")
async def network(browsed_stack: RunningStack) -> AsyncGenerator[Network]:
    """The people on this stack's network."""
    network = Network(browsed_stack.simulator_url)
    yield network
    await network.close()


@pytest_asyncio.fixture(loop_scope="package")
async def person(browsed_stack: RunningStack) -> Person:
    """A customer of this stack."""
    return Person(tenant=await make_tenant(browsed_stack))


@contextmanager
def nobody_started(stack: RunningStack) -> Generator[None]:
    """What is killed stays away as long as the block runs, however fast the launcher is."""
    stack.pause("launcher")
    try:
        yield
    finally:
        stack.resume("launcher")


async def _holder_of(stack: RunningStack, session: str) -> str:
    """The process that holds this session."""
    async with await operator(stack) as http:
        rows = (await http.get("/api/platform/sessions", params={"limit": 100})).json()["data"]
    owner: str = next(row["owner"] for row in rows if row["sessionId"] == session)
    return owner.rpartition("-")[0]  # the rest of its name is new at each start


async def test_a_device_whose_replica_is_killed_returns_before_ones_eyes(
    page: Page, person: Person, network: Network, browsed_stack: RunningStack
) -> None:
    async with person.api() as http:
        session, number = await linked(http, network, "Counter")
    await enter(page, person, path=DEVICES)
    status = page.locator(f"#device-{session}").get_by_text("Connected", exact=True)
    await expect(status).to_be_visible()
    await network.fault(kind="loginFailure", code=503, phone=number)  # else it is back before anybody has looked
    browsed_stack.kill(await _holder_of(browsed_stack, session))
    await expect(status).not_to_be_visible()
    await network.mended()
    await expect(status).to_be_visible(timeout=2 * WAIT_MS)  # the pause between two attempts may be a minute


async def test_a_page_outlives_its_edge_and_shows_what_came_meanwhile(
    page: Page, person: Person, network: Network, browsed_stack: RunningStack
) -> None:
    reader = await network.person()
    async with person.api() as http:
        session, number = await linked(http, network, "Counter")
        body = {"type": "text", "to": reader, "text": "Sent before the edge died"}
        assert (await http.post(f"{BASE}/sessions/{session}/messages", json=body)).is_success
    await network.arrived(reader)
    await enter(page, person, path=PLAYGROUND)
    row = page.get_by_role("listitem").filter(has_text="Sent before the edge died")
    await expect(row.get_by_text("Delivered")).to_be_visible()
    with nobody_started(browsed_stack):
        browsed_stack.kill("api-1")
        await expect(page.locator("#live-lost")).to_be_visible()
    await network.phones.read(reader, number)
    await expect(page.locator("#live-lost")).not_to_be_visible()
    await live(page)
    await expect(row.get_by_text("Read", exact=True)).to_be_visible()
