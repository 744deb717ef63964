"""The single-session endpoints, under both prefixes, with the sentences that an existing dashboard matches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.api.routes import single
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BOUND_S, OWNER_PASSWORD, SOON, Site, observe, refused, soon, wanted_state
from tests.processes import eventually

PREFIXES = ("/whatsapp", "/api/whatsapp")
QUICK = {"qr_wait_s": 0.3}
OPEN = {"open_single_session": True}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked up in time counts as disconnected: a slow machine is not to look like that."""
    monkeypatch.setattr(single, "STATUS_TIMEOUT_S", 25.0)


async def the_session(rows: Any) -> str:
    """The one session that the edge has made; waits for it."""
    row = await eventually(lambda: rows.sessions.find_one({"live": True, "running": True}), every_s=0.01)
    return row["_id"]


# --- Status ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer x"}])
async def test_status_needs_no_key_and_no_session(site: Site, prefix: str, headers: dict[str, str]) -> None:
    answer = await site.client.get(f"{prefix}/status", headers=headers)
    assert answer.status_code == 200
    expected = {"connected": False, "state": "DISCONNECTED", "hasQR": False}
    assert answer.json() == {"success": True, "data": expected}


@pytest.mark.parametrize(
    ("status", "code", "data"),
    [
        ("qr_ready", "2@x", {"connected": False, "state": "QR_READY", "hasQR": True}),
        ("passkey_required", None, {"connected": False, "state": "PAIRING", "hasQR": False}),
        ("connected", None, {"connected": True, "state": "CONNECTED", "hasQR": False}),
        ("restricted", None, {"connected": True, "state": "CONNECTED", "hasQR": False}),
        ("failed", None, {"connected": False, "state": "DISCONNECTED", "hasQR": False}),
    ],
)
async def test_status_is_the_default_sessions(
    site: Site, rows: Any, status: str, code: str | None, data: dict[str, Any]
) -> None:
    await observe(rows, await site.make_session(), status, qr=code, expiresAt=soon())
    assert (await site.client.get("/whatsapp/status")).json()["data"] == data


async def test_the_default_session_is_the_flagged_one_else_the_oldest(site: Site, rows: Any) -> None:
    await site.make_session("oldest")
    await observe(rows, second := await site.make_session("second"), "connected")
    assert (await site.client.get("/whatsapp/status")).json()["data"]["connected"] is False
    await site.call("PUT", f"/sessions/{second}", json={"isDefault": True})
    assert (await site.client.get("/whatsapp/status")).json()["data"]["connected"] is True


async def test_status_is_disconnected_while_nobody_owns_the_session(site: Site, rows: Any) -> None:
    await observe(rows, await site.make_session(), "connected")
    assert (await site.client.get("/whatsapp/status")).json()["data"]["connected"] is True
    await rows.leases.update_many({}, {"$set": {"owner": None}})
    assert (await site.client.get("/whatsapp/status")).json()["data"] == GONE
    await rows.leases.delete_many({})
    assert (await site.client.get("/whatsapp/status")).json()["data"] == GONE


GONE = {"connected": False, "state": "DISCONNECTED", "hasQR": False}


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path"), [("GET", "/qr"), ("POST", "/reconnect")])
async def test_without_a_credential_nothing_is_linked(
    site: Site, rows: Any, prefix: str, method: str, path: str
) -> None:
    refused(await site.client.request(method, prefix + path), 401, "UNAUTHORIZED")
    assert await rows.sessions.count_documents({}) == 0


@pytest.mark.parametrize(
    ("settings", "headers", "allowed"),
    [
        (OPEN, {}, True),
        (OPEN, {"X-API-Key": ""}, True),
        (OPEN, {"X-API-Key": "wrong"}, False),
        ({"api_key": "deploy"}, {"X-API-Key": "deploy"}, True),
        ({"api_key": "deploy"}, {"X-API-Key": "wrong"}, False),
        ({"api_key": "deploy"}, {"X-API-Key": "<customer>"}, True),
        ({"api_key": "deploy"}, {"Authorization": "Bearer <token>"}, True),
        ({"api_key": "deploy"}, {"Authorization": "Bearer <token>", "X-API-Key": "wrong"}, True),
        ({"api_key": "deploy"}, {}, False),
        ({"api_key": "deploy"} | OPEN, {}, False),
        ({}, {"X-API-Key": "<customer>"}, True),
        ({}, {"Authorization": "Bearer <customer>"}, True),
        ({}, {"Authorization": "Bearer <token>"}, True),
        ({}, {"Authorization": "Bearer <admin>"}, True),
        ({}, {"Authorization": "Bearer gf_wrong"}, False),
    ],
)
async def test_who_may_link(
    open_site: SiteMaker, settings: dict[str, Any], headers: dict[str, str], allowed: bool
) -> None:
    async with open_site(**QUICK, **settings) as site:
        filled = {name: await fill(site, value) for name, value in headers.items()}
        answer = await site.client.get("/whatsapp/qr", headers=filled)
        if allowed:
            refused(answer, 503, "NOT_READY")  # nobody owns the session here
        else:
            assert refused(answer, 401, "INVALID_API_KEY")["message"] == "Invalid API key"


async def fill(site: Site, value: str) -> str:
    if "<token>" in value:
        value = value.replace("<token>", await site.sign_in())
    if "<admin>" in value:
        value = value.replace("<admin>", await site.sign_in("admin"))
    return value.replace("<customer>", site.account.api_key)


# --- QR and reconnect ------------------------------------------------------------------------------------------------


