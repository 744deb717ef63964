"""The audit log: what is noted, who may read it, and its filters and pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.accounts import store_audit
from services.api.accounts.store_audit import Wanted
from tests.integration.api.accounts import NEW_PASSWORD, add_customer, add_user, bearer, new_key, signed_in
from tests.integration.api.edges import BASE, OWNER_PASSWORD, Site, refused

OWN, ALL = "/api/customer/audit", "/api/platform/audit"
FIELDS = {"id", "at", "action", "actor", "customerId", "target", "details", "address", "requestId"}


async def entries(site: Site, headers: dict[str, str], path: str = OWN, **query: Any) -> list[dict[str, Any]]:
    answer = await site.client.get(path, headers=headers, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


# --- What is noted ---------------------------------------------------------------------------------------------------


async def test_sign_ins_are_noted_the_failed_ones_too(site: Site) -> None:
    body = {"identifier": site.account.email, "password": "wrong"}
    failed = await site.client.post("/api/auth/signin", json=body)
    owner = await signed_in(site)
    await site.client.post("/api/auth/signin", json={"identifier": "hunter2", "password": "wrong"})
    noted = await entries(site, owner)
    assert [entry["action"] for entry in noted] == ["sign_in.succeeded", "sign_in.failed"]
    assert all(set(entry) == FIELDS for entry in noted)
    success, failure = noted
    assert (success["actor"]["email"], success["actor"]["role"]) == (site.account.email, "owner")
    assert (failure["actor"]["userId"], failure["target"]) == (None, success["actor"]["userId"])
    assert (failure["address"], failure["requestId"]) == ("127.0.0.1", failed.headers["x-request-id"])
    everywhere = await entries(site, await signed_in(site, "admin"), ALL, action="sign_in.failed")
    assert [entry["details"]["identifier"] for entry in everywhere] == ["hu***", "ow***"]


async def test_what_is_done_to_keys_and_users_is_noted_without_secrets(site: Site) -> None:
    owner = await signed_in(site)
    made = await new_key(site, owner)
    key = f"{BASE}/keys/{made['data']['id']}"
    await site.client.patch(key, headers=owner, json={"expiresAt": "2099-01-01T00:00:00Z", "addresses": ["127.0.0.1"]})
    rotated = (await site.client.post(f"{key}/rotate", headers=owner)).json()["apiKey"]
    await site.client.post(f"{key}/revoke", headers=owner)
    await site.client.delete(key, headers=owner)
    primary = (await site.client.post(f"{BASE}/apikey", headers=owner)).json()["apiKey"]
    body = {"name": "Sari", "email": "sari@example.com", "password": NEW_PASSWORD}
    user = (await site.client.post("/api/customer/users", headers=owner, json=body)).json()["data"]["id"]
    await site.client.post(f"/api/customer/users/{user}/password", headers=owner, json={"password": "a third horse"})
    await site.client.delete(f"/api/customer/users/{user}", headers=owner)
    noted = await entries(site, owner)
    assert [entry["action"] for entry in noted[:-1]] == [
        *("user.deleted", "user.password_reset", "user.created", "key.replaced"),
        *("key.deleted", "key.revoked", "key.rotated", "key.changed", "key.created"),
    ]
    assert [entry["target"] for entry in noted[4:9]] == [made["data"]["id"]] * 5
    secrets = (made["apiKey"], rotated, primary, NEW_PASSWORD, "a third horse", OWNER_PASSWORD)
    assert not [secret for secret in secrets if secret in str(noted)]


async def test_what_a_key_does_is_noted_as_the_keys(site: Site) -> None:
    made = await new_key(site, scopes=["admin"])
    await new_key(site, bearer(made["apiKey"]))
    (entry, *_) = await entries(site, await signed_in(site), action="key.created")
    assert (entry["actor"]["keyId"], entry["actor"]["userId"]) == (made["data"]["id"], None)


async def test_entries_end_after_their_time(site: Site, rows: Any) -> None:
    await signed_in(site)
    entry = await rows.audit.find_one()
    assert entry["expiresAt"] - entry["createdAt"] == timedelta(days=365)
    (ttl,) = [one for one in (await rows.audit.index_information()).values() if "expireAfterSeconds" in one]
    assert (list(ttl["key"]), ttl["expireAfterSeconds"]) == ([("expiresAt", 1)], 0)


# --- Who may read ----------------------------------------------------------------------------------------------------


async def test_a_customer_reads_its_own_log_alone(site: Site, rows: Any) -> None:
    await add_customer(rows, "rival")
    rival, owner = await signed_in(site, "rival@example.com"), await signed_in(site)
    await new_key(site, rival)
    assert {entry["customerId"] for entry in await entries(site, owner)} == {site.account.customer_id}
    assert await entries(site, owner, customer="cus_rival") == await entries(site, owner)
    seen = {entry["customerId"] for entry in await entries(site, await signed_in(site, "admin"), ALL)}
    assert seen == {site.account.customer_id, "cus_rival", None}


async def test_members_read_no_log_and_customers_not_the_platforms(site: Site, rows: Any) -> None:
    member = await signed_in(site, await add_user(rows, "member", site.account.customer_id))
    refused(await site.client.get(OWN, headers=member), 403, "FORBIDDEN")
    refused(await site.client.get(ALL, headers=await signed_in(site)), 403, "FORBIDDEN")
    refused(await site.client.get(ALL, headers=bearer(site.account.api_key)), 401, "INVALID_TOKEN")
    support = await signed_in(site, await add_user(rows, "support", None))
    assert (await site.client.get(ALL, headers=support)).status_code == 200


# --- Filters and pages -----------------------------------------------------------------------------------------------


async def test_the_log_is_filtered(site: Site) -> None:
    owner = await signed_in(site)
    made = [await new_key(site, owner, name=f"Key {number}") for number in range(3)]
    key_id, me = made[1]["data"]["id"], (await site.client.get("/api/auth/me", headers=owner)).json()["user"]["id"]
    assert len(await entries(site, owner, action="key")) == 3
    assert len(await entries(site, owner, action="key.created")) == 3
    assert await entries(site, owner, action="ke") == []
    assert [entry["target"] for entry in await entries(site, owner, target=key_id)] == [key_id]
    assert len(await entries(site, owner, user=me)) == 4
    assert await entries(site, owner, user="usr_other") == []
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert len(await entries(site, owner, to=soon)) == 4
    assert await entries(site, owner, **{"from": soon}) == []
    admin = await signed_in(site, "admin")
    assert len(await entries(site, admin, ALL, customer=site.account.customer_id, action="key")) == 3
    assert await entries(site, admin, ALL, customer="cus_other") == []


async def test_pages_join_without_gap_or_repeat(site: Site, rows: Any) -> None:
    owner = await signed_in(site)
    await rows.audit.delete_many({})
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await rows.audit.insert_many(
        {
            "_id": f"{number:03}",
            "createdAt": at + timedelta(milliseconds=number // 4),  # several in one millisecond
            "expiresAt": at + timedelta(days=4000),
            "action": "key.created",
            "customerId": site.account.customer_id,
            "requestId": "",
        }
        for number in range(25)
    )
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await site.client.get(OWN, headers=owner, params={"limit": 6, "cursor": cursor})
        body = answer.json()
        found += [entry["id"] for entry in body["data"]]
        cursor = body["pagination"]["next"]
        assert body["pagination"]["hasMore"] is (cursor is not None)
    assert found == [f"{number:03}" for number in reversed(range(25))]


@pytest.mark.parametrize("query", ["cursor=x", "cursor=99999999999999999999-a", "limit=0", "limit=201", "from=never"])
async def test_a_bad_question_is_refused(site: Site, query: str) -> None:
    refused(await site.client.get(f"{OWN}?{query}", headers=await signed_in(site)), 400, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(customer_id="cus_1"),
        Wanted(customer_id="cus_1", action="key.created"),
        Wanted(),
        Wanted(action="key.created"),
        Wanted(user_id="usr_1"),
        Wanted(target="key_1"),
    ],
    ids=["own", "own by action", "all", "all by action", "all by user", "all by target"],
)
async def test_the_log_is_read_by_an_index_in_its_order(site: Site, rows: Any, wanted: Wanted) -> None:
    await rows.audit.insert_many(
        {"_id": str(number), "customerId": f"cus_{number % 3}", "action": "key.created", "createdAt": datetime.now(UTC)}
        for number in range(100)
    )
    query = rows.audit.find(store_audit.condition_of(wanted)).sort(store_audit.NEWEST_FIRST).limit(10)
    plan = str((await query.explain())["queryPlanner"]["winningPlan"])
    assert "IXSCAN" in plan
    assert "'SORT'" not in plan
