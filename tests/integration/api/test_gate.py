"""What attackers found beside the gate, each on its own: support, suspended customers, and keys for one session."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from gridfs.asynchronous import AsyncGridFSBucket

from libs.contracts.ids import incoming_media_id, new_message_id
from libs.runtime.mongo import to_document
from services.api.access.cookies import COOKIE
from tests.integration.api.accounts import NEW_PASSWORD, add_user, bearer, new_key, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, OWNER_PASSWORD, Site, observe, refused, soon
from tests.integration.api.messages import PNG, message_row
from tests.integration.api.operators import Operator
from tests.unit.api.assets import built_assets

PREFIXES = ("/whatsapp", "/api/whatsapp")
QUICK = {"qr_wait_s": 0.2}
CONTACT = "bantuan@example.com"


# --- Support reads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path"), [("GET", "/qr"), ("POST", "/reconnect")])
async def test_support_neither_links_nor_unlinks_the_default_session(
    open_site: SiteMaker, rows: Any, prefix: str, method: str, path: str
) -> None:
    async with open_site(**QUICK) as site:
        session_id = await site.make_session()
        await observe(rows, session_id, "qr_ready", qr="2@secret", expiresAt=soon())
        support = await signed_in(site, await add_user(rows, "support", None))
        refused(await site.client.request(method, prefix + path, headers=support), 403, "FORBIDDEN")
        wanted = await rows.sessions.find_one({"_id": session_id})
        assert (wanted["starts"], wanted["logouts"]) == (0, 0)
        assert await rows.audit.find_one({"action": "customer.acted_for"}) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/whatsapp/qr"),
        ("POST", "/api/whatsapp/reconnect"),
        ("GET", "/api/admin/chats"),
        ("GET", "/api/templates"),
    ],
)
async def test_what_a_platform_user_does_for_the_default_customer_is_noted(
    open_site: SiteMaker, rows: Any, method: str, path: str
) -> None:
    async with open_site(**QUICK) as site:
        await site.client.request(method, path, headers=await signed_in(site, "admin"))
        entry = await rows.audit.find_one({"action": "customer.acted_for"})
        assert (entry["customerId"], entry["role"]) == (site.account.customer_id, "admin")
        assert entry["details"] == {"method": method, "path": path}


async def test_who_may_not_link_sees_no_code(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "qr_ready", qr="2@secret", expiresAt=soon())
    support = await signed_in(site, await add_user(rows, "support", None))
    reader = bearer((await new_key(site, scopes=["read"]))["apiKey"])
    linker = bearer((await new_key(site, scopes=["read", "sessions"]))["apiKey"])
    for headers, is_shown in ((support, False), (reader, False), (linker, True)):
        query = f"?customer={site.account.customer_id}"
        one = (await site.client.get(f"{BASE}/sessions/{session_id}{query}", headers=headers)).json()
        listed = (await site.client.get(f"{BASE}/sessions{query}", headers=headers)).json()
        shown = [one["session"], one["data"], *listed["sessions"], *listed["data"]]
        assert {each["qr"] is not None for each in shown} == {is_shown}
        assert {each["status"] for each in shown} == {"CONNECTING", "qr_generated"}


@pytest.mark.parametrize(("role", "belongs"), [("owner", False), ("member", False), ("admin", True), ("support", True)])
async def test_a_user_who_is_neither_a_customers_nor_the_platforms_is_nobody(
    site: Site, rows: Any, role: str, belongs: bool
) -> None:
    email = await add_user(rows, role, site.account.customer_id if belongs else None, name="nobody")
    headers, query = await signed_in(site, email), f"?customer={site.account.customer_id}"
    for path in (f"{BASE}/sessions{query}", "/api/platform/customers", "/api/auth/me", "/api/templates"):
        refused(await site.client.get(path, headers=headers), 401, "INVALID_TOKEN")


# --- A suspended customer --------------------------------------------------------------------------------------------


@pytest.fixture
def assets(tmp_path: Path) -> str:
    return built_assets(tmp_path)


async def suspended(site: Site) -> None:
    admin = await signed_in(site, "admin")
    path = f"/api/platform/customers/{site.account.customer_id}/suspend"
    assert (await site.client.post(path, headers=admin)).status_code == 200


async def test_users_of_a_suspended_customer_do_not_sign_in(open_site: SiteMaker) -> None:
    async with open_site(operator_contact=CONTACT) as site:
        await suspended(site)

        async def sign_in(password: str, language: str = "en") -> Any:
            body = {"identifier": site.account.email, "password": password}
            return await site.client.post("/api/auth/signin", json=body, headers={"Accept-Language": language})

        refused(await sign_in("wrong"), 401, "INVALID_CREDENTIALS")
        said = refused(await sign_in(OWNER_PASSWORD), 403, "CUSTOMER_SUSPENDED")["message"]
        assert said == f"This account is suspended; its devices stay linked. To go on, ask {CONTACT}."
        said = refused(await sign_in(OWNER_PASSWORD, "id"), 403, "CUSTOMER_SUSPENDED")["message"]
        assert said == f"Akun ini ditangguhkan; perangkatnya tetap tertaut. Untuk melanjutkan, hubungi {CONTACT}."


async def test_without_a_contact_the_operator_is_named(site: Site) -> None:
    await suspended(site)
    said = refused(await site.call("GET", "/sessions"), 403, "CUSTOMER_SUSPENDED")["message"]
    assert said.endswith("ask the operator of this service.")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/customer/profile", {"name": "Somebody else"}),
        ("GET", "/api/auth/me", None),
        ("GET", "/api/auth/logins", None),
        ("POST", "/api/auth/logins/revoke-others", None),
        ("POST", "/api/auth/password", {"currentPassword": OWNER_PASSWORD, "newPassword": NEW_PASSWORD}),
    ],
)
async def test_users_of_a_suspended_customer_change_nothing_of_their_own(
    site: Site, rows: Any, method: str, path: str, body: Any
) -> None:
    owner = await signed_in(site)
    before = await rows.users.find_one({"email": site.account.email})
    await suspended(site)
    refused(await site.client.request(method, path, headers=owner, json=body), 403, "CUSTOMER_SUSPENDED")
    assert await rows.users.find_one({"email": site.account.email}) == before


async def test_users_of_a_suspended_customer_may_sign_out(site: Site, rows: Any) -> None:
    owner = await signed_in(site)
    await suspended(site)
    assert (await site.client.post("/api/auth/signout", headers=owner)).status_code == 200
    assert await rows.logins.count_documents({"userId": (await rows.users.find_one({"role": "owner"}))["_id"]}) == 0


async def test_the_pages_of_a_suspended_customer_say_whom_to_ask(open_site: SiteMaker, assets: str) -> None:
    async with open_site(operator_contact=CONTACT, dashboard_assets=assets) as site:
        cookies = {"Cookie": f"{COOKIE}={await site.sign_in()}"}
        await suspended(site)
        for language, said in (("en", "To go on, ask"), ("id", "Untuk melanjutkan, hubungi")):
            for page in ("whatsapp", "whatsapp/devices", "whatsapp/messages", "settings", "team"):
                answer = await site.client.get(f"/{language}/dashboard/{page}", headers=cookies)
                assert answer.status_code == 403
                assert f"{said} {CONTACT}." in answer.text
                assert f'href="mailto:{CONTACT}"' in answer.text
                assert "Sales" not in answer.text
        form = await site.client.get("/en/dashboard/signin", headers=cookies)
        assert form.status_code == 200
        assert 'name="password"' in form.text
        signing = await site.client.post(
            "/en/dashboard/signin", data={"email": site.account.email, "password": OWNER_PASSWORD}
        )
        assert signing.status_code == 403
        assert f"To go on, ask {CONTACT}." in signing.text
        assert "set-cookie" not in signing.headers


async def test_a_suspended_default_customer_is_not_linked_by_nobody(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(**QUICK, open_single_session=True) as site:
        await site.make_session()
        await suspended(site)
        for method, path in (("GET", "/whatsapp/qr"), ("POST", "/whatsapp/reconnect")):
            refused(await site.client.request(method, path), 403, "CUSTOMER_SUSPENDED")
        assert (await rows.sessions.find_one({}))["starts"] == 0


async def test_the_platform_acts_for_a_suspended_customer(site: Site, operator: Operator) -> None:
    await suspended(site)
    query = f"?customer={site.account.customer_id}"
    assert (await site.client.get(f"{BASE}/sessions{query}", headers=operator.headers)).status_code == 200


# --- A key for one session -------------------------------------------------------------------------------------------


@pytest.fixture
async def other(site: Site) -> str:
    """The session that the key is not for."""
    return await site.make_session("Other")


@pytest.fixture
async def narrow(site: Site, session_id: str, other: str) -> dict[str, str]:
    """A key for one of two sessions, with every scope that such a key may have."""
    scopes = ["read", "send", "sessions", "webhooks"]
    return bearer((await new_key(site, scopes=scopes, sessions=[session_id]))["apiKey"])


async def incoming_medium(site: Site, rows: Any, session_id: str, *, is_stored: bool) -> str:
    """An image that came in to this session."""
    message_id = new_message_id()
    media_id = incoming_media_id(message_id)
    row = message_row(
        site,
        session_id,
        message_id,
        direction="in",
        from_="628111111111",
        type="image",
        mimetype="image/png",
        media_bytes=len(PNG),
        media_ref=b"ref",
    )
    await rows.messages.insert_one(to_document(row))
    if is_stored:
        metadata = {"customerId": site.account.customer_id, "mimetype": "image/png"}
        await AsyncGridFSBucket(rows, "media").upload_from_stream_with_id(media_id, media_id, PNG, metadata=metadata)
    return media_id


@pytest.mark.parametrize("is_stored", [True, False])
async def test_a_key_sends_no_medium_that_came_in_to_another_session(
    site: Site, session_id: str, other: str, narrow: dict[str, str], rows: Any, is_stored: bool
) -> None:
    media_id = await incoming_medium(site, rows, other, is_stored=is_stored)
    api_key = narrow["Authorization"].removeprefix("Bearer ")
    body = {"type": "image", "to": "081234567890", "mediaId": media_id}
    answer = await site.client.post(f"{BASE}/sessions/{session_id}/messages", headers=narrow, json=body)
    refused(answer, 404, "MEDIA_NOT_FOUND")
    body = {"phone": "081234567890", "contentType": "image", "mediaId": media_id}
    answer = await site.client.post(f"/api/services/whatsapp/chat/{session_id}/{api_key}", json=body)
    refused(answer, 404, "MEDIA_NOT_FOUND")
    refused(await site.client.get(f"{BASE}/media/{media_id}", headers=narrow), 404, "MEDIA_NOT_FOUND")


async def test_a_key_sends_what_came_in_to_its_own_session(
    site: Site, session_id: str, narrow: dict[str, str], rows: Any
) -> None:
    media_id = await incoming_medium(site, rows, session_id, is_stored=True)
    body = {"type": "image", "to": "081234567890", "mediaId": media_id}
    answer = await site.client.post(f"{BASE}/sessions/{session_id}/messages", headers=narrow, json=body)
    assert answer.status_code == 202, answer.text


async def uploaded(site: Site, headers: dict[str, str]) -> str:
    """A medium that was stored with this credential."""
    answer = await site.client.post(f"{BASE}/media", headers=headers, files={"file": ("a.png", PNG, "image/png")})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["mediaId"])


async def uses(site: Site, headers: dict[str, str], session_id: str, media_id: str) -> set[int]:
    """The statuses of reading the medium and of sending it."""
    read = await site.client.get(f"{BASE}/media/{media_id}", headers=headers)
    body = {"type": "image", "to": "081234567890", "mediaId": media_id}
    sent = await site.client.post(f"{BASE}/sessions/{session_id}/messages", headers=headers, json=body)
    return {read.status_code, sent.status_code}


async def test_a_medium_that_went_through_another_session_is_not_the_keys(
    site: Site, session_id: str, other: str, narrow: dict[str, str], rows: Any
) -> None:
    picture = base64.b64encode(PNG).decode()
    for path, body in (
        (f"{BASE}/sessions/{other}/messages", {"type": "image", "to": "081234567890", "data": picture}),
        (
            f"/api/services/whatsapp/chat/{other}/{site.account.api_key}",
            {"phone": "081234567890", "type": "image", "image": picture},
        ),
    ):
        answer = await site.client.post(path, headers=bearer(site.account.api_key), json=body)
        assert answer.status_code in (200, 202), answer.text
    stored = [file["_id"] async for file in rows["media.files"].find()]
    assert len(stored) == 2
    for media_id in stored:
        assert await uses(site, narrow, session_id, media_id) == {404}
        assert await uses(site, bearer(site.account.api_key), session_id, media_id) == {200, 202}


async def test_a_medium_that_a_key_uploaded_is_its_sessions(
    site: Site, session_id: str, other: str, narrow: dict[str, str]
) -> None:
    others = bearer((await new_key(site, name="Other till", sessions=[other]))["apiKey"])
    media_id = await uploaded(site, narrow)
    assert await uses(site, narrow, session_id, media_id) == {200, 202}
    assert await uses(site, others, other, media_id) == {404}


async def test_a_medium_that_the_account_uploaded_is_for_all_of_its_keys(
    site: Site, session_id: str, narrow: dict[str, str]
) -> None:
    media_id = await uploaded(site, bearer(site.account.api_key))
    assert await uses(site, narrow, session_id, media_id) == {200, 202}


@pytest.mark.parametrize("path", [f"{BASE}/templates", "/api/templates"])
async def test_a_key_for_a_session_reads_templates_and_changes_none(
    site: Site, narrow: dict[str, str], path: str, rows: Any
) -> None:
    body = {"name": "Greeting", "content": "Halo {{name}}"}
    made = (await site.call("POST", "/templates", json=body)).json()["data"]
    assert (await site.client.get(f"{path}/{made['id']}", headers=narrow)).json()["data"] == made
    for method, url in (("POST", path), ("PUT", f"{path}/{made['id']}"), ("DELETE", f"{path}/{made['id']}")):
        answer = await site.client.request(method, url, headers=narrow, json={"name": "Mine", "content": "x"})
        refused(answer, 403, "FORBIDDEN")
    assert [row["name"] async for row in rows.templates.find()] == ["Greeting"]


@pytest.mark.parametrize("is_default", [True, False])
async def test_a_key_for_a_session_does_not_choose_the_default_one(
    site: Site, session_id: str, narrow: dict[str, str], rows: Any, is_default: bool
) -> None:
    before = await rows.sessions.find_one({"_id": session_id})
    answer = await site.client.put(
        f"{BASE}/sessions/{session_id}", headers=narrow, json={"name": "Mine", "isDefault": is_default}
    )
    refused(answer, 403, "FORBIDDEN")
    assert await rows.sessions.find_one({"_id": session_id}) == before


@pytest.mark.parametrize(
    "path",
    [
        f"{BASE}/transactions",
        f"{BASE}/transactions/any",
        f"{BASE}/subscription",
        f"{BASE}/plans",
        "/api/customer/dashboard",
        "/api/customer/account",
        "/api/customer/audit",
        f"{BASE}/credits",
    ],
)
async def test_a_key_for_a_session_reads_nothing_of_the_account(site: Site, narrow: dict[str, str], path: str) -> None:
    refused(await site.client.get(path, headers=narrow), 403, "FORBIDDEN")


async def test_the_list_of_sessions_tells_a_key_for_one_of_them_no_plan(
    site: Site, session_id: str, narrow: dict[str, str]
) -> None:
    listed = (await site.client.get(f"{BASE}/sessions", headers=narrow)).json()
    assert [each["id"] for each in listed["sessions"]] == [session_id]
    assert listed["package"] == {"name": None, "maxSessions": 0, "features": []}
    assert listed["sessionQuota"] == {"used": 0, "max": 0, "canCreateMore": False}
    assert listed["subscription"]["endDate"] is None
    assert (await site.call("GET", "/sessions")).json()["package"]["name"] is not None


async def test_a_key_for_a_session_that_is_gone_makes_no_default_one(
    site: Site, session_id: str, other: str, narrow: dict[str, str], rows: Any
) -> None:
    for each in (session_id, other):
        assert (await site.call("DELETE", f"/sessions/{each}")).status_code == 200
    refused(await site.client.get("/whatsapp/qr", headers=narrow), 403, "FORBIDDEN")
    assert await rows.sessions.count_documents({"live": True}) == 0
