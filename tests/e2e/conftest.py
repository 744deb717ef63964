"""One stack for all the tests that only look at it through the API, and the people on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator

import httpx
import pytest

from tests.e2e.handsets import Network, Office, linked
from tests.e2e.tenants import Tenant, client, make_tenant
from tests.stack import RunningStack, running_stack


@pytest.fixture(scope="package")
def scripted_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningStack]:
    """A stack on the scripted network; shared, so nothing in it is killed and names are the test's own."""
    yield from _stack(tmp_path_factory, "scripted")


@pytest.fixture(scope="package")
def simulated_stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningStack]:
    """A stack on the simulated network, with the real client library; shared as the scripted one. Mark: needs_go."""
    yield from _stack(tmp_path_factory, "simulator")


def _stack(directories: pytest.TempPathFactory, network: str) -> Generator[RunningStack]:
    with asyncio.Runner() as runner:
        own = {"MERPATI_PROXY_ALLOWED": "127.0.0.1"}  # proxies of tests are on this machine
        context = running_stack(directories.mktemp(network), "--networks", network, environment=own)
        stack = runner.run(context.__aenter__())
        yield stack
        runner.run(context.__aexit__(None, None, None))


# --- On the simulated stack ------------------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def office(simulated_stack: RunningStack) -> Office:
    """A customer with one connected session, for all tests that only send with it. Mark: needs_go."""
    return asyncio.run(_office(simulated_stack))


async def _office(stack: RunningStack) -> Office:
    tenant, network = await make_tenant(stack), Network(stack.simulator_url)
    async with tenant.client() as http:
        session, number = await linked(http, network, "The office")
    await network.close()
    return Office(tenant=tenant, session=session, session_name="The office", number=number)


@pytest.fixture
async def http(office: Office) -> AsyncGenerator[httpx.AsyncClient]:
    """The office's owner, signed in."""
    async with office.tenant.client() as signed_in:
        yield signed_in


@pytest.fixture
async def network(simulated_stack: RunningStack) -> AsyncGenerator[Network]:
    """The people on the simulated network."""
    network = Network(simulated_stack.simulator_url)
    yield network
    await network.close()


@pytest.fixture
async def public(simulated_stack: RunningStack) -> AsyncGenerator[httpx.AsyncClient]:
    """A client without credentials."""
    async with client(simulated_stack.url) as nobody:
        yield nobody


@pytest.fixture
async def tenant(simulated_stack: RunningStack) -> Tenant:
    """A customer of the test's own."""
    return await make_tenant(simulated_stack)
