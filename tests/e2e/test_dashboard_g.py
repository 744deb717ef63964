"""The multi-session customer dashboard on the wire: its sessions, its key and its sign-in, body for body."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.e2e.handsets import WITHIN_S, Network, Office, in_status, scanned
from tests.e2e.tenants import PASSWORD, Tenant, client, make_tenant
from tests.e2e.wire import BASE, CHAT, SESSION_KEYS, Json, assert_png, png_in, refused, told
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

DATA = ("data", "message")
LIST = ("sessions", "data", "sessionQuota", "package", "pagination", "subscription")
QR_DATA = {
    *("sessionId", "sessionName", "status", "qr", "message", "hasQR", "expiresIn", "expiresAt"),
    *("reason", "cause", "stage"),
}


# --- Sign-in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["identifier", "email"])
async def test_the_owner_signs_in_and_out(tenant: Tenant, public: httpx.AsyncClient, field: str) -> None:
    data = told(await public.post("/api/auth/signin", json={field: tenant.email, "password": PASSWORD}), *DATA)["data"]
    assert set(data) == {"user", "token"}
    assert set(data["user"]) == {"id", "name", "email", "phone", "role"}
    assert (data["user"]["email"], data["user"]["role"]) == (tenant.email, "owner")
    bearer = {"Authorization": f"Bearer {data['token']}"}
    me = told(await public.get("/api/auth/me", headers=bearer), "data", "user")
    assert me["user"] == me["data"]["user"] == data["user"]
    told(await public.post("/api/auth/signout", headers=bearer), *DATA)
    refused(await public.get(f"{BASE}/sessions", headers=bearer), 401, "INVALID_TOKEN")


@pytest.mark.parametrize(
    ("email", "password", "status", "code"),
    [
        pytest.param("", "", 400, "MISSING_CREDENTIALS", id="nothing"),
        pytest.param("{own}", "", 400, "MISSING_CREDENTIALS", id="no password"),
        pytest.param("{own}", "wrong", 401, "INVALID_CREDENTIALS", id="wrong password"),
        pytest.param("nobody@example.com", "wrong", 401, "INVALID_CREDENTIALS", id="nobody"),
    ],
)
async def test_a_failed_sign_in_says_why_but_not_who_exists(
    office: Office, public: httpx.AsyncClient, email: str, password: str, status: int, code: str
) -> None:
    body = {"identifier": email.format(own=office.tenant.email), "password": password}
    refused(await public.post("/api/auth/signin", json=body), status, code)


@pytest.mark.parametrize("path", ["sessions", "apikey", "subscription", "transactions", "sessions/x/qr"])
async def test_nobody_sees_anything(public: httpx.AsyncClient, path: str) -> None:
    refused(await public.get(f"{BASE}/{path}"), 401, "UNAUTHORIZED")


# --- Sessions --------------------------------------------------------------------------------------------------------


async def test_the_session_list_of_a_customer_without_a_plan_is_empty_and_zero(simulated_stack: RunningStack) -> None:
    poor = await make_tenant(simulated_stack, max_sessions=None)
    async with poor.client() as http:
        body = told(await http.get(f"{BASE}/sessions"), *LIST)
        assert (body["sessions"], body["data"]) == ([], [])
        assert body["sessionQuota"] == {"used": 0, "max": 0, "canCreateMore": False}
        assert body["package"] == {"name": None, "maxSessions": 0, "features": []}
        assert body["pagination"] == {"total": 0, "limit": 20, "offset": 0, "hasMore": False}
        assert body["subscription"] == {
            "packageName": None,
            "maxSessions": 0,
            "currentSessions": 0,
            "canCreateMoreSessions": False,
            "endDate": None,
            "status": "INACTIVE",
        }
        refused(await http.post(f"{BASE}/sessions", json={"name": "One"}), 403, "SESSION_LIMIT_REACHED")


async def test_a_session_lives_through_everything_that_the_dashboard_does_with_it(
    tenant: Tenant, network: Network
) -> None:
    async with tenant.client() as http:
        session = _session(await http.post(f"{BASE}/sessions", json={"sessionName": "Sales"}), "DISCONNECTED")
        path = f"{BASE}/sessions/{session['id']}"
        assert (session["name"], session["qr"], session["phone"]) == ("Sales", None, None)

        await _shows_its_code(http, path, session["id"])
        assert _session(await http.get(path), "CONNECTING", "qr_generated", "message")["qr"].startswith("data:image/")

        number = await scanned(http, network, session["id"])
        body = told(await http.get(f"{BASE}/sessions"), *LIST)
        assert [(each["status"], each["phone"]) for each in body["sessions"]] == [("CONNECTED", number)]
        assert [each["status"] for each in body["data"]] == ["connected"]
        assert body["sessionQuota"] == {"used": 1, "max": 1000, "canCreateMore": True}

        code = told(await http.get(f"{path}/qr"), "qr", "message", "data")
        assert (code["qr"], code["data"]["hasQR"], code["data"]["status"]) == (None, False, "connected")
        assert "already connected" in code["message"]

        told(await http.put(path, json={"status": "inactive"}), "session", "data", "message")
        await in_status(http, session["id"], "DISCONNECTED")
        assert len(await network.devices(number)) == 1
        told(await http.put(path, json={"status": "active"}), "session", "data", "message")
        assert (await in_status(http, session["id"], "CONNECTED"))["phone"] == number

        assert told(await http.delete(path), *DATA)["message"]
        assert told(await http.get(f"{BASE}/sessions"), *LIST)["sessions"] == []
        refused(await http.get(path), 404, "SESSION_NOT_FOUND")
        _session(await http.post(f"{BASE}/sessions", json={"name": "Sales"}), "DISCONNECTED")


async def _shows_its_code(http: httpx.AsyncClient, path: str, session: str) -> None:
    """The first GET begins the link by itself and waits for the code."""
    answer = await http.get(f"{path}/qr")
    body = told(answer, "qr", "message", "data")
    assert answer.headers["cache-control"] == "no-store"
    png_in(body["qr"])
    assert set(body["data"]) == QR_DATA
    assert (body["data"]["sessionId"], body["data"]["status"], body["data"]["hasQR"]) == (session, "qr_generated", True)
    assert body["data"]["qr"] == body["qr"]
    assert 0 < body["data"]["expiresIn"] <= 60


async def test_the_code_comes_in_all_its_formats(tenant: Tenant) -> None:
    async with tenant.client() as http:
        session = _session(await http.post(f"{BASE}/sessions", json={"name": "Formats"}), "DISCONNECTED")
        path = f"{BASE}/sessions/{session['id']}/qr"
        raw, png, svg = [await http.get(path, params={"format": name}) for name in ("raw", "png", "svg")]
        assert raw.text.startswith("https://wa.me/settings/linked_devices#")
        assert_png(png.content)
        assert b"<svg" in svg.content
        kinds = [answer.headers["content-type"].partition(";")[0] for answer in (raw, png, svg)]
        assert kinds == ["text/plain", "image/png", "image/svg+xml"]
        assert {answer.headers["cache-control"] for answer in (raw, png, svg)} == {"no-store"}


@pytest.mark.parametrize("image", ["raw", "png", "svg"])
async def test_without_a_code_an_image_is_refused_as_json(http: httpx.AsyncClient, office: Office, image: str) -> None:
    answer = await http.get(f"{BASE}/sessions/{office.session}/qr", params={"format": image})
    assert "already connected" in refused(answer, 404, "QR_NOT_AVAILABLE")["message"]


async def test_a_network_out_of_reach_is_told_at_once_and_tried_again(tenant: Tenant, network: Network) -> None:
    async with tenant.client() as http:
        away = {"name": "Away", "proxy": "socks5://127.0.0.1:9"}
        session = told(await http.post(f"{BASE}/sessions", json=away), "session", *DATA)["session"]["id"]
        path = f"{BASE}/sessions/{session}"
        async with asyncio.timeout(WITHIN_S):
            body = told(await http.get(f"{path}/qr", params={"wait": "60"}), "qr", *DATA)
        assert (body["data"]["reason"], body["data"]["cause"]) == ("connect_failed", "proxy_refused")
        assert body["message"] == "WhatsApp cannot be reached: the proxy refused the connection"
        shown = told(await http.get(path), "session", "data")["data"]
        assert (shown["status"], shown["message"], shown["stage"]) == ("connecting", body["message"], "reaching")
        paired = await http.post(f"{path}/pair-code", json={"phone": await network.person()})
        assert "the proxy refused the connection" in refused(paired, 503, "WHATSAPP_UNREACHABLE")["message"]

        told(await http.put(path, json={"proxy": None}), "session", *DATA)
        code = told(await http.get(f"{path}/qr", params={"wait": "60"}), "qr", *DATA)
        assert (code["data"]["hasQR"], code["data"]["stage"]) == (True, "code")
        told(await http.delete(path), *DATA)


async def test_a_session_is_found_by_its_name_and_renamed(tenant: Tenant) -> None:
    async with tenant.client() as http:
        session = _session(await http.post(f"{BASE}/sessions", json={"name": "Cabang Utara"}), "DISCONNECTED")
        _session(await http.get(f"{BASE}/sessions/Cabang%20Utara"), "DISCONNECTED", "disconnected", "message")
        renamed = _session(await http.put(f"{BASE}/sessions/{session['id']}", json={"name": "Cabang"}), "DISCONNECTED")
        assert (renamed["name"], renamed["sessionName"], renamed["id"]) == ("Cabang", "Cabang", session["id"])
        refused(await http.get(f"{BASE}/sessions/Cabang%20Utara"), 404, "SESSION_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"name": "ab"}, 400, "VALIDATION_FAILED", id="too short"),
        pytest.param({"name": "x" * 51}, 400, "VALIDATION_FAILED", id="too long"),
        pytest.param({}, 400, "VALIDATION_FAILED", id="none"),
        pytest.param({"name": "The office"}, 409, "SESSION_NAME_TAKEN", id="taken"),
        pytest.param({"name": 7}, 400, "VALIDATION_FAILED", id="no text"),
    ],
)
async def test_a_name_that_cannot_be_is_refused(http: httpx.AsyncClient, body: Json, status: int, code: str) -> None:
    refused(await http.post(f"{BASE}/sessions", json=body), status, code)


async def test_one_session_more_than_the_plan_has_is_refused_with_its_limit(simulated_stack: RunningStack) -> None:
    small = await make_tenant(simulated_stack, max_sessions=1)
    async with small.client() as http:
        one, other = await asyncio.gather(
            http.post(f"{BASE}/sessions", json={"name": "One"}), http.post(f"{BASE}/sessions", json={"name": "Two"})
        )
        assert sorted([one.status_code, other.status_code]) == [200, 403]
        body = refused(max(one, other, key=lambda each: each.status_code), 403, "SESSION_LIMIT_REACHED")
        assert body["details"] == {"packageName": "Warung", "maxSessions": 1, "currentSessions": 1}


async def test_sessions_come_newest_first_in_pages_and_by_status(tenant: Tenant) -> None:
    async with tenant.client() as http:
        for name in ("First", "Second", "Third"):
            _session(await http.post(f"{BASE}/sessions", json={"name": name}), "DISCONNECTED")
        page = told(await http.get(f"{BASE}/sessions", params={"limit": 2, "offset": 1}), *LIST)
        assert [each["name"] for each in page["sessions"]] == ["Second", "First"]
        assert page["pagination"] == {"total": 3, "limit": 2, "offset": 1, "hasMore": False}
        for asked, found in {"DISCONNECTED": 3, "disconnected": 3, "CONNECTED": 0, "all": 3}.items():
            page = told(await http.get(f"{BASE}/sessions", params={"status": asked}), *LIST)
            assert len(page["sessions"]) == found, asked


async def test_restart_keeps_the_link_and_logout_removes_it(tenant: Tenant, network: Network) -> None:
    async with tenant.client() as http:
        session = _session(await http.post(f"{BASE}/sessions", json={"name": "Restarted"}), "DISCONNECTED")
        path, number = f"{BASE}/sessions/{session['id']}", await scanned(http, network, session["id"])
        before = await in_status(http, session["id"], "CONNECTED")
        told(await http.post(f"{path}/restart"), "session", "data", "message", status=202)

        async def is_back() -> bool:
            after = (await http.get(path)).json()["session"]
            return after["status"] == "CONNECTED" and after["connectedAt"] != before["connectedAt"]

        await eventually(is_back, within_s=WITHIN_S)
        assert len(await network.devices(number)) == 1
        health = told(await http.get(f"{path}/health"), "data")["data"]
        assert (health["state"], health["wanted"], health["queueDepth"]) == ("connected", "running", 0)
        told(await http.post(f"{path}/logout"), "session", "data", "message", status=202)
        await in_status(http, session["id"], "DISCONNECTED")
        assert await network.devices(number) == []


def _session(answer: httpx.Response, upper: str, lower: str | None = None, *without: str) -> Json:
    """The session of an answer that shows it in both dialects."""
    keys = {"session", "data", "message"} - set(without)
    body = told(answer, *keys)
    assert set(body["session"]) == set(body["data"]) == SESSION_KEYS
    assert body["session"] | {"status": ""} == body["data"] | {"status": ""}
    assert (body["session"]["status"], body["data"]["status"]) == (upper, lower or upper.lower())
    session: Json = body["session"]
    assert (session["id"], session["name"]) == (session["sessionId"], session["sessionName"])
    return session


# --- The API key -----------------------------------------------------------------------------------------------------


async def test_the_key_is_shown_again_and_a_new_one_ends_the_old_at_once(
    tenant: Tenant, public: httpx.AsyncClient
) -> None:
    async with tenant.client() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": "Keys"})).json()["session"]["id"]
        first = _key(await http.get(f"{BASE}/apikey"))
        assert first == tenant.key == _key(await http.get(f"{BASE}/apikey"))
        told(await public.get(f"{CHAT}/{session}/{first}"), *DATA)
        second = _key(await http.post(f"{BASE}/apikey", json={"name": "Kasir"}), "Kasir")
        refused(await public.get(f"{CHAT}/{session}/{first}"), 401, "INVALID_API_KEY")
        refused(await public.get(f"{BASE}/sessions", headers={"X-API-Key": first}), 401, "INVALID_API_KEY")
        told(await public.get(f"{CHAT}/{session}/{second}"), *DATA)
        assert _key(await http.post(f"{BASE}/apikey")) != second


def _key(answer: httpx.Response, name: str | None = None) -> str:
    body = told(answer, "apiKey", *DATA)
    assert set(body["data"]) == {"apiKey", "name", "isActive", "createdAt"}
    assert body["data"]["apiKey"] == body["apiKey"]
    assert body["data"]["isActive"] is True
    assert name is None or body["data"]["name"] == name
    assert body["apiKey"].startswith("gf_")
    assert len(body["apiKey"]) == len("gf_") + 43
    return body["apiKey"]


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_the_key_opens_the_customers_endpoints_under_either_header(office: Office, header: str) -> None:
    value = office.tenant.key if header == "X-API-Key" else f"Bearer {office.tenant.key}"
    async with client(office.tenant.url, {header: value}) as http:
        assert office.session in [each["id"] for each in told(await http.get(f"{BASE}/sessions"), *LIST)["sessions"]]
