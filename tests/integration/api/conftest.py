"""A real edge for each test: uvicorn on a free port, NATS with the contract's streams, MongoDB with the first rows."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import nats
import pytest
from argon2 import PasswordHasher
from litestar import Litestar
from nats.js import JetStreamContext
from nats.js.errors import ServerError
from pymongo import AsyncMongoClient, MongoClient, WriteConcern

from infra.bootstrap import Bootstrapped, BootstrapSettings, bootstrap
from libs.runtime import topology
from libs.runtime.crypto import KeyRing
from libs.runtime.mongo import database
from services.api.access.passwords import Passwords
from services.api.app import application, build_edge, server_of
from services.api.serving import listening_socket
from services.api.settings import Settings
from tests.conftest import with_database
from tests.integration.api.commands import new_session
from tests.integration.api.edges import OWNER_PASSWORD, RING, Site
from tests.integration.api.frames import Publisher, publisher
from tests.integration.api.operators import Operator, operator_of
from tests.processes import eventually
from tests.servers import NatsServer, client_of

FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PATIENCE: dict[str, Any] = {"database_timeout_ms": 25_000, "repeat_for_s": 25.0}
"""A machine that stands still for some seconds is no outage."""
Rows = dict[str, list[dict[str, Any]]]


# --- Servers and first rows: once for a module, as new for each test -------------------------------------------------


@pytest.fixture(scope="module")
def module_nats(shared_nats: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The module's NATS."""
    if shared_nats:
        yield shared_nats
    else:
        server = NatsServer(tmp_path_factory.mktemp("nats"))
        server.start()
        yield server.url
        server.kill()


@pytest.fixture(scope="module")
def module_rows(shared_mongodb: str) -> Iterator[tuple[str, Bootstrapped, Rows]]:
    """The module's database, with the first rows as `python -m infra.bootstrap` makes them, and a copy of them."""
    url = with_database(shared_mongodb, f"test_{uuid.uuid4().hex[:12]}")
    account = asyncio.run(make_first_rows(url))
    with MongoClient[dict[str, Any]](url, tz_aware=True) as client:
        rows = client.get_default_database()
        yield url, account, {name: list(rows[name].find()) for name in rows.list_collection_names()}
        client.drop_database(rows.name)


@pytest.fixture
def mongodb_url(module_rows: tuple[str, Bootstrapped, Rows]) -> str:
    """The module's database, holding nothing but the first rows again."""
    url, _, first = module_rows
    with MongoClient[dict[str, Any]](url, w=1, journal=False, tz_aware=True) as client:
        rows = client.get_default_database()
        for name in rows.list_collection_names():
            rows[name].delete_many({})
            if first.get(name):
                rows[name].insert_many(first[name])
        seen = rows.with_options(write_concern=WriteConcern("majority"))  # an edge reads what a majority has
        seen["customers"].update_one({"_id": "nobody"}, {"$set": {"name": ""}})
    return url


@pytest.fixture
def bootstrapped(module_rows: tuple[str, Bootstrapped, Rows]) -> Bootstrapped:
    """The default customer and its key."""
    return module_rows[1]


@pytest.fixture
async def rows(mongodb_url: str) -> AsyncIterator[Any]:
    """The test's database, to look into and to act as another service."""
    async with AsyncMongoClient[dict[str, Any]](mongodb_url, tz_aware=True) as client:
        yield client.get_default_database()


@pytest.fixture
async def streams(module_nats: str) -> AsyncIterator[str]:
    """NATS with the contract's streams, new and empty."""
    client = await nats.connect(module_nats)
    try:
        jetstream = client.jetstream(timeout=30)
        for stream in await jetstream.streams_info():
            await jetstream.delete_stream(stream.config.name or "")
        await eventually(lambda: _made_anew(jetstream))
        yield module_nats
    finally:
        await client.close()


async def _made_anew(jetstream: JetStreamContext) -> bool:
    """A busy server may still be removing the folder of the stream that was deleted."""
    try:
        await topology.apply(jetstream)
    except ServerError:
        return False
    return True


async def make_first_rows(url: str) -> Bootstrapped:
    """Run the bootstrap, with passwords that are quick to check."""
    settings = BootstrapSettings(
        mongodb_url=url, secret_keys=RING, admin_password=OWNER_PASSWORD, customer_password=OWNER_PASSWORD
    )
    async with client_of(url) as client:
        passwords = Passwords(at_once=2, queue=8, hasher=FAST_HASHER)
        return await bootstrap(database(client), settings, KeyRing.parse(RING), passwords)


# --- Edges -----------------------------------------------------------------------------------------------------------


SiteMaker = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def open_site(streams: str, mongodb_url: str, bootstrapped: Bootstrapped) -> SiteMaker:
    """Start another edge on the same NATS and MongoDB: `async with open_site(port=0, **settings) as site`."""

    @contextlib.asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Site]:
        given: dict[str, Any] = {"engines": "scripted,simulator", "default_engine": "scripted", "port": 0} | settings
        given = {"nats_url": streams, "mongodb_url": mongodb_url, "secret_keys": RING} | PATIENCE | given
        async with running_site(Settings(**given), bootstrapped) as site:
            yield site

    return opened


@pytest.fixture
async def site(open_site: SiteMaker) -> AsyncIterator[Site]:
    """An edge that is ready, and a client of it that is signed in with the customer's API key."""
    async with open_site() as opened:
        yield opened


_IDLE: dict[tuple[int, str], list[Litestar]] = {}


@contextlib.contextmanager
def idle_application(settings: Settings) -> Iterator[Litestar]:
    """The routes, with a new edge behind them. Three hundred routes take longer to build than a test takes to run."""
    shape = (settings.body_bytes, settings.dashboard_assets)
    idle = _IDLE.setdefault(shape, [])
    app = idle.pop() if idle else application(*shape)
    app.state.edge = build_edge(settings)
    yield app
    idle.append(app)


@contextlib.asynccontextmanager
async def running_site(settings: Settings, account: Bootstrapped, *, wait_ready: bool = True) -> AsyncIterator[Site]:
    """Run an edge in this loop until the block ends; its shut-down is awaited with a bound."""
    with idle_application(settings) as app, listening_socket("127.0.0.1", 0) as listener:
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = server_of(app, settings)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        try:
            plain = httpx.AsyncHTTPTransport(verify=False)
            async with httpx.AsyncClient(base_url=url, transport=plain, timeout=30) as client:
                site = Site(url=url, client=client, edge=app.state.edge, account=account, server=serving, serving=task)
                await (site.until_ready() if wait_ready else site.until_live())
                yield site
        finally:
            serving.should_exit = True
            await asyncio.wait_for(task, 30)


# --- On a site -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def operator(site: Site) -> Operator:
    """The platform's administrator, signed in."""
    return await operator_of(site)


@pytest.fixture
async def session_id(site: Site) -> str:
    """A session of the customer."""
    return await new_session(site)


@pytest.fixture
async def status(site: Site, streams: str) -> AsyncIterator[Publisher]:
    """The service status, telling the customer's frames."""
    async with publisher(streams, site.account.customer_id) as opened:
        yield opened
