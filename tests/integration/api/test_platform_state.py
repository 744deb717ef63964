"""How the platform sees itself: NATS and MongoDB, also when one of them is away; replicas; every session."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from libs.contracts.ids import shard_of
from libs.runtime.tasks import end
from services.api.access import watching
from services.api.access.cookies import COOKIE
from services.api.platform import plant
from services.api.settings import Settings
from tests.conftest import with_database
from tests.integration.api.accounts import bearer
from tests.integration.api.conftest import make_first_rows, running_site
from tests.integration.api.edges import RING, Site, observe, refused, until
from tests.integration.api.operators import Operator, operator_of
from tests.processes import eventually
from tests.servers import MongoServer, NatsServer

NAMES = ["COMMANDS", "EVENTS", "UPDATES", "DEAD"]
WITHIN_S = 20.0
"""Above what is waited for NATS and MongoDB, and below what a client waits for an answer."""


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is found to be there, however slow the machine."""
    monkeypatch.setattr(plant, "WITHIN_S", 25.0)
    monkeypatch.setattr(watching, "WITHIN_S", 25.0)


@pytest.mark.usefixtures("unhurried")
async def test_streams_and_collections_are_told_with_their_sizes(site: Site, operator: Operator) -> None:
    await site.edge.bus.jetstream.publish("fact.session.07.a1b2", b"{}")
    state = await operator.ask("GET", "/state")
    nats, mongodb = state["nats"], state["mongodb"]
    assert (nats["isReachable"], nats["fault"], mongodb["isReachable"], mongodb["fault"]) == (True, None, True, None)
    assert [stream["name"] for stream in nats["streams"]] == NAMES
    assert (nats["streams"][1]["messages"], nats["streams"][1]["lastSequence"]) == (1, 1)
    assert nats["streams"][0]["maxBytes"] == 4 << 30
    assert nats["version"].count(".") == 2
    assert (mongodb["replicaSet"], bool(mongodb["primary"])) == ("rs0", True) or mongodb["members"]
    collections = {each["name"]: each for each in mongodb["collections"]}
    assert collections["users"]["documents"] == 2
    assert collections["users"]["indexBytes"] > 0


@pytest.mark.usefixtures("unhurried")
async def test_a_reader_of_a_stream_is_told_with_what_it_has_yet_to_read(site: Site, operator: Operator) -> None:
    jetstream = site.edge.bus.jetstream
    await jetstream.publish("fact.session.07.a1b2", b"{}")
    await jetstream.pull_subscribe("fact.>", durable="sender-07-e12", stream="EVENTS")
    state = await operator.ask("GET", "/state")
    assert state["nats"]["streams"][1]["consumers"] == [
        {"name": "sender-07-e12", "pending": 1, "unacknowledged": 0, "redelivered": 0}
    ]


@pytest.mark.usefixtures("unhurried")
async def test_a_stream_that_is_missing_is_said(site: Site, operator: Operator) -> None:
    await site.edge.bus.jetstream.delete_stream("DEAD")
    nats = (await operator.ask("GET", "/state"))["nats"]
    assert nats["fault"]
    assert [stream["name"] for stream in nats["streams"]] == NAMES[:3]


# --- While one is away -----------------------------------------------------------------------------------------------


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def mongo_server(tmp_path: Path) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def built(tmp_path: Path) -> str:
    """Empty files under the names that every page asks for, as a build leaves them."""
    names = {name: name for name in ("app.css", "app.js", "favicon.svg", "icons.svg")}
    (tmp_path / "manifest.json").write_bytes(msgspec.json.encode(names))
    return str(tmp_path)


@pytest.fixture
async def breakable(nats_server: NatsServer, mongo_server: MongoServer, built: str) -> AsyncIterator[Operator]:
    """The operator of an edge whose servers may be killed."""
    import nats

    from libs.runtime import topology

    client = await nats.connect(nats_server.url)
    await topology.apply(client.jetstream())
    await client.close()
    url = with_database(mongo_server.url(), f"test_{uuid.uuid4().hex[:12]}")
    account = await make_first_rows(url)
    settings = Settings(
        nats_url=nats_server.url,
        mongodb_url=url,
        secret_keys=RING,
        engines="scripted",
        default_engine="scripted",
        port=0,
        database_timeout_ms=2_000,
        dashboard_assets=built,
    )
    async with running_site(settings, account) as site:
        yield await operator_of(site)


async def shown(operator: Operator, page: str) -> httpx.Response:
    """A page of the platform, asked for with the operator's cookie."""
    cookie = f"{COOKIE}={operator.headers['Authorization'].removeprefix('Bearer ')}"
    return await operator.site.client.get(f"/en/dashboard/platform/{page}", headers={"Cookie": cookie})


@pytest.mark.usefixtures("unhurried")
async def test_without_nats_the_state_is_told_all_the_same(breakable: Operator, nats_server: NatsServer) -> None:
    nats_server.kill()
    await until(lambda: _is_away(breakable))
    refused(await breakable.call("GET", "/customers"), 503, "SERVICE_UNAVAILABLE")
    started = time.monotonic()
    state = await breakable.ask("GET", "/state")
    assert time.monotonic() - started < WITHIN_S
    assert (state["nats"]["isReachable"], state["nats"]["streams"]) == (False, [])
    assert state["nats"]["fault"]
    assert state["mongodb"]["isReachable"] is True
    assert state["mongodb"]["collections"]


