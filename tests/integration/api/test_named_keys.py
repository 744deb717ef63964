"""Named keys: shown once, narrow, rotated with an overlap, gone at once in every edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.access.keys import key_hash
from tests.integration.api.accounts import add_customer, add_user, bearer, new_key, sessions_with, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, Site, believing, refused, until

FIELDS = {
    *("id", "name", "prefix", "isPrimary", "isActive", "scopes", "sessions", "addresses", "requestsPerMinute"),
    *("messagesPerMinute", "expiresAt", "lastUsedAt", "formerUntil", "createdAt"),
}


async def until_refused(site: Site, api_key: str) -> None:
    async def is_refused() -> bool:
        return (await sessions_with(site, api_key)).status_code == 401

    await until(is_refused)


# --- Made and shown --------------------------------------------------------------------------------------------------


async def test_a_key_is_shown_once_and_stored_as_a_hash(site: Site, rows: Any) -> None:
    made = await new_key(site)
    row = await rows["keys"].find_one({"_id": made["data"]["id"]})
    assert (row["hash"], row["sealed"]) == (key_hash(made["apiKey"]), None)
    assert made["apiKey"] not in str(row)
    assert made["apiKey"].startswith(made["data"]["prefix"])
    owner = await signed_in(site)
    listed = (await site.client.get(f"{BASE}/keys", headers=owner)).json()
    assert [one["name"] for one in listed["data"]] == ["Till", "Primary key"]
    assert all(set(one) == FIELDS for one in listed["data"])
    assert made["apiKey"] not in str(listed)
    assert site.account.api_key not in str(listed)
    assert listed["pagination"] == {"total": 2, "limit": 50, "offset": 0, "hasMore": False}
    assert (await sessions_with(site, made["apiKey"])).status_code == 200


async def test_a_page_of_keys(site: Site) -> None:
    owner = await signed_in(site)
    for number in range(3):
        await new_key(site, owner, name=f"Key {number}")
    page = (await site.client.get(f"{BASE}/keys?limit=2&offset=1", headers=owner)).json()
    assert [one["name"] for one in page["data"]] == ["Key 1", "Key 0"]
    assert page["pagination"] == {"total": 4, "limit": 2, "offset": 1, "hasMore": True}


async def test_an_account_has_so_many_keys_and_no_more(open_site: SiteMaker) -> None:
    async with open_site(keys_most=2) as site:
        await new_key(site)
        answer = await site.client.post(f"{BASE}/keys", headers=await signed_in(site), json={"name": "Third"})
        refused(answer, 409, "NOT_POSSIBLE")


# --- Narrow ----------------------------------------------------------------------------------------------------------


async def test_a_key_is_for_its_sessions_alone(site: Site) -> None:
    mine, other = await site.make_session("Mine"), await site.make_session("Other")
    made = await new_key(site, sessions=["Mine", mine])
    assert made["data"]["sessions"] == [mine]
    listed = (await sessions_with(site, made["apiKey"])).json()
    assert [one["id"] for one in listed["sessions"]] == [mine]
    answer = await site.client.get(f"{BASE}/sessions/{other}", headers=bearer(made["apiKey"]))
    refused(answer, 404, "SESSION_NOT_FOUND")


async def test_a_key_is_for_its_scopes_alone(site: Site) -> None:
    key = bearer((await new_key(site, scopes=["send"]))["apiKey"])
    refused(await site.client.get(f"{BASE}/sessions", headers=key), 403, "FORBIDDEN")
    refused(await site.client.get(f"{BASE}/keys", headers=key), 403, "FORBIDDEN")


async def test_a_key_ends(site: Site, rows: Any) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await new_key(site, expiresAt=end)
    assert (await sessions_with(site, made["apiKey"])).status_code == 200
    await rows["keys"].update_one({"_id": made["data"]["id"]}, {"$set": {"expiresAt": datetime.now(UTC)}})
    await site.edge.memory.drop(f"key/{made['data']['id']}")
    refused(await sessions_with(site, made["apiKey"]), 401, "INVALID_API_KEY")
    owner = await signed_in(site)
    shown = (await site.client.get(f"{BASE}/keys/{made['data']['id']}", headers=owner)).json()["data"]
    assert shown["isActive"] is False


async def test_a_key_is_for_its_addresses_alone(open_site: SiteMaker) -> None:
    async with open_site(trusted_proxies="127.0.0.1") as site:
        key = (await new_key(site, addresses=["203.0.113.0/24", "2001:db8::1"]))["apiKey"]
        for right in ("203.0.113.77", "2001:db8::1", "198.51.100.9, 203.0.113.77"):
            assert (await sessions_with(site, key, **{"X-Forwarded-For": right})).status_code == 200
        for wrong in ("198.51.100.9", "203.0.113.77, 198.51.100.9", "2001:db8::2", ""):
            refused(await sessions_with(site, key, **{"X-Forwarded-For": wrong}), 403, "FORBIDDEN")
        send = f"/api/services/whatsapp/chat/any/{key}"
        refused(await site.client.get(send, headers={"X-Forwarded-For": "198.51.100.9"}), 403, "FORBIDDEN")


async def test_nobody_believes_a_forwarded_address_without_the_setting(site: Site) -> None:
    key = (await new_key(site, addresses=["203.0.113.0/24"]))["apiKey"]
    refused(await sessions_with(site, key, **{"X-Forwarded-For": "203.0.113.77"}), 403, "FORBIDDEN")
    here = (await new_key(site, addresses=["127.0.0.0/8"]))["apiKey"]
    assert (await sessions_with(site, here, **{"X-Forwarded-For": "203.0.113.77"})).status_code == 200


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes[0]"),
        ({"name": ""}, "name"),
        ({"addresses": ["203.0.113.0/33"]}, "addresses"),
        ({"addresses": []}, "addresses"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"requestsPerMinute": -1}, "requestsPerMinute"),
        ({"messagesPerMinute": 1e12}, "messagesPerMinute"),
        ({"sessions": ["Sales"], "scopes": ["admin"]}, "scopes"),
    ],
    ids=[
        "no scope",
        "no such scope",
        "no name",
        "no network",
        "no address",
        "past",
        "no time",
        "negative",
        "huge",
        "wide",
    ],
)
async def test_a_bad_key_is_refused(site: Site, fields: dict[str, Any], path: str) -> None:
    await site.make_session("Sales")
    answer = await site.client.post(f"{BASE}/keys", headers=await signed_in(site), json={"name": "Till", **fields})
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == path


async def test_a_key_for_a_session_that_is_not_there_is_refused(site: Site, rows: Any) -> None:
    await add_customer(rows, "rival")
    theirs = await site.make_session("Theirs")
    await rows.sessions.update_one({"_id": theirs}, {"$set": {"customerId": "cus_rival"}})
    for session in ("nothing", theirs):
        body = {"name": "Till", "sessions": [session]}
        answer = await site.client.post(f"{BASE}/keys", headers=await signed_in(site), json=body)
        refused(answer, 404, "SESSION_NOT_FOUND")


# --- Changed, rotated, gone ------------------------------------------------------------------------------------------


async def test_a_change_holds_in_every_edge_at_once(site: Site, open_site: SiteMaker) -> None:
    made = await new_key(site)
    owner, path = await signed_in(site), f"{BASE}/keys/{made['data']['id']}"
    async with open_site() as other:
        await believing(other)
        for edge in (site, other):  # both believe it now
            assert (await sessions_with(edge, made["apiKey"])).status_code == 200
        changed = await site.client.patch(path, headers=owner, json={"scopes": ["send"], "name": "Narrow"})
        assert (changed.json()["data"]["scopes"], changed.json()["data"]["name"]) == (["send"], "Narrow")

        async def is_forbidden() -> bool:
            return (await sessions_with(other, made["apiKey"])).status_code == 403

        await until(is_forbidden)
    refused(await sessions_with(site, made["apiKey"]), 403, "FORBIDDEN")


async def test_null_lifts_a_restriction_and_what_is_left_out_stays(site: Site) -> None:
    made = await new_key(site, addresses=["203.0.113.7"], requestsPerMinute=5)
    path = f"{BASE}/keys/{made['data']['id']}"
    changed = await site.client.patch(path, headers=await signed_in(site), json={"addresses": None})
    assert (changed.json()["data"]["addresses"], changed.json()["data"]["requestsPerMinute"]) == (None, 5)
    assert (await sessions_with(site, made["apiKey"])).status_code == 200


async def test_a_rotation_ends_the_key_before_at_once(site: Site, open_site: SiteMaker) -> None:
    made = await new_key(site)
    async with open_site() as other:
        await believing(other)
        assert (await sessions_with(other, made["apiKey"])).status_code == 200
        path = f"{BASE}/keys/{made['data']['id']}/rotate"
        rotated = (await site.client.post(path, headers=await signed_in(site))).json()
        assert rotated["data"]["id"] == made["data"]["id"]
        refused(await sessions_with(site, made["apiKey"]), 401, "INVALID_API_KEY")
        await until_refused(other, made["apiKey"])
        assert (await sessions_with(other, rotated["apiKey"])).status_code == 200


async def test_a_rotation_with_an_overlap_lets_both_work_until_it_ends(site: Site, rows: Any) -> None:
    made = await new_key(site)
    path = f"{BASE}/keys/{made['data']['id']}/rotate"
    rotated = (await site.client.post(path, headers=await signed_in(site), json={"overlap": 3600})).json()
    assert rotated["data"]["formerUntil"] is not None
    for api_key in (made["apiKey"], rotated["apiKey"]):
        assert (await sessions_with(site, api_key)).status_code == 200
    await rows["keys"].update_one({"_id": made["data"]["id"]}, {"$set": {"formerUntil": datetime.now(UTC)}})
    await site.edge.memory.drop(f"key/{made['data']['id']}")
    refused(await sessions_with(site, made["apiKey"]), 401, "INVALID_API_KEY")
    assert (await sessions_with(site, rotated["apiKey"])).status_code == 200


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/revoke"), ("DELETE", "")], ids=["revoked", "deleted"])
async def test_a_key_that_is_gone_is_refused_in_every_edge(
    site: Site, open_site: SiteMaker, method: str, suffix: str
) -> None:
    made = await new_key(site)
    owner, path = await signed_in(site), f"{BASE}/keys/{made['data']['id']}"
    async with open_site() as other:
        await believing(other)
        assert (await sessions_with(other, made["apiKey"])).status_code == 200
        answer = await site.client.request(method, path + suffix, headers=owner)
        assert answer.status_code == 200
        await until_refused(other, made["apiKey"])
    listed = (await site.client.get(f"{BASE}/keys", headers=owner)).json()["data"]
    left = {one["id"]: one["isActive"] for one in listed if not one["isPrimary"]}
    assert left == ({made["data"]["id"]: False} if method == "POST" else {})


# --- The primary key -------------------------------------------------------------------------------------------------


async def test_the_primary_key_takes_addresses_and_rates_which_outlive_its_replacement(site: Site) -> None:
    owner = await signed_in(site)
    change = {"addresses": ["127.0.0.1"], "requestsPerMinute": 7}
    shown = (await site.client.patch(f"{BASE}/keys/primary", headers=owner, json=change)).json()["data"]
    assert (shown["id"], shown["isPrimary"], shown["addresses"]) == ("primary", True, ["127.0.0.1/32"])
    await site.client.post(f"{BASE}/apikey", headers=owner)
    shown = (await site.client.get(f"{BASE}/keys/primary", headers=owner)).json()["data"]
    assert (shown["addresses"], shown["requestsPerMinute"]) == (["127.0.0.1/32"], 7)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"scopes": ["read"]}),
        ("PATCH", "", {"expiresAt": "2099-01-01T00:00:00Z"}),
        ("PATCH", "", {"isActive": False}),
        ("POST", "/rotate", None),
        ("POST", "/revoke", None),
        ("DELETE", "", None),
    ],
    ids=["scopes", "end", "off", "rotated", "revoked", "deleted"],
)
async def test_the_primary_key_cannot_be_narrowed_or_ended(site: Site, method: str, path: str, body: Any) -> None:
    answer = await site.client.request(method, f"{BASE}/keys/primary{path}", headers=await signed_in(site), json=body)
    refused(answer, 409, "NOT_POSSIBLE")
    assert (await sessions_with(site, site.account.api_key)).status_code == 200


# --- Who may ---------------------------------------------------------------------------------------------------------


async def test_members_and_keys_for_some_sessions_manage_no_keys(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    member = await signed_in(site, await add_user(rows, "member", site.account.customer_id))
    made = await new_key(site, scopes=["admin", "read"])
    await rows["keys"].update_one({"_id": made["data"]["id"]}, {"$set": {"sessionIds": [session_id]}})
    for headers in (member, bearer(made["apiKey"])):
        for method, path in (("GET", "/keys"), ("POST", "/keys"), ("GET", "/apikey"), ("GET", "/keys/primary")):
            body = {"name": "Mine"} if method == "POST" else None
            refused(await site.client.request(method, BASE + path, headers=headers, json=body), 403, "FORBIDDEN")


async def test_another_customers_key_is_not_there(site: Site, rows: Any) -> None:
    made = await new_key(site)
    await add_customer(rows, "rival")
    rival = await signed_in(site, "rival@example.com")
    path = f"{BASE}/keys/{made['data']['id']}"
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"name": "Mine"}),
        ("POST", "/rotate", None),
        ("POST", "/revoke", None),
        ("DELETE", "", None),
    ]
    for method, suffix, body in calls:
        refused(await site.client.request(method, path + suffix, headers=rival, json=body), 404, "NOT_FOUND")
    assert (await sessions_with(site, made["apiKey"])).status_code == 200


# --- Last use --------------------------------------------------------------------------------------------------------


async def test_the_last_use_is_noted_once_a_minute(site: Site, open_site: SiteMaker, rows: Any) -> None:
    made = await new_key(site)
    key_id = {"_id": made["data"]["id"]}
    assert made["data"]["lastUsedAt"] is None
    await sessions_with(site, made["apiKey"])

    async def is_noted() -> bool:
        return (await rows["keys"].find_one(key_id))["lastUsedAt"] is not None

    await until(is_noted)
    first = (await rows["keys"].find_one(key_id))["lastUsedAt"]
    async with open_site() as second, open_site() as third:
        await used_and_noted(second, made["apiKey"])
        assert (await rows["keys"].find_one(key_id))["lastUsedAt"] == first
        await rows["keys"].update_one(key_id, {"$set": {"lastUsedAt": first - timedelta(minutes=2)}})
        await used_and_noted(second, made["apiKey"])  # which has looked within the minute
        assert (await rows["keys"].find_one(key_id))["lastUsedAt"] < first
        await used_and_noted(third, made["apiKey"])
        assert (await rows["keys"].find_one(key_id))["lastUsedAt"] >= first


async def used_and_noted(site: Site, api_key: str) -> None:
    """Use the key, and wait for what the edge writes of it."""
    await sessions_with(site, api_key)
    await site.edge.uses.stop()
