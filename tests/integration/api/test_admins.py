"""The platform's users and the API tokens, as the single-session dashboard manages them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.api.accounts import add_customer, add_user, bearer, sessions_with, signed_in
from tests.integration.api.edges import BASE, OWNER_PASSWORD, Site, refused

ADMINS, TOKENS = "/api/admin/admins", "/api/admin/api-tokens"
ADMIN_FIELDS = {"id", "username", "email", "role", "isActive", "createdAt"}
TOKEN_FIELDS = {"id", "name", "tokenPrefix", "lastUsedAt", "expiresAt", "isActive", "createdAt"}
NEW = {"username": "rina", "password": "secret", "role": "ADMIN"}


async def log_in(site: Site, username: str, password: str) -> httpx.Response:
    return await site.client.post("/api/admin/login", json={"username": username, "password": password})


async def make_rina(site: Site, admin: dict[str, str], **more: Any) -> str:
    answer = await site.client.post(ADMINS, headers=admin, json={**NEW, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


async def support_of(site: Site, rows: Any) -> dict[str, str]:
    return await signed_in(site, await add_user(rows, "support", None))


# --- Administrators --------------------------------------------------------------------------------------------------


async def test_an_administrator_makes_another_who_signs_in_by_either_name(site: Site) -> None:
    admin = await signed_in(site, "admin")
    await make_rina(site, admin)
    listed = (await site.client.get(ADMINS, headers=admin)).json()["data"]
    assert all(set(one) == ADMIN_FIELDS for one in listed)
    assert [(one["username"], one["role"]) for one in listed] == [("rina", "ADMIN"), ("admin", "SUPER_ADMIN")]
    for name in ("rina", "rina@localhost"):
        data = (await log_in(site, name, "secret")).json()["data"]
        assert (data["admin"]["username"], data["admin"]["role"]) == ("rina", "ADMIN")


async def test_an_administrator_is_changed_and_gets_another_password(site: Site) -> None:
    admin = await signed_in(site, "admin")
    rina = await make_rina(site, admin, email="rina@example.com")
    change = {"username": "rina.s", "email": "s@example.com", "role": "SUPER_ADMIN"}
    changed = (await site.client.put(f"{ADMINS}/{rina}", headers=admin, json=change)).json()["data"]
    assert {field: changed[field] for field in change} == change
    hers = bearer((await log_in(site, "rina.s", "secret")).json()["data"]["token"])
    assert (await site.client.get(ADMINS, headers=hers)).status_code == 200
    answer = await site.client.put(f"{ADMINS}/{rina}/password", headers=admin, json={"password": "secret2"})
    assert answer.status_code == 200
    refused(await site.client.get(ADMINS, headers=hers), 401, "INVALID_TOKEN")
    refused(await log_in(site, "rina.s", "secret"), 401, "INVALID_CREDENTIALS")
    assert (await log_in(site, "s@example.com", "secret2")).status_code == 200
    await site.client.put(f"{ADMINS}/{rina}", headers=admin, json={"isActive": False})
    refused(await log_in(site, "rina.s", "secret2"), 401, "INVALID_CREDENTIALS")


async def test_an_administrator_is_deleted(site: Site) -> None:
    admin = await signed_in(site, "admin")
    rina = await make_rina(site, admin)
    assert (await site.client.delete(f"{ADMINS}/{rina}", headers=admin)).status_code == 200
    refused(await log_in(site, "rina", "secret"), 401, "INVALID_CREDENTIALS")
    refused(await site.client.delete(f"{ADMINS}/{rina}", headers=admin), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "admin"},
        {"username": "a"},
        {"username": "with space"},
        {"password": "short"},
        {"role": "OWNER"},
        {"email": "admin@merpati.local"},
        {"email": "owner@merpati.local"},
        {"email": "nonsense"},
    ],
    ids=["taken", "too short", "a space", "password", "role", "address taken", "a customer's address", "no address"],
)
async def test_a_bad_administrator_is_refused(site: Site, fields: dict[str, str]) -> None:
    answer = await site.client.post(ADMINS, headers=await signed_in(site, "admin"), json={**NEW, **fields})
    refused(answer, 400, "VALIDATION_FAILED")


async def test_nobody_takes_away_his_own_rights(site: Site) -> None:
    admin = await signed_in(site, "admin")
    await make_rina(site, admin, role="SUPER_ADMIN")
    me = (await site.client.get("/api/auth/me", headers=admin)).json()["user"]["id"]
    refused(await site.client.delete(f"{ADMINS}/{me}", headers=admin), 400, "VALIDATION_FAILED")
    for change in ({"role": "ADMIN"}, {"isActive": False}):
        refused(await site.client.put(f"{ADMINS}/{me}", headers=admin, json=change), 400, "VALIDATION_FAILED")
    assert (await site.client.get(ADMINS, headers=admin)).status_code == 200


async def test_only_a_super_admin_manages_administrators(site: Site, rows: Any) -> None:
    for headers in (await support_of(site, rows), await signed_in(site)):
        refused(await site.client.get(ADMINS, headers=headers), 403, "FORBIDDEN")
        refused(await site.client.post(ADMINS, headers=headers, json=NEW), 403, "FORBIDDEN")
    refused(await site.client.get(ADMINS, headers=bearer(site.account.api_key)), 401, "INVALID_TOKEN")
    refused(await site.client.get(ADMINS), 401, "UNAUTHORIZED")


async def test_a_customers_user_is_no_administrator(site: Site, rows: Any) -> None:
    admin = await signed_in(site, "admin")
    owner = (await rows.users.find_one({"role": "owner"}))["_id"]
    refused(await site.client.put(f"{ADMINS}/{owner}", headers=admin, json={"role": "SUPER_ADMIN"}), 404, "NOT_FOUND")
    refused(
        await site.client.put(f"{ADMINS}/{owner}/password", headers=admin, json={"password": "secret"}),
        404,
        "NOT_FOUND",
    )
    refused(await site.client.delete(f"{ADMINS}/{owner}", headers=admin), 404, "NOT_FOUND")
    await site.sign_in(password=OWNER_PASSWORD)


# --- API tokens ------------------------------------------------------------------------------------------------------


async def test_a_token_is_a_key_of_the_default_customer(site: Site) -> None:
    admin = await signed_in(site, "admin")
    session_id = await site.make_session()
    made = (await site.client.post(TOKENS, headers=admin, json={"name": "Till", "expiresAt": "2099-01-31"})).json()
    assert set(made["data"]) == {*TOKEN_FIELDS, "token"}
    assert made["token"] == made["data"]["token"]
    listed = (await site.client.get(TOKENS, headers=admin)).json()["data"]
    assert [set(one) for one in listed] == [TOKEN_FIELDS]
    assert (listed[0]["expiresAt"], listed[0]["isActive"]) == ("2099-01-31T00:00:00.000Z", True)
    assert made["token"].startswith(listed[0]["tokenPrefix"])
    found = (await sessions_with(site, made["token"])).json()["sessions"]
    assert [one["id"] for one in found] == [session_id]
    refused(await site.client.get(f"{BASE}/apikey", headers=bearer(made["token"])), 403, "FORBIDDEN")


@pytest.mark.parametrize(("method", "suffix"), [("POST", "/revoke"), ("DELETE", "")], ids=["revoked", "deleted"])
async def test_a_token_that_is_gone_opens_nothing(site: Site, method: str, suffix: str) -> None:
    admin = await signed_in(site, "admin")
    made = (await site.client.post(TOKENS, headers=admin, json={"name": "Till", "expiresAt": ""})).json()
    assert (await sessions_with(site, made["token"])).status_code == 200
    answer = await site.client.request(method, f"{TOKENS}/{made['data']['id']}{suffix}", headers=admin)
    assert answer.json()["success"] is True
    refused(await sessions_with(site, made["token"]), 401, "INVALID_API_KEY")
    listed = (await site.client.get(TOKENS, headers=admin)).json()["data"]
    assert [one["isActive"] for one in listed] == ([False] if method == "POST" else [])


@pytest.mark.parametrize("expires_at", ["tomorrow", "2020-01-01"])
async def test_a_bad_end_is_refused(site: Site, expires_at: str) -> None:
    body = {"name": "Till", "expiresAt": expires_at}
    answer = await site.client.post(TOKENS, headers=await signed_in(site, "admin"), json=body)
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == "expiresAt"


async def test_the_primary_key_and_other_customers_keys_are_no_tokens(site: Site, rows: Any) -> None:
    admin = await signed_in(site, "admin")
    await add_customer(rows, "rival")
    rival = await signed_in(site, "rival@example.com")
    theirs = (await site.client.post(f"{BASE}/keys", headers=rival, json={"name": "Theirs"})).json()
    assert (await site.client.get(TOKENS, headers=admin)).json()["data"] == []
    for key_id in (theirs["data"]["id"], f"primary%2F{site.account.customer_id}"):
        for method, suffix in (("POST", "/revoke"), ("DELETE", "")):
            answer = await site.client.request(method, f"{TOKENS}/{key_id}{suffix}", headers=admin)
            assert answer.status_code in (404, 405), answer.text
    assert (await sessions_with(site, theirs["apiKey"])).status_code == 200
    assert (await sessions_with(site, site.account.api_key)).status_code == 200


async def test_support_sees_tokens_and_makes_none(site: Site, rows: Any) -> None:
    support = await support_of(site, rows)
    assert (await site.client.get(TOKENS, headers=support)).status_code == 200
    refused(await site.client.post(TOKENS, headers=support, json={"name": "Till"}), 403, "FORBIDDEN")
    refused(await site.client.get(TOKENS, headers=await signed_in(site)), 403, "FORBIDDEN")
