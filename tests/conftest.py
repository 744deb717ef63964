"""What every test may ask for: a NATS and a MongoDB to itself, and servers it may break."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import nats
import pytest
import structlog
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from infra.local import machine, ports
from libs.runtime import logs
from tests.servers import MongoServer, NatsServer

WITH_ONE_STACK = ("tests/e2e/", "tests/browser/")
LONG_FIRST = ("tests/browser/", "tests/e2e/", "tests/faults/", "tests/engines/", "tests/integration/")
"""What takes minutes begins at once, and what takes milliseconds fills the rest."""
CAPABILITIES = {
    "needs_go": machine.lacks_go,
    "needs_browser": machine.lacks_browser,
    "needs_root": machine.lacks_root,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--containers",
        action="store_true",
        help="take NATS and MongoDB from testcontainers, and run the tests marked needs_containers",
    )
    parser.addoption("--soak", action="store_true", help="run the long fault runs too")


def pytest_configure() -> None:
    """Each process of a run has a quarter of the ports, with all that it starts: two might choose the same one.

    How long an example takes is no claim of any test.
    """
    hypothesis.settings.register_profile(
        "any-speed", hypothesis.settings(), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("any-speed")
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    quarter = (ports.LAST + 1 - ports.FIRST) // 4
    first = ports.FIRST + worker % 4 * quarter
    os.environ["MERPATI_PORTS"] = f"{first}-{first + quarter - 1}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long runs and container tests are asked for by name; `./merpati test` says so in its last line.

    The long folders come first: at their end one process would be busy, and the others wait for it.
    """
    asked = {"soak": config.getoption("--soak"), "needs_containers": config.getoption("--containers")}
    unasked = [item for item in items if any(item.get_closest_marker(m) and not on for m, on in asked.items())]
    if unasked:
        config.hook.pytest_deselected(items=unasked)
    left_out = set(unasked)
    items[:] = sorted((item for item in items if item not in left_out), key=_turn)


def _turn(item: pytest.Item) -> int:
    turns = (turn for turn, folder in enumerate(LONG_FIRST) if item.nodeid.startswith(folder))
    return next(turns, len(LONG_FIRST))


class ByStack(LoadFileScheduling):
    """Files go to processes whole, and those that share a stack together.

    A stack costs a fifth of a core even when nobody asks it anything: one in each process were three too many.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((folder for folder in WITH_ONE_STACK if path.startswith(folder)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByStack:
    """Which process runs which test; in the order of collection, not by the number of tests in a file."""
    config.option.loadscopereorder = False
    return ByStack(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that this machine cannot run is skipped with its reason; in CI that is a failure."""
    for marker, lacks in CAPABILITIES.items():
        if item.get_closest_marker(marker) and (reason := lacks()):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{marker}: {reason}")


# --- Servers of the whole run: from the environment, from testcontainers, or embedded --------------------------------


@pytest.fixture(scope="session")
def shared_nats(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of a server that all tests share, or None: then each test gets an embedded one of its own."""
    if given := os.environ.get("NATS_URL"):
        yield given
    elif request.config.getoption("--containers"):
        from tests.containers.servers import nats_container

        with nats_container() as url:
            yield url
    else:
        yield None


@pytest.fixture(scope="session")
def shared_mongodb(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the run's MongoDB, its database name to be replaced by each test's own."""
    if given := os.environ.get("MONGODB_URL"):
        yield given
    elif request.config.getoption("--containers"):
        from tests.containers.servers import mongodb_container

        with mongodb_container() as url:
            yield url
    else:
        server = MongoServer(tmp_path_factory.mktemp("mongod"))
        server.start()
        yield server.url()
        server.kill()


# --- One test's own --------------------------------------------------------------------------------------------------


@pytest.fixture
async def nats_url(shared_nats: str | None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A NATS with JetStream and no stream in it: an own server where it can be, else a shared one swept clean."""
    if shared_nats:
        await _delete_streams(shared_nats)
        yield shared_nats
    else:
        server = NatsServer(tmp_path_factory.mktemp("nats"))
        server.start()
        yield server.url
        server.kill()


@pytest.fixture
def mongodb_url(shared_mongodb: str) -> Iterator[str]:
    """A URL whose database is this test's alone; dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield with_database(shared_mongodb, name)
    with MongoClient(shared_mongodb) as client:
        client.drop_database(name)


@pytest.fixture
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """An embedded nats-server that this test may kill and restart."""
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mongo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """An embedded mongod that this test may kill and restart."""
    server = MongoServer(tmp_path_factory.mktemp("mongod"))
    server.start()
    yield server
    server.kill()


def with_database(url: str, name: str) -> str:
    """The same MongoDB URL with another database in its path; users keep authenticating where they did."""
    scheme, _, rest = url.partition("://")
    address, _, options = rest.partition("?")
    hosts = re.sub(r"/.*$", "", address)
    parsed = parse_uri(url)
    if parsed["username"] and "authSource" not in options:
        options = "&".join(filter(None, [options, f"authSource={parsed['database'] or 'admin'}"]))
    return f"{scheme}://{hosts}/{name}" + (f"?{options}" if options else "")


async def _delete_streams(url: str) -> None:
    client = await nats.connect(url)
    try:
        jetstream = client.jetstream()
        for stream in await jetstream.streams_info():
            if stream.config.name:
                await jetstream.delete_stream(stream.config.name)
    finally:
        await client.close()


@pytest.fixture(scope="module")
def quiet_logs() -> Iterator[None]:
    """Only errors are printed by this module's tests; the next module's print what they would."""
    logs.configure(service="test", replica="test", level="error")
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return Path(__file__).resolve().parent.parent
