"""The users of a customer: made, changed and ended by its owners, of whom one is always left."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.integration.api.accounts import NEW_PASSWORD, add_customer, add_user, bearer, new_key, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, OWNER_PASSWORD, Site, believing, refused, until

USERS = "/api/customer/users"
SARI = {"name": "Bu Sari", "email": "Sari@Example.com", "password": NEW_PASSWORD}
FIELDS = {"id", "name", "email", "phone", "role", "customerId", "username", "isActive", "createdAt"}


async def make_sari(site: Site, owner: dict[str, str], **more: Any) -> str:
    answer = await site.client.post(USERS, headers=owner, json={**SARI, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


async def sign_in(site: Site, email: str, password: str) -> httpx.Response:
    return await site.client.post("/api/auth/signin", json={"email": email, "password": password})


# --- Made and listed -------------------------------------------------------------------------------------------------


async def test_an_owner_makes_a_member_who_signs_in(site: Site) -> None:
    owner = await signed_in(site)
    user_id = await make_sari(site, owner)
    token = (await sign_in(site, "sari@example.com", NEW_PASSWORD)).json()["data"]["token"]
    assert (await site.client.get(f"{BASE}/sessions", headers=bearer(token))).status_code == 200
    refused(await site.client.get(f"{BASE}/apikey", headers=bearer(token)), 403, "FORBIDDEN")
    listed = (await site.client.get(USERS, headers=owner)).json()
    assert (listed["data"][0]["id"], listed["data"][0]["role"]) == (user_id, "member")
    assert all(set(one) == FIELDS for one in listed["data"])
    assert listed["pagination"]["total"] == 2
    page = (await site.client.get(f"{USERS}?limit=1&offset=1", headers=owner)).json()
    assert [one["email"] for one in page["data"]] == [site.account.email]


async def test_a_second_owner_may_do_what_the_first_may(site: Site) -> None:
    await make_sari(site, await signed_in(site), role="owner")
    token = (await sign_in(site, "sari@example.com", NEW_PASSWORD)).json()["data"]["token"]
    assert (await site.client.get(USERS, headers=bearer(token))).status_code == 200
    assert (await site.client.get(f"{BASE}/apikey", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"email": "owner@merpati.local"}, "email"),
        ({"email": "ADMIN@merpati.local"}, "email"),
        ({"email": "nonsense"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 300}, "password"),
        ({"role": "admin"}, "role"),
        ({"role": "support"}, "role"),
        ({"name": "  "}, "name"),
        ({"phone": "abc"}, "phone"),
    ],
    ids=["taken", "an administrator's", "no address", "short", "long", "admin", "support", "no name", "no phone"],
)
async def test_a_bad_user_is_refused(site: Site, fields: dict[str, Any], path: str) -> None:
    answer = await site.client.post(USERS, headers=await signed_in(site), json={**SARI, **fields})
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == path


async def test_a_customer_has_so_many_users_and_no_more(open_site: SiteMaker) -> None:
    async with open_site(users_most=2) as site:
        owner = await signed_in(site)
        bodies = [{**SARI, "email": f"user{number}@example.com"} for number in range(4)]
        answers = await asyncio.gather(*(site.client.post(USERS, headers=owner, json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


# --- Changed ---------------------------------------------------------------------------------------------------------


async def test_a_user_is_changed(site: Site) -> None:
    owner = await signed_in(site)
    user_id = await make_sari(site, owner, phone="0811 1111")
    changed = await site.client.patch(f"{USERS}/{user_id}", headers=owner, json={"name": "Sari", "phone": None})
    assert (changed.json()["data"]["name"], changed.json()["data"]["phone"]) == ("Sari", None)
    shown = (await site.client.get(f"{USERS}/{user_id}", headers=owner)).json()["data"]
    assert (shown["name"], shown["role"], shown["isActive"]) == ("Sari", "member", True)
    refused(await site.client.patch(f"{USERS}/{user_id}", headers=owner, json={}), 400, "VALIDATION_FAILED")


@pytest.mark.parametrize("change", [{"isActive": False}, {"role": "owner"}], ids=["switched off", "another role"])
async def test_who_is_switched_off_or_gets_another_role_is_signed_out_in_every_edge(
    site: Site, open_site: SiteMaker, change: dict[str, Any]
) -> None:
    owner = await signed_in(site)
    user_id = await make_sari(site, owner)
    token = bearer((await sign_in(site, "sari@example.com", NEW_PASSWORD)).json()["data"]["token"])
    async with open_site() as other:
        await believing(other)
        assert (await other.client.get("/api/auth/me", headers=token)).status_code == 200
        assert (await site.client.patch(f"{USERS}/{user_id}", headers=owner, json=change)).status_code == 200

        async def is_out() -> bool:
            return (await other.client.get("/api/auth/me", headers=token)).status_code == 401

        await until(is_out)
    expected = 401 if "isActive" in change else 200
    assert (await sign_in(site, "sari@example.com", NEW_PASSWORD)).status_code == expected


async def test_who_is_deleted_is_out_and_the_address_is_free(site: Site, rows: Any) -> None:
    owner = await signed_in(site)
    user_id = await make_sari(site, owner)
    token = bearer((await sign_in(site, "sari@example.com", NEW_PASSWORD)).json()["data"]["token"])
    assert (await site.client.delete(f"{USERS}/{user_id}", headers=owner)).status_code == 200
    refused(await site.client.get("/api/auth/me", headers=token), 401, "INVALID_TOKEN")
    assert await rows.logins.count_documents({"userId": user_id}) == 0
    refused(await site.client.get(f"{USERS}/{user_id}", headers=owner), 404, "NOT_FOUND")
    await make_sari(site, owner)


async def test_an_owner_gives_a_member_another_password(site: Site) -> None:
    owner = await signed_in(site)
    user_id = await make_sari(site, owner)
    token = bearer((await sign_in(site, "sari@example.com", NEW_PASSWORD)).json()["data"]["token"])
    answer = await site.client.post(f"{USERS}/{user_id}/password", headers=owner, json={"password": "a third horse"})
    assert answer.status_code == 200
    refused(await site.client.get("/api/auth/me", headers=token), 401, "INVALID_TOKEN")
    refused(await sign_in(site, "sari@example.com", NEW_PASSWORD), 401, "INVALID_CREDENTIALS")
    assert (await sign_in(site, "sari@example.com", "a third horse")).status_code == 200


async def test_an_owner_signs_a_member_out(site: Site) -> None:
    owner = await signed_in(site)
    user_id = await make_sari(site, owner)
    token = bearer((await sign_in(site, "sari@example.com", NEW_PASSWORD)).json()["data"]["token"])
    answer = await site.client.post(f"{USERS}/{user_id}/sign-out", headers=owner)
    assert answer.json()["message"] == "1 sign-ins have ended"
    refused(await site.client.get("/api/auth/me", headers=token), 401, "INVALID_TOKEN")


# --- The last owner --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "body"),
    [("DELETE", None), ("PATCH", {"role": "member"}), ("PATCH", {"isActive": False})],
    ids=["deleted", "demoted", "switched off"],
)
async def test_the_last_owner_stays(site: Site, rows: Any, method: str, body: Any) -> None:
    owner = await signed_in(site)
    await add_user(rows, "member", site.account.customer_id)
    me = (await site.client.get("/api/auth/me", headers=owner)).json()["user"]["id"]
    refused(await site.client.request(method, f"{USERS}/{me}", headers=owner, json=body), 409, "NOT_POSSIBLE")
    assert (await site.client.get("/api/auth/me", headers=owner)).json()["user"]["role"] == "owner"


async def test_of_two_owners_who_end_each_other_at_once_one_stays(site: Site, open_site: SiteMaker, rows: Any) -> None:
    async with open_site() as other:
        for number in range(5):
            email = await add_user(rows, "owner", site.account.customer_id, name=f"second{number}")
            tokens = await signed_in(site), await signed_in(site, email)
            ids = [(await site.client.get("/api/auth/me", headers=one)).json()["user"]["id"] for one in tokens]
            off = {"isActive": False}
            answers = await asyncio.gather(
                site.client.patch(f"{USERS}/{ids[1]}", headers=tokens[0], json=off),
                other.client.patch(f"{USERS}/{ids[0]}", headers=tokens[1], json=off),
            )
            assert await rows.users.count_documents({"customerId": site.account.customer_id, "isActive": True}) == 1
            assert sorted(answer.status_code for answer in answers)[0] == 200
            await rows.users.update_many({"customerId": site.account.customer_id}, {"$set": {"isActive": True}})
            await rows.users.delete_one({"_id": f"usr_second{number}"})


# --- Who may ---------------------------------------------------------------------------------------------------------


async def test_members_and_keys_manage_no_users(site: Site, rows: Any) -> None:
    member = await signed_in(site, await add_user(rows, "member", site.account.customer_id))
    key = bearer((await new_key(site, scopes=["admin", "read"]))["apiKey"])
    for headers in (member, key):
        refused(await site.client.get(USERS, headers=headers), 403, "FORBIDDEN")
        refused(await site.client.post(USERS, headers=headers, json=SARI), 403, "FORBIDDEN")


async def test_another_customers_user_is_not_there(site: Site, rows: Any) -> None:
    await add_customer(rows, "rival")
    owner = await signed_in(site)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"name": "Mine"}),
        ("POST", "/password", {"password": NEW_PASSWORD}),
        ("POST", "/sign-out", None),
        ("DELETE", "", None),
    ]
    admin_id = (await rows.users.find_one({"role": "admin"}))["_id"]
    for user_id in ("usr_rival", admin_id, "nobody"):
        for method, suffix, body in calls:
            answer = await site.client.request(method, f"{USERS}/{user_id}{suffix}", headers=owner, json=body)
            refused(answer, 404, "NOT_FOUND")
    assert (await sign_in(site, "rival@example.com", OWNER_PASSWORD)).status_code == 200


async def test_an_administrator_manages_the_users_of_a_customer(site: Site) -> None:
    admin = await signed_in(site, "admin")
    answer = await site.client.post(f"{USERS}?customer={site.account.customer_id}", headers=admin, json=SARI)
    assert answer.json()["data"]["customerId"] == site.account.customer_id


# --- The platform ----------------------------------------------------------------------------------------------------


async def test_an_administrator_finds_a_user_and_makes_up_a_password(site: Site, rows: Any) -> None:
    await add_customer(rows, "rival")
    admin = await signed_in(site, "admin")
    found = (await site.client.get("/api/platform/users?q=RIVAL", headers=admin)).json()
    assert [one["id"] for one in found["data"]] == ["usr_rival"]
    narrowed = (await site.client.get("/api/platform/users?customer=cus_rival&role=member", headers=admin)).json()
    assert narrowed["data"] == []
    old = await signed_in(site, "rival@example.com")
    made = (await site.client.post("/api/platform/users/usr_rival/password", headers=admin)).json()["data"]
    refused(await site.client.get("/api/auth/me", headers=old), 401, "INVALID_TOKEN")
    assert (await sign_in(site, "rival@example.com", made["password"])).status_code == 200
    body = {"password": "given horse"}
    given = await site.client.post("/api/platform/users/usr_rival/password", headers=admin, json=body)
    assert "password" not in given.json()["data"]
    assert (await sign_in(site, "rival@example.com", "given horse")).status_code == 200


async def test_only_administrators_reset_passwords_of_all(site: Site, rows: Any) -> None:
    support = await signed_in(site, await add_user(rows, "support", None))
    assert (await site.client.get("/api/platform/users", headers=support)).status_code == 200
    for headers in (support, await signed_in(site)):
        refused(await site.client.post("/api/platform/users/usr_x/password", headers=headers), 403, "FORBIDDEN")
    for headers in (await signed_in(site), bearer(site.account.api_key)):
        status = (await site.client.get("/api/platform/users", headers=headers)).status_code
        assert status in (401, 403)
