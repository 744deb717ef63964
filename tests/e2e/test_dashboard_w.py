"""The single-session admin dashboard on the wire: status without a key, the code, reconnect, and its sign-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.keys import load_or_make
from infra.local.ports import free_port
from tests.e2e.handsets import Network, Office, scanned
from tests.e2e.tenants import Tenant, client
from tests.e2e.wire import BASE, Json, png_in, refused, told
from tests.integration.status.proxy import Proxy, proxy_to
from tests.processes import eventually, service
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

PREFIXES = ["/whatsapp", "/api/whatsapp"]
NO_CODE_NEEDED = "WhatsApp is already connected. No QR code needed."
TIMED_OUT = "QR code generation timeout. Please try again."
NOT_READY = "WhatsApp client is not ready. Please wait a moment and try again."
DEPLOYMENT_KEY = "the-deployment's-own-key"
ABSENT = {"connected": False, "state": "DISCONNECTED", "hasQR": False}
WITH_CODE = {"connected": False, "state": "QR_READY", "hasQR": True}
LINKED = {"connected": True, "state": "CONNECTED", "hasQR": False}


@pytest.fixture
async def owner(simulated_stack: RunningStack) -> AsyncGenerator[httpx.AsyncClient]:
    """The default customer, who is the one that these endpoints are about, with its key."""
    async with client(simulated_stack.url, {"X-API-Key": simulated_stack.key}) as http:
        yield http


async def status_of(http: httpx.AsyncClient, prefix: str = "/whatsapp") -> Json:
    """What W shows every three seconds."""
    data: Json = told(await http.get(f"{prefix}/status"), "data")["data"]
    assert set(data) == {"connected", "state", "hasQR"}
    return data


async def until_status(http: httpx.AsyncClient, **wanted: Any) -> None:
    """Polls, as W does, until the status is this."""

    async def reached() -> bool:
        return (await status_of(http)).items() >= wanted.items()

    await eventually(reached, every_s=0.02)


async def shows(http: httpx.AsyncClient, wanted: Json, prefix: str = "/whatsapp") -> None:
    """The status is this, and was nothing else meanwhile; what cannot be known within 1.5 s is told as absent."""

    async def is_known() -> bool:
        status = await status_of(http, prefix)
        assert status in (wanted, ABSENT)
        return status == wanted

    await eventually(is_known)


async def without_sessions(owner: httpx.AsyncClient) -> None:
    """The default customer as it is at the beginning."""
    for session in (await owner.get(f"{BASE}/sessions")).json()["sessions"]:
        told(await owner.delete(f"{BASE}/sessions/{session['id']}"), "data", "message")


# --- The whole story -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_w_links_and_links_anew(
    owner: httpx.AsyncClient, public: httpx.AsyncClient, network: Network, prefix: str
) -> None:
    await without_sessions(owner)
    assert await status_of(public, prefix) == ABSENT

    code = _code(told(await owner.get(f"{prefix}/qr"), "data"))
    await shows(public, WITH_CODE, prefix)
    assert _code(told(await owner.get(f"{prefix}/qr"), "data")) == code

    (session,) = (await owner.get(f"{BASE}/sessions")).json()["sessions"]
    assert (session["name"], session["qr"]) == ("default", code)
    number = await scanned(owner, network, session["id"])
    await shows(public, LINKED, prefix)
    assert refused(await owner.get(f"{prefix}/qr"), 400, "ALREADY_CONNECTED")["message"] == NO_CODE_NEEDED

    answer = await owner.post(f"{prefix}/reconnect", json={})
    body = told(answer, "data", "message")
    assert (body["message"], answer.headers["cache-control"]) == ("WhatsApp reconnection initiated", "no-store")
    assert _code(body) != code
    assert await network.devices(number) == []
    await shows(public, WITH_CODE, prefix)
    assert await scanned(owner, network, session["id"]) != number
    await until_status(public, connected=True, state="CONNECTED", hasQR=False)


def _code(body: Json) -> str:
    assert set(body["data"]) == {"qrCode", "expiresIn"}
    assert 0 < body["data"]["expiresIn"] <= 60
    png_in(body["data"]["qrCode"])
    return body["data"]["qrCode"]


async def test_reconnect_shows_another_code_while_one_is_shown(owner: httpx.AsyncClient) -> None:
    await without_sessions(owner)
    first = _code(told(await owner.get("/whatsapp/qr"), "data"))
    assert _code(told(await owner.post("/whatsapp/reconnect", json={}), "data", "message")) != first


async def test_the_default_session_is_the_one_that_is_flagged_else_the_oldest(
    owner: httpx.AsyncClient, public: httpx.AsyncClient, network: Network
) -> None:
    await without_sessions(owner)
    ids = [
        (await owner.post(f"{BASE}/sessions", json={"name": name})).json()["session"]["id"] for name in ("Old", "New")
    ]
    await scanned(owner, network, ids[1])
    assert await status_of(public) == ABSENT
    told(await owner.put(f"{BASE}/sessions/{ids[1]}", json={"isDefault": True}), "session", "data", "message")
    await until_status(public, connected=True)
    told(await owner.put(f"{BASE}/sessions/{ids[0]}", json={"isDefault": True}), "session", "data", "message")
    await until_status(public, connected=False)


async def test_a_customers_key_acts_on_that_customers_session(office: Office, public: httpx.AsyncClient) -> None:
    async with client(office.tenant.url, {"X-API-Key": office.tenant.key}) as http:
        await shows(http, LINKED)
        assert refused(await http.get("/whatsapp/qr"), 400, "ALREADY_CONNECTED")["message"] == NO_CODE_NEEDED


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["GET /whatsapp/qr", "POST /api/whatsapp/reconnect"])
@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        pytest.param({}, "UNAUTHORIZED", None, id="nobody"),
        pytest.param({"X-API-Key": ""}, "UNAUTHORIZED", None, id="an empty key"),
        pytest.param({"X-API-Key": "gf_wrong"}, "INVALID_API_KEY", "Invalid API key", id="a wrong key"),
        pytest.param({"Authorization": "Bearer nonsense"}, "INVALID_TOKEN", None, id="a wrong token"),
    ],
)
async def test_without_a_right_the_code_is_not_shown(
    public: httpx.AsyncClient, call: str, headers: dict[str, str], code: str, message: str | None
) -> None:
    method, _, path = call.partition(" ")
    body = refused(await public.request(method, path, headers=headers), 401, code)
    assert message is None or body["message"] == message
    assert "data" not in body


@pytest.mark.parametrize("headers", [{"X-API-Key": "gf_wrong"}, {"Authorization": "Bearer nonsense"}, {}])
async def test_the_status_believes_in_no_credential(
    owner: httpx.AsyncClient, public: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await without_sessions(owner)
    _code(told(await owner.get("/whatsapp/qr"), "data"))
    public.headers.update(headers)
    await shows(public, WITH_CODE)


async def test_the_sentences_that_w_matches_stay_english(office: Office, public: httpx.AsyncClient) -> None:
    headers = {"X-API-Key": office.tenant.key, "Accept-Language": "id"}
    assert (await public.get("/whatsapp/qr", headers=headers)).json()["message"] == NO_CODE_NEEDED


# --- The administrator -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["username", "email"])
async def test_the_administrator_signs_in_and_may_see_the_code(
    simulated_stack: RunningStack, owner: httpx.AsyncClient, public: httpx.AsyncClient, by: str
) -> None:
    ready = simulated_stack.ready
    name = "admin" if by == "username" else ready.admin_email
    answer = await public.post("/api/admin/login", json={"username": name, "password": ready.admin_password})
    data = told(answer, "data", "message")["data"]
    assert set(data) == {"token", "admin"}
    assert data["admin"] | {"id": ""} == {
        "id": "",
        "username": "admin",
        "email": ready.admin_email,
        "role": "SUPER_ADMIN",
    }
    await without_sessions(owner)
    bearer = {"Authorization": f"Bearer {data['token']}", "X-API-Key": ""}
    _code(told(await public.get("/api/whatsapp/qr", headers=bearer), "data"))


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        pytest.param({"username": "admin", "password": "wrong"}, 401, "INVALID_CREDENTIALS", "Invalid credentials"),
        pytest.param({"username": "nobody", "password": "wrong"}, 401, "INVALID_CREDENTIALS", "Invalid credentials"),
        pytest.param({"username": "{owner}", "password": "{own}"}, 401, "INVALID_CREDENTIALS", "Invalid credentials"),
        pytest.param({"username": "admin"}, 400, "MISSING_CREDENTIALS", None),
        pytest.param({"password": "secret"}, 400, "MISSING_CREDENTIALS", None),
        pytest.param({}, 400, "MISSING_CREDENTIALS", None),
    ],
    ids=["wrong password", "unknown", "a customer's owner", "no password", "no name", "nothing"],
)
async def test_another_sign_in_is_refused(
    simulated_stack: RunningStack,
    public: httpx.AsyncClient,
    body: dict[str, str],
    status: int,
    code: str,
    message: str | None,
) -> None:
    ready = simulated_stack.ready
    filled = {name: value.format(owner=ready.email, own=ready.password) for name, value in body.items()}
    answer = refused(await public.post("/api/admin/login", json=filled), status, code)
    assert message is None or answer["message"] == message


# --- Another edge of the same deployment: with a key of its own, and a NATS that goes away ---------------------------


@pytest.fixture
async def nats(simulated_stack: RunningStack) -> AsyncGenerator[Proxy]:
    """The stack's NATS, behind a cable that can be pulled."""
    async with proxy_to(simulated_stack.ready.nats_url) as proxy:
        yield proxy


