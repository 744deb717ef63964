"""Signing in and out, one's profile, and what a role or a key may do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.api.accounts import add_user, bearer
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, OWNER_PASSWORD, Site, believing, refused, until

# --- In --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["identifier", "email", "username"])
async def test_the_owner_signs_in(site: Site, field: str) -> None:
    answer = await site.client.post(
        "/api/auth/signin", json={field: "Owner@Merpati.local", "password": OWNER_PASSWORD, "remember": True}
    )
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert set(data["user"]) == {"id", "name", "email", "phone", "role"}
    assert (data["user"]["email"], data["user"]["role"]) == ("owner@merpati.local", "owner")
    me = await site.client.get("/api/auth/me", headers=bearer(data["token"]))
    assert me.json()["data"]["user"] == data["user"]
    assert (await site.client.get(f"{BASE}/sessions", headers=bearer(data["token"]))).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "MISSING_CREDENTIALS"),
        ({"identifier": "owner@merpati.local"}, 400, "MISSING_CREDENTIALS"),
        ({"password": "x"}, 400, "MISSING_CREDENTIALS"),
        ({"identifier": "  ", "password": "x"}, 400, "MISSING_CREDENTIALS"),
        ({"identifier": "owner@merpati.local", "password": "wrong"}, 401, "INVALID_CREDENTIALS"),
        ({"identifier": "nobody@merpati.local", "password": "wrong"}, 401, "INVALID_CREDENTIALS"),
        ({"identifier": {"$gt": ""}, "password": "x"}, 400, "VALIDATION_FAILED"),
        ({"identifier": "x", "password": "x" * 5000}, 400, "VALIDATION_FAILED"),
    ],
)
async def test_a_bad_sign_in_is_refused(site: Site, body: dict[str, Any], status: int, code: str) -> None:
    refused(await site.client.post("/api/auth/signin", json=body), status, code)


async def test_unknown_and_wrong_get_the_same_answer(site: Site) -> None:
    answers = [
        await site.client.post("/api/auth/signin", json={"identifier": identifier, "password": "wrong"})
        for identifier in (site.account.email, "nobody@merpati.local")
    ]
    bodies = [{**answer.json(), "requestId": ""} for answer in answers]
    assert bodies[0] == bodies[1]


# --- Out -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/auth/signout", "/api/auth/logout"])
async def test_a_signed_out_token_is_worth_nothing_in_any_edge(site: Site, open_site: SiteMaker, path: str) -> None:
    token = await site.sign_in()
    async with open_site() as other:
        await believing(other)
        for edge in (site, other):  # both believe it now
            assert (await edge.client.get("/api/auth/me", headers=bearer(token))).status_code == 200
        answer = await site.client.post(path, headers=bearer(token))
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        refused(await site.client.get("/api/auth/me", headers=bearer(token)), 401, "INVALID_TOKEN")

        async def is_refused() -> bool:
            return (await other.client.get("/api/auth/me", headers=bearer(token))).status_code == 401

        await until(is_refused)
        assert (await site.client.get("/api/auth/me", headers=bearer(await site.sign_in()))).status_code == 200


async def test_a_login_that_is_over_is_refused(site: Site, rows: Any) -> None:
    token = await site.sign_in()
    await rows.logins.update_many({}, {"$set": {"expiresAt": datetime.now(UTC) - timedelta(seconds=1)}})
    refused(await site.client.get("/api/auth/me", headers=bearer(token)), 401, "INVALID_TOKEN")


async def test_a_user_who_is_switched_off_is_refused(site: Site, rows: Any) -> None:
    token = await site.sign_in()
    await rows.users.update_many({}, {"$set": {"isActive": False}})
    refused(await site.client.get("/api/auth/me", headers=bearer(token)), 401, "INVALID_TOKEN")
    body = {"identifier": site.account.email, "password": OWNER_PASSWORD}
    refused(await site.client.post("/api/auth/signin", json=body), 401, "INVALID_CREDENTIALS")


# --- Credentials of a request ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "UNAUTHORIZED"),
        ({"X-API-Key": ""}, "UNAUTHORIZED"),
        ({"Authorization": "Basic abc"}, "UNAUTHORIZED"),
        ({"Authorization": "Bearer gf_wrong"}, "INVALID_API_KEY"),
        ({"X-API-Key": "gf_wrong"}, "INVALID_API_KEY"),
        ({"Authorization": "Bearer e30.e30.e30"}, "INVALID_TOKEN"),
        ({"Authorization": "Bearer e30.e30.e30", "X-API-Key": "gf_wrong"}, "INVALID_TOKEN"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/sessions"), ("POST", "/sessions"), ("GET", "/apikey")])
async def test_without_good_credentials_nothing_is_answered(
    site: Site, headers: dict[str, str], code: str, method: str, path: str
) -> None:
    answer = await site.client.request(method, BASE + path, headers=headers, content=b"{" if method == "POST" else None)
    refused(answer, 401, code)


async def test_a_key_is_taken_from_either_header(site: Site) -> None:
    for headers in (bearer(site.account.api_key), {"X-API-Key": site.account.api_key}):
        assert (await site.client.get(f"{BASE}/sessions", headers=headers)).status_code == 200
    both = {"Authorization": "Bearer e30.e30.e30", "X-API-Key": site.account.api_key}
    assert (await site.client.get(f"{BASE}/sessions", headers=both)).status_code == 200


# --- Roles and scopes ------------------------------------------------------------------------------------------------


async def test_a_member_may_use_sessions_but_not_see_the_key(site: Site, rows: Any) -> None:
    member = bearer(await site.sign_in(await add_user(rows, "member", site.account.customer_id)))
    assert (await site.client.post(f"{BASE}/sessions", headers=member, json={"name": "Mine"})).status_code == 200
    refused(await site.client.get(f"{BASE}/apikey", headers=member), 403, "FORBIDDEN")
    refused(await site.client.post(f"{BASE}/apikey", headers=member), 403, "FORBIDDEN")


async def test_a_platform_user_names_the_customer_and_is_audited(site: Site, rows: Any) -> None:
    admin = bearer(await site.sign_in("admin"))
    session_id = await site.make_session()
    refused(await site.client.get(f"{BASE}/sessions", headers=admin), 400, "VALIDATION_FAILED")
    refused(await site.client.get(f"{BASE}/sessions?customer=cus_x", headers=admin), 404, "NOT_FOUND")
    listed = await site.client.get(f"{BASE}/sessions?customer={site.account.customer_id}", headers=admin)
    assert [one["id"] for one in listed.json()["sessions"]] == [session_id]
    entry = await rows.audit.find_one({"action": "customer.acted_for"})
    assert (entry["customerId"], entry["details"]["path"]) == (site.account.customer_id, f"{BASE}/sessions")
    assert entry["requestId"] == listed.headers["x-request-id"]


async def test_support_may_only_read(site: Site, rows: Any) -> None:
    support = bearer(await site.sign_in(await add_user(rows, "support", None)))
    query = f"?customer={site.account.customer_id}"
    assert (await site.client.get(f"{BASE}/sessions{query}", headers=support)).status_code == 200
    refused(await site.client.post(f"{BASE}/sessions{query}", headers=support, json={}), 403, "FORBIDDEN")
    refused(await site.client.get(f"{BASE}/apikey{query}", headers=support), 403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("scopes", "method", "path", "allowed"),
    [
        (["read"], "GET", "/sessions", True),
        (["read"], "POST", "/sessions", False),
        (["read"], "GET", "/apikey", False),
        (["send"], "GET", "/sessions", False),
        (["sessions"], "POST", "/sessions", True),
        (["sessions"], "GET", "/sessions/Sales/qr?wait=0", True),
        (["read"], "GET", "/sessions/Sales/qr?wait=0", False),
        (["admin"], "GET", "/apikey", True),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(
    site: Site, rows: Any, scopes: list[str], method: str, path: str, allowed: bool
) -> None:
    await site.make_session()
    await rows["keys"].update_many({}, {"$set": {"scopes": scopes}})
    await site.edge.memory.drop(f"key/{(await rows['keys'].find_one())['_id']}")
    answer = await site.call(method, path, json={"name": "Another"} if method == "POST" else None)
    if allowed:
        assert answer.status_code == 200, answer.text
    else:
        refused(answer, 403, "FORBIDDEN")


async def test_a_key_for_one_session_sees_no_other(site: Site, rows: Any) -> None:
    mine, other = await site.make_session("Mine"), await site.make_session("Other")
    await rows["keys"].update_many({}, {"$set": {"sessionIds": [mine]}})
    await site.edge.memory.drop(f"key/{(await rows['keys'].find_one())['_id']}")
    listed = (await site.call("GET", "/sessions")).json()
    assert [one["id"] for one in listed["sessions"]] == [mine]
    assert listed["pagination"]["total"] == 1
    for ref in (other, "Other"):
        refused(await site.call("GET", f"/sessions/{ref}"), 404, "SESSION_NOT_FOUND")
        message = {"type": "text", "to": "628110001", "text": "hello"}
        refused(await site.call("POST", f"/sessions/{ref}/messages", json=message), 404, "SESSION_NOT_FOUND")
    refused(await site.call("POST", "/sessions", json={"name": "New one"}), 403, "FORBIDDEN")


# --- Profile ---------------------------------------------------------------------------------------------------------


async def test_the_profile_changes_what_is_given(site: Site) -> None:
    token = bearer(await site.sign_in())

    async def change(**body: Any) -> httpx.Response:
        return await site.client.patch("/api/customer/profile", headers=token, json=body)

    user = (await change(name=" Budi ", phone="+62 811-0001")).json()["data"]["user"]
    assert (user["name"], user["phone"], user["email"]) == ("Budi", "+628110001", site.account.email)
    assert (await site.client.get("/api/auth/me", headers=token)).json()["user"]["name"] == "Budi"
    assert (await change(email="New@Example.com")).json()["data"]["user"]["email"] == "new@example.com"
    await site.sign_in("new@example.com")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"email": "nonsense"}, "email"),
        ({"email": "admin@merpati.local"}, "email"),
        ({"phone": "abc"}, "phone"),
        ({"name": ""}, "name"),
    ],
    ids=["nothing", "no address", "taken", "no phone", "no name"],
)
async def test_a_bad_profile_is_refused(site: Site, body: dict[str, Any], field: str) -> None:
    answer = await site.client.patch("/api/customer/profile", headers=bearer(await site.sign_in()), json=body)
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == field


async def test_a_key_has_no_profile(site: Site) -> None:
    headers = bearer(site.account.api_key)
    refused(await site.client.patch("/api/customer/profile", headers=headers, json={"name": "x"}), 401, "INVALID_TOKEN")