@pytest.fixture
async def open_edge(open_site: SiteMaker) -> Any:
    """An edge that lets anybody link, and waits for a code for as long as its client waits for an answer."""
    async with open_site(qr_wait_s=25, **OPEN) as site:
        yield site


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_first_qr_makes_a_session_and_waits_for_its_code(open_edge: Site, rows: Any, prefix: str) -> None:
    request = asyncio.create_task(open_edge.client.get(f"{prefix}/qr"))
    session_id = await the_session(rows)
    assert (await rows.sessions.find_one({"_id": session_id}))["name"] == "default"
    await observe(rows, session_id, "qr_ready", qr="2@x", expiresAt=soon())
    answer = await request
    assert answer.status_code == 200
    assert answer.json()["data"]["qrCode"].startswith("data:image/png;base64,")
    assert SOON.seconds - 60 <= answer.json()["data"]["expiresIn"] <= SOON.seconds


async def test_two_first_requests_make_one_session(open_edge: Site, rows: Any) -> None:
    requests = [asyncio.create_task(open_edge.client.get("/whatsapp/qr")) for _ in range(2)]
    session_id = await the_session(rows)
    await observe(rows, session_id, "qr_ready", qr="2@x", expiresAt=soon())
    assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}
    assert await rows.sessions.count_documents({}) == 1


async def test_a_connected_default_session_needs_no_code(open_edge: Site, rows: Any) -> None:
    await observe(rows, await open_edge.make_session(), "connected")
    answer = await open_edge.client.get("/whatsapp/qr", headers={"Accept-Language": "id"})
    body = refused(answer, 400, "ALREADY_CONNECTED")
    assert body["message"] == "WhatsApp is already connected. No QR code needed."


async def test_no_code_in_time_is_a_timeout(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(**QUICK, **OPEN) as site:
        session_id = await site.make_session()
        await site.call("POST", f"/sessions/{session_id}/start")
        await observe(rows, session_id, "starting")
        body = refused(await site.client.get("/whatsapp/qr"), 408, "QR_TIMEOUT")
        assert body["message"] == "QR code generation timeout. Please try again."


async def test_an_engine_that_is_not_up_is_not_ready(open_site: SiteMaker) -> None:
    async with open_site(**QUICK, **OPEN) as site:
        answer = await site.client.post("/whatsapp/reconnect", json={})
        body = refused(answer, 503, "NOT_READY")
        assert body["message"] == "WhatsApp client is not ready. Please wait a moment and try again."
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("status", "state", "says"),
    [
        pytest.param(
            "starting",
            {"reason": "connect_failed", "cause": "dns"},
            "WhatsApp cannot be reached: its name was not found (DNS)",
            id="out of reach",
        ),
        pytest.param(
            "failed",
            {"reason": "proxy_unreadable"},
            "The session's proxy cannot be read with this deployment's keys; set it again",
            id="failed",
        ),
    ],
)
async def test_a_session_that_cannot_come_up_is_not_ready_and_says_why(
    open_edge: Site, rows: Any, status: str, state: dict[str, str], says: str
) -> None:
    session_id = await open_edge.make_session()
    for method, path in (("GET", "/whatsapp/qr"), ("POST", "/api/whatsapp/reconnect")):
        before = await rows.sessions.find_one({"_id": session_id})
        asking = asyncio.create_task(open_edge.client.request(method, path))
        await wanted_state(rows, session_id, lambda row, was=before["starts"]: row["starts"] > was)
        await observe(rows, session_id, status, **state, updatedAt=datetime.now(UTC) - timedelta(minutes=1))
        body = refused(await asyncio.wait_for(asking, BOUND_S), 503, "WHATSAPP_UNREACHABLE")
        assert body["message"] == f"WhatsApp client is not ready: {says}. Please wait a moment and try again."


async def test_reconnect_unlinks_and_waits_for_a_new_code(open_edge: Site, rows: Any) -> None:
    session_id = await open_edge.make_session()
    await observe(rows, session_id, "qr_ready", qr="2@old", expiresAt=soon())
    request = asyncio.create_task(open_edge.client.post("/whatsapp/reconnect", json={}))
    wanted = await wanted_state(rows, session_id, lambda row: row["logouts"] == 1)
    assert (wanted["running"], wanted["starts"]) == (True, 1)
    await observe(rows, session_id, "qr_ready", qr="2@old", expiresAt=soon())
    await asyncio.wait([request], timeout=0.7)
    assert not request.done()
    await observe(rows, session_id, "qr_ready", qr="2@new", expiresAt=soon())
    answer = await asyncio.wait_for(request, BOUND_S)
    assert answer.status_code == 200
    assert answer.json()["message"] == "WhatsApp reconnection initiated"
    picture = (await open_edge.client.get("/whatsapp/qr")).json()["data"]["qrCode"]
    assert answer.json()["data"]["qrCode"] == picture


async def test_the_administrators_dashboard_signs_in(site: Site) -> None:
    async def login(**body: Any) -> httpx.Response:
        return await site.client.post("/api/admin/login", json=body)

    for username in ("admin", "admin@merpati.local", "ADMIN@merpati.local"):
        data = (await login(username=username, password=OWNER_PASSWORD)).json()["data"]
        assert set(data["admin"]) == {"id", "username", "email", "role"}
        assert (data["admin"]["username"], data["admin"]["role"]) == ("admin", "SUPER_ADMIN")
        assert data["token"]
    refused(await login(username="admin"), 400, "MISSING_CREDENTIALS")
    for username, password in (("admin", "no"), ("nobody", "no"), (site.account.email, OWNER_PASSWORD)):
        body = refused(await login(username=username, password=password), 401, "INVALID_CREDENTIALS")
        assert "Invalid credentials" in body["message"]