@pytest.fixture
async def strict(simulated_stack: RunningStack, nats: Proxy, tmp_path: Path) -> AsyncGenerator[str]:
    """The URL of one more edge, with MERPATI_API_KEY, which waits one second for a code."""
    port = str(free_port())
    secret_keys = load_or_make(simulated_stack.data / "secrets.env")["MERPATI_SECRET_KEYS"]
    async with service(
        "services.api.app",
        tmp_path,
        nats_url=nats.url,
        mongodb_url=simulated_stack.ready.mongodb_url,
        secret_keys=secret_keys,
        port=port,
        engines="simulator",
        default_engine="simulator",
        api_key=DEPLOYMENT_KEY,
        qr_wait_s="1",
    ) as edge:
        await edge.ready()
        yield f"http://127.0.0.1:{port}"
        assert await edge.drain() == 0


async def test_the_deployments_key_opens_it_and_no_answer_comes_late_or_unexplained(
    strict: str, nats: Proxy, owner: httpx.AsyncClient, network: Network, tenant: Tenant
) -> None:
    """One edge for three claims: starting one takes seconds."""
    await without_sessions(owner)
    async with client(strict, {"X-API-Key": DEPLOYMENT_KEY}) as http:
        await _asks_for_its_key(http, tenant)
        await _times_out_in_its_words(http, owner, network)
        await _is_not_ready_without_nats(http, nats)


