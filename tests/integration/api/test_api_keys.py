"""The primary API key: readable to its owner, replaced at once, in every edge."""

from __future__ import annotations

import asyncio
from typing import Any

from services.api.access.keys import key_hash
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, Site, believing, refused, until


async def is_refused(site: Site) -> bool:
    """Whether the edge refuses the bootstrap's key."""
    return (await site.call("GET", "/sessions")).status_code == 401


async def test_the_key_is_shown_to_its_owner_and_stored_sealed(site: Site, rows: Any) -> None:
    body = (await site.call("GET", "/apikey")).json()
    assert body["apiKey"] == body["data"]["apiKey"] == site.account.api_key
    assert body["apiKey"].startswith("gf_")
    assert set(body["data"]) == {"apiKey", "name", "isActive", "createdAt"}
    assert body["message"]
    row = await rows["keys"].find_one()
    assert row["hash"] == key_hash(site.account.api_key)
    assert site.account.api_key not in str(row)


async def test_one_is_made_when_there_is_none(site: Site, rows: Any) -> None:
    token = {"Authorization": f"Bearer {await site.sign_in()}"}
    await rows["keys"].delete_many({})
    answers = await asyncio.gather(*(site.client.get(f"{BASE}/apikey", headers=token) for _ in range(6)))
    keys = {answer.json()["apiKey"] for answer in answers}
    assert len(keys) == 1
    assert (await site.client.get(f"{BASE}/sessions", headers={"X-API-Key": keys.pop()})).status_code == 200


async def test_a_new_key_kills_the_old_one_in_every_edge(site: Site, open_site: SiteMaker) -> None:
    async with open_site() as other:
        await believing(other)
        for edge in (site, other):  # both believe it now
            assert (await edge.call("GET", "/sessions")).status_code == 200
        body = (await site.call("POST", "/apikey", json={"name": "Second"})).json()
        assert (body["data"]["name"], body["data"]["isActive"]) == ("Second", True)
        refused(await site.call("GET", "/sessions"), 401, "INVALID_API_KEY")
        await until(lambda: is_refused(other))
        fresh = {"X-API-Key": body["apiKey"]}
        assert (await other.client.get(f"{BASE}/sessions", headers=fresh)).status_code == 200


async def test_a_body_is_optional(site: Site) -> None:
    assert (await site.call("POST", "/apikey")).status_code == 200


async def test_a_change_that_nobody_told_is_noticed_after_the_beliefs_life(site: Site, rows: Any) -> None:
    at = 0.0
    await believing(site, life_s=5, clock=lambda: at)
    assert (await site.call("GET", "/sessions")).status_code == 200
    await rows["keys"].delete_many({})
    at = 4.9
    assert (await site.call("GET", "/sessions")).status_code == 200  # still believed
    at = 5.0
    refused(await site.call("GET", "/sessions"), 401, "INVALID_API_KEY")
