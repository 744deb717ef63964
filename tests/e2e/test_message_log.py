"""The message log and the statistics of a customer on a whole stack: what was sent is found, exported and counted."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest

from tests.e2e.handsets import WITHIN_S, Network, linked
from tests.e2e.tenants import Tenant, make_tenant, zone_at_noon
from tests.e2e.wire import BASE, MESSAGE_KEYS, Json, told
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

NOBODY = "6281299999999"
WAIT = {"Prefer": "wait=60"}
WAY = {"queued": 3, "sent": 2, "delivered": 2, "read": 2, "failed": 1, "received": 1}
LATENCY = {"messages", "meanMs", "p50Ms", "p95Ms"}


@pytest.fixture
async def tenant(simulated_stack: RunningStack) -> Tenant:
    """A customer for whom it is noon: no day ends while what was done on it is counted."""
    return await make_tenant(simulated_stack, time_zone=zone_at_noon())


async def test_what_a_customer_did_is_found_exported_and_counted(tenant: Tenant, network: Network) -> None:
    async with tenant.client() as http:
        session, number = await linked(http, network, "Kasir")
        person = await network.person()
        await exchange(http, network, session, number, person)
        await counted(http, WAY)
        await check_search(http)
        await check_exports(http)
        await check_statistics(http)


async def exchange(http: httpx.AsyncClient, network: Network, session: str, number: str, person: str) -> None:
    """Two messages that are read, one to nobody, and an answer."""
    for to, text in ((person, "Faktur lunas"), (person, "=Terima kasih"), (NOBODY, "Faktur hilang")):
        body = {"type": "text", "to": to, "text": text}
        await http.post(f"{BASE}/sessions/{session}/messages", json=body, headers=WAIT)
    await network.arrived(person, 2)
    await network.phones.read(person, number)
    await network.phones.write(person, number, "Sama-sama, FAKTUR diterima")


async def counted(http: httpx.AsyncClient, expected: dict[str, int]) -> Json:
    """Today's counts, once they are these."""

    async def seen() -> Json | None:
        body = told(await http.get(f"{BASE}/stats/summary"), "data")["data"]
        today = body["today"]
        return body if {name: today[name] for name in expected} == expected else None

    found = await eventually(seen, within_s=WITHIN_S, every_s=0.1)
    assert found is not None
    return found


async def check_search(http: httpx.AsyncClient) -> None:
    for q, found in (("faktur", 3), ("FAKTUR lunas", 1), ("fakt*", 3), ("terima kasih", 1), ("pisang", 0)):
        body = told(await http.get(f"{BASE}/messages", params={"q": q}), "messages", "data", "pagination")
        assert len(body["messages"]) == found, q
        assert all(set(one) == MESSAGE_KEYS for one in body["messages"])
    failed = {"q": "faktur", "status": "failed", "direction": "out"}
    body = (await http.get(f"{BASE}/messages", params=failed)).json()
    assert [one["text"] for one in body["messages"]] == ["Faktur hilang"]


async def check_exports(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{BASE}/messages/export", params={"direction": "out"})
    table = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))
    assert sorted(row["text"] for row in table) == ["'=Terima kasih", "Faktur hilang", "Faktur lunas"]
    assert {row["errorCode"] for row in table} == {"", "NOT_ON_WHATSAPP"}
    lines = (await http.get(f"{BASE}/messages/export", params={"format": "jsonl"})).text.splitlines()
    assert [set(json.loads(line)) for line in lines] == [MESSAGE_KEYS] * 4


async def check_statistics(http: httpx.AsyncClient) -> None:
    for bucket in ("hour", "day"):
        data = told(await http.get(f"{BASE}/stats", params={"bucket": bucket}), "data")["data"]
        assert {name: data["total"][name] for name in WAY} == WAY
        assert set(data["total"]["latency"]["sent"]) == LATENCY
        assert data["total"]["latency"]["sent"]["messages"] == 2
        assert data["total"]["latency"]["sent"]["p95Ms"] >= 0
        assert len(data["series"]) == (24 if bucket == "hour" else 30)
    month = told(await http.get("/api/customer/dashboard"), "data")["data"]["whatsappSummary"]["messageStats"]
    assert month == {"sent": 2, "failed": 1}


async def test_another_customers_messages_are_in_no_list_no_file_and_no_count(
    simulated_stack: RunningStack, tenant: Tenant, network: Network
) -> None:
    async with (await make_tenant(simulated_stack, time_zone=zone_at_noon())).client() as http:
        session, number = await linked(http, network, "Toko sebelah")
        person = await network.person()
        await exchange(http, network, session, number, person)
        await counted(http, WAY)
    async with tenant.client() as http:
        assert (await http.get(f"{BASE}/messages")).json()["messages"] == []
        assert len((await http.get(f"{BASE}/messages/export")).text.splitlines()) == 1
        today = told(await http.get(f"{BASE}/stats/summary"), "data")["data"]["today"]
        assert set(today.values()) == {0}
        for path in ("stats", "stats/summary", "messages", "messages/export"):
            answer = await http.get(f"{BASE}/{path}", params={"session": session})
            assert answer.status_code == 404, path