async def _asks_for_its_key(http: httpx.AsyncClient, tenant: Tenant) -> None:
    for wrong in ("", "wrong"):
        answer = await http.get("/whatsapp/qr", headers={"X-API-Key": wrong})
        assert refused(answer, 401, "INVALID_API_KEY")["message"] == "Invalid API key"
    for right in ({}, {"X-API-Key": tenant.key}, {"X-API-Key": "", "Authorization": f"Bearer {tenant.token}"}):
        await eventually(lambda headers=right: _opens(http, headers))


async def _opens(http: httpx.AsyncClient, headers: dict[str, str]) -> bool:
    """Whether the owner of the session had heard of it within the one second that this edge waits."""
    answer = await http.get("/whatsapp/qr", headers=headers)
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert refused(answer, 503, "NOT_READY")["message"] == NOT_READY
        return False
    assert answer.status_code in (200, 408), answer.text
    return True


async def _times_out_in_its_words(http: httpx.AsyncClient, owner: httpx.AsyncClient, network: Network) -> None:
    """A session that is linked, but which WhatsApp does not let in: there is no code to be had."""
    (session,) = (await owner.get(f"{BASE}/sessions")).json()["sessions"]
    number = await scanned(owner, network, session["id"])
    try:
        await network.fault(kind="loginFailure", code=503, phone=number)
        await network.fault(kind="drop", phone=number)
        await until_status(http, connected=False, state="CONNECTING", hasQR=False)
        assert refused(await http.get("/whatsapp/qr"), 408, "QR_TIMEOUT")["message"] == TIMED_OUT
    finally:
        await network.mended()


async def _is_not_ready_without_nats(http: httpx.AsyncClient, nats: Proxy) -> None:
    nats.losing = True
    nats.cut()

    async def ready() -> bool:
        return (await http.get("/readyz")).is_success

    async def has_noticed() -> bool:
        return not await ready()

    await eventually(has_noticed)
    for call in (http.get("/whatsapp/qr"), http.post("/whatsapp/reconnect", json={})):
        answer = await asyncio.wait_for(call, 10)
        assert refused(answer, 503, "NOT_READY")["message"] == NOT_READY
        assert int(answer.headers["retry-after"]) > 0
    assert await status_of(http) == ABSENT
    refused(await http.get(f"{BASE}/sessions"), 503, "SERVICE_UNAVAILABLE")
    nats.losing = False
    await eventually(ready)
    assert (await http.get("/whatsapp/qr")).status_code != httpx.codes.SERVICE_UNAVAILABLE