@pytest.mark.usefixtures("unhurried")
async def test_without_nats_the_page_of_the_state_is_shown_and_no_other(
    breakable: Operator, nats_server: NatsServer
) -> None:
    nats_server.kill()
    await until(lambda: _is_away(breakable))
    page = await shown(breakable, "state")
    assert page.status_code == 200, page.text
    assert "NATS is not connected" in page.text
    assert 'data-collection="customers"' in page.text
    assert (await shown(breakable, "customers")).status_code == 503


async def test_without_mongodb_the_page_of_the_state_is_shown_to_those_who_have_looked_before(
    breakable: Operator, mongo_server: MongoServer
) -> None:
    assert (await shown(breakable, "state")).status_code == 200
    mongo_server.kill()
    breakable.site.edge.memory._beliefs.clear()  # as after five seconds
    page = await shown(breakable, "state")
    assert page.status_code == 200, page.text
    assert 'data-stream="COMMANDS"' in page.text
    assert 'data-collection="customers"' not in page.text


async def test_the_page_of_the_state_is_for_the_platforms_own_users(breakable: Operator) -> None:
    owner = Operator(site=breakable.site, headers=bearer(await breakable.site.sign_in()))
    assert (await shown(owner, "state")).status_code == 403
    stranger = Operator(site=breakable.site, headers=bearer("nobody"))
    assert (await shown(stranger, "state")).headers["location"].startswith("/en/dashboard/signin")


async def _is_away(operator: Operator) -> bool:
    return not operator.site.edge.bus.connected


async def test_without_mongodb_those_are_told_who_have_looked_before(
    breakable: Operator, mongo_server: MongoServer
) -> None:
    await breakable.ask("GET", "/state")
    stranger = Operator(site=breakable.site, headers={"Authorization": "Bearer nonsense"})
    mongo_server.kill()
    breakable.site.edge.memory._beliefs.clear()  # as after five seconds
    started = time.monotonic()
    state = await breakable.ask("GET", "/state")
    assert time.monotonic() - started < WITHIN_S
    assert (state["mongodb"]["isReachable"], state["mongodb"]["collections"]) == (False, [])
    assert state["mongodb"]["fault"]
    assert [stream["name"] for stream in state["nats"]["streams"]] == NAMES
    assert (await stranger.call("GET", "/state")).status_code == 401


# --- Replicas and sessions -------------------------------------------------------------------------------------------


async def test_replicas_are_told_with_their_shards_and_whether_they_live(operator: Operator, rows: Any) -> None:
    lease: dict[str, Any] = {"service": "sender", "epoch": 3, "beat": 0}
    await rows.leases.insert_many(
        [
            {"_id": "sender/00", "shard": 0, "owner": "one", **lease},
            {"_id": "sender/01", "shard": 1, "owner": "two", **lease},
            {"_id": "sender/02", "shard": 2, "owner": None, **lease},
            {"_id": "sender/@one", "owner": "one", "fit": True, **lease},
        ]
    )
    beating = asyncio.create_task(_beat(rows))

    async def seen_to_beat() -> Any:
        (told,) = await operator.ask("GET", "/replicas")
        return told if any(each["isBeating"] for each in told["replicas"]) else None

    try:
        sender = await eventually(seen_to_beat)
    finally:
        await end(beating)
    assert (sender["service"], sender["freeShards"]) == ("sender", [2])
    assert sender["replicas"] == [
        {"name": "one", "isBeating": True, "isFit": True, "shards": [0]},
        {"name": "two", "isBeating": False, "isFit": False, "shards": [1]},
    ]


async def _beat(rows: Any) -> None:
    while True:
        await rows.leases.update_many({"owner": "one"}, {"$inc": {"beat": 1}})
        await asyncio.sleep(0.2)


async def test_everybodys_sessions_are_listed_with_the_replica_that_holds_them(
    site: Site, operator: Operator, rows: Any
) -> None:
    first, second = await site.make_session("first"), await site.make_session("second")
    await observe(rows, first, "connected", phone="6281234567890")
    other = (await operator.make_customer("Other"))["customer"]["id"]
    await operator.subscribe(other, await operator.make_plan())
    token_headers = {"customer": other}
    made = await site.client.post(
        "/api/customer/whatsapp/sessions", headers=operator.headers, params=token_headers, json={"name": "third"}
    )
    third = made.json()["session"]["id"]
    body = (await operator.call("GET", "/sessions?limit=2")).json()
    assert [row["sessionId"] for row in body["data"]] == [third, second]
    assert body["pagination"]["total"] == 3
    assert (body["data"][0]["customerId"], body["data"][0]["customerName"]) == (other, "Other")
    (connected,) = await operator.ask("GET", "/sessions?status=CONNECTED")
    assert (connected["sessionId"], connected["state"], connected["phone"]) == (first, "connected", "6281234567890")
    assert (connected["owner"], connected["shard"]) == ("test", shard_of(first))
    assert len(await operator.ask("GET", f"/sessions?customer={other}")) == 1
    assert await operator.ask("GET", "/sessions?engine=simulator") == []
    refused(await operator.call("GET", "/sessions?status=perhaps"), 400, "VALIDATION_FAILED")
