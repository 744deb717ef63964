"""Liveness, readiness, the descriptions of the API, outages, and a planned stop."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import msgspec
import nats
import pytest
from websockets.asyncio.client import connect

from infra.bootstrap import Bootstrapped
from libs.runtime import health
from services.api.settings import Settings
from tests.integration.api.conftest import make_first_rows, running_site
from tests.integration.api.edges import BASE, BOUND_S, RING, Site, refused, until
from tests.servers import MongoServer, NatsServer

UVICORNS_OWN_S = 5


async def test_it_lives_and_is_ready_on_both_ports(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", BOUND_S)
    async with httpx.AsyncClient(trust_env=False, timeout=BOUND_S) as client:
        for url in (site.url, f"http://127.0.0.1:{site.edge.health_port}"):
            for path in ("/livez", "/readyz"):
                assert (await client.get(url + path)).status_code == 200


async def test_it_is_not_ready_while_a_stream_differs(
    site: Site, streams: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", BOUND_S)
    client = await nats.connect(streams)
    await client.jetstream().delete_stream("DEAD")
    answer = await site.client.get("/readyz")
    assert answer.status_code == 503
    assert "DEAD" in answer.json()["message"]
    await client.close()


# --- Descriptions ----------------------------------------------------------------------------------------------------


async def test_every_operation_has_an_id_and_refuses_in_one_way(site: Site) -> None:
    document = (await site.client.get("/docs/openapi.json")).json()
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids) > 20
    assert all(one == one.lower() and "_" in one for one in ids)
    assert all(operation["responses"]["default"] for operation in operations)
    assert {"SessionObject", "SessionAnswer", "Refused"} <= set(document["components"]["schemas"])
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}


async def test_the_docs_page_fetches_nothing_from_elsewhere(site: Site) -> None:
    answer = await site.client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert f"{BASE}/sessions" in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "<script" not in answer.text


async def test_the_stream_is_described(site: Site) -> None:
    document = (await site.client.get("/asyncapi")).json()
    assert document["asyncapi"].startswith("3.")
    assert {"session.qr", "message.sent", "message.read"} <= set(document["components"]["messages"])
    for message in document["components"]["messages"].values():
        if message["name"] in ("ping", "gap"):
            continue  # described in place
        name = message["payload"]["allOf"][0]["$ref"].rpartition("/")[2]
        assert name in document["components"]["schemas"]


# --- Outages ---------------------------------------------------------------------------------------------------------

CALLS = [("GET", f"{BASE}/sessions"), ("POST", f"{BASE}/sessions"), ("GET", f"{BASE}/apikey"), ("GET", "/api/auth/me")]


@pytest.fixture
async def fragile(nats_server: NatsServer, mongo_server: MongoServer) -> Any:
    """An edge on servers that the test may kill; it believes its key already."""
    await apply_topology(nats_server.url)
    url = mongo_server.url()
    account = await make_first_rows(url)
    settings = fragile_settings(nats_server.url, url)
    async with running_site(settings, account) as site:
        assert (await site.call("GET", "/sessions")).status_code == 200
        yield site


async def apply_topology(url: str) -> None:
    from libs.runtime import topology

    client = await nats.connect(url)
    await topology.apply(client.jetstream())
    await client.close()


def fragile_settings(nats_url: str, mongodb_url: str) -> Settings:
    return Settings(
        nats_url=nats_url,
        mongodb_url=mongodb_url,
        secret_keys=RING,
        engines="scripted",
        default_engine="scripted",
        database_timeout_ms=3_000,
        open_single_session=True,
        qr_wait_s=0.3,
    )


async def until_noticed(site: Site) -> None:
    """Wait until the edge knows of the outage."""

    async def unready() -> bool:
        return (await site.client.get("/readyz")).status_code == 503

    await until(unready)


async def check_outage(site: Site, token: str) -> None:
    headers = {"X-API-Key": site.account.api_key}

    async def check(method: str, path: str) -> None:
        given = {"Authorization": f"Bearer {token}"} if path.endswith("/me") else headers
        answer = await site.client.request(
            method, path, headers=given, json={"name": "New"} if method == "POST" else None
        )
        refused(answer, 503, "SERVICE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0

    await asyncio.gather(*(check(method, path) for method, path in CALLS))  # each waits for MongoDB as long as it may
    status = await site.client.get("/whatsapp/status")
    assert status.json()["data"] == {"connected": False, "state": "DISCONNECTED", "hasQR": False}
    assert "not ready" in refused(await site.client.get("/whatsapp/qr"), 503, "NOT_READY")["message"]
    assert (await site.client.get("/livez")).status_code == 200


async def test_without_nats_everything_is_unavailable_until_it_is_back(fragile: Site, nats_server: NatsServer) -> None:
    token = await fragile.sign_in()
    nats_server.kill()
    await until_noticed(fragile)
    await check_outage(fragile, token)
    nats_server.start()
    await fragile.until_ready()
    assert (await fragile.call("GET", "/sessions")).json()["sessions"] == []


async def test_a_call_of_a_sessions_owner_ends_with_nats(nats_server: NatsServer, mongo_server: MongoServer) -> None:
    await apply_topology(nats_server.url)
    account = await make_first_rows(mongo_server.url())
    settings = msgspec.structs.replace(fragile_settings(nats_server.url, mongo_server.url()), ask_s=10 * BOUND_S)
    asked = asyncio.Event()

    async def keep_silent(_: Any) -> None:
        asked.set()

    async with running_site(settings, account) as site, await nats.connect(nats_server.url) as owner:
        session_id = await site.make_session()
        await owner.subscribe("call.session.>", cb=keep_silent)
        await owner.flush()
        asking = asyncio.create_task(site.call("GET", f"/sessions/{session_id}/groups"))
        await asyncio.wait_for(asked.wait(), BOUND_S)
        nats_server.kill()
        refused(await asking, 503, "SESSION_UNREACHABLE")


async def test_without_mongodb_everything_is_unavailable_until_it_is_back(
    fragile: Site, mongo_server: MongoServer
) -> None:
    token = await fragile.sign_in()
    mongo_server.kill()
    await until_noticed(fragile)
    await check_outage(fragile, token)
    mongo_server.start()
    await fragile.until_ready()
    assert (await fragile.call("GET", "/sessions")).status_code == 200


async def test_it_starts_without_nats_and_answers_503(nats_server: NatsServer, mongo_server: MongoServer) -> None:
    await apply_topology(nats_server.url)
    account = await make_first_rows(mongo_server.url())
    nats_server.kill()
    async with running_site(fragile_settings(nats_server.url, mongo_server.url()), account, wait_ready=False) as site:
        refused(await site.call("GET", "/sessions"), 503, "SERVICE_UNAVAILABLE")
        nats_server.start()
        await site.until_ready()


# --- A planned stop --------------------------------------------------------------------------------------------------


async def test_a_stopping_edge_closes_its_streams_with_1012(
    streams: str, mongodb_url: str, bootstrapped: Bootstrapped
) -> None:
    settings = fragile_settings(streams, mongodb_url)
    async with running_site(settings, bootstrapped) as site:
        url = site.url.replace("http", "ws") + f"{BASE}/stream"
        protocols: list[Any] = ["bearer", site.account.api_key]
        socket = await connect(url, subprotocols=protocols, proxy=None)
    await asyncio.wait_for(socket.wait_closed(), BOUND_S)
    assert socket.close_code == 1012


@pytest.mark.slow
async def test_an_idle_connection_is_not_closed_before_a_proxys_would_be(site: Site) -> None:
    reader, writer = await asyncio.open_connection(site.client.base_url.host, site.client.base_url.port)
    for pause_s in (0, UVICORNS_OWN_S + 1):
        await asyncio.sleep(pause_s)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.findall(rb"content-length: (\d+)", head.lower())[0]))
    writer.close()
