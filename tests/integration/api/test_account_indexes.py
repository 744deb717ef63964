"""Every query about users, sign-ins, keys, attempts and rates is served by an index, in the order it is listed in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.api.accounts import NEW_PASSWORD, new_key, sessions_with, signed_in
from tests.integration.api.edges import BASE, Site

OURS = ("users", "logins", "keys", "attempts", "rate_windows", "audit")


@pytest.fixture
async def profiled(site: Site, rows: Any) -> AsyncIterator[Any]:
    """The database, which writes down what it does for the edge."""
    await rows.command("profile", 2)
    yield rows
    await rows.command("profile", 0)
    await rows.drop_collection("system.profile")


async def test_no_query_reads_a_whole_collection_or_sorts(site: Site, profiled: Any) -> None:
    owner, admin = await signed_in(site), await signed_in(site, "admin")
    made = await new_key(site, owner, requestsPerMinute=10)
    await site.client.post(f"{BASE}/keys/{made['data']['id']}/rotate", headers=owner, json={"overlap": 60})
    await sessions_with(site, made["apiKey"])
    await site.edge.uses.stop()
    await site.client.post("/api/auth/signin", json={"identifier": "nobody", "password": NEW_PASSWORD})
    for path in (f"{BASE}/keys", "/api/customer/users", "/api/auth/logins", "/api/customer/audit"):
        assert (await site.client.get(path, headers=owner)).status_code == 200
    for path in ("/api/admin/admins", "/api/platform/users", "/api/platform/audit", "/api/platform/users?q=ow"):
        assert (await site.client.get(path, headers=admin)).status_code == 200
    await site.client.post("/api/auth/logins/revoke-others", headers=owner)

    done = await profiled["system.profile"].find({"planSummary": {"$exists": True}}).to_list()
    mine = [op for op in done if op["ns"].partition(".")[2] in OURS]
    assert {op["ns"].partition(".")[2] for op in mine} == set(OURS)
    assert [op["command"] for op in mine if "COLLSCAN" in op["planSummary"]] == []
    assert [op["command"] for op in mine if op.get("hasSortStage") and "email" not in str(op["command"])] == []
