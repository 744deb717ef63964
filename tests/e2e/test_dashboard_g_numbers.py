"""The multi-session customer dashboard on the wire: what it shows moves with what is sent, and its remaining calls."""

from __future__ import annotations

import secrets

import httpx
import pytest

from tests.e2e.handsets import WITHIN_S, Network, in_status, linked
from tests.e2e.tenants import PASSWORD, Tenant
from tests.e2e.wire import BASE, CHAT, Json, refused, told
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

HEALTH = {
    *("sessionId", "sessionName", "status", "state", "wanted", "degraded", "reason", "resumeAt", "connectedAt"),
    *("lastSeenAt", "lastFrameAt", "lastAckAt", "reconnectsLastHour", "queueDepth", "oldestQueuedAt", "restriction"),
    "cause",
}
USER = {"id", "name", "email", "phone", "role"}


async def test_what_is_sent_is_counted_on_the_first_page_and_in_the_plan(tenant: Tenant, network: Network) -> None:
    nobody_there = "6281299999998"
    async with tenant.client() as http:
        session, _ = await linked(http, network, "Kasir")
        contact = await network.person()
        for to, status in ((contact, 200), (contact, 200), (nobody_there, 422)):
            body = {"phone": to, "contentType": "text", "content": "Halo"}
            assert (await http.post(f"{CHAT}/{session}/{tenant.key}", json=body)).status_code == status
        assert await _counted(http) == {"sent": 2, "failed": 1}
        usage = told(await http.get(f"{BASE}/subscription"), "subscription", "usage", "data")["usage"]
        assert usage == {"sessionsUsed": 1, "messagesThisMonth": usage["messagesThisMonth"]}
        assert usage["messagesThisMonth"] in (2, 3), "those that left, or all that were accepted"
        shown = told(await http.get(f"{CHAT}/{session}/{tenant.key}"), "data", "message")["data"]
        assert (shown["stats"]["totalMessagesSent"], shown["stats"]["totalMessagesFailed"]) == (2, 1)
        assert shown["stats"]["lastMessageSentAt"]
        assert shown["stats"]["lastMessageFailedAt"]


async def _counted(http: httpx.AsyncClient) -> Json:
    """The first page's numbers, once three messages have ended."""

    async def ended() -> Json | None:
        summary = told(await http.get("/api/customer/dashboard"), "data")["data"]["whatsappSummary"]
        assert summary["activeSessions"] == 1
        assert summary["sessionQuota"] == {"total": 1000, "used": 1, "remaining": 999}
        stats: Json = summary["messageStats"]
        return stats if stats["sent"] + stats["failed"] >= 3 else None

    stats = await eventually(ended, within_s=WITHIN_S, every_s=0.05)
    assert stats is not None
    return stats


async def test_a_session_is_stopped_started_and_judged_by_its_health(tenant: Tenant, network: Network) -> None:
    async with tenant.client() as http:
        session, _ = await linked(http, network, "Gudang")
        path = f"{BASE}/sessions/{session}"
        health = told(await http.get(f"{path}/health"), "data")["data"]
        assert set(health) >= HEALTH
        assert (health["state"], health["wanted"], health["queueDepth"]) == ("connected", "running", 0)
        assert health["lastFrameAt"]
        told(await http.post(f"{path}/stop"), "session", "data", "message", status=202)
        await in_status(http, session, "DISCONNECTED")
        told(await http.post(f"{path}/start"), "session", "data", "message", status=202)
        await in_status(http, session, "CONNECTED")


async def test_one_changes_ones_profile_and_signs_out_under_either_name(
    tenant: Tenant, public: httpx.AsyncClient
) -> None:
    async with tenant.client() as http:
        email = f"{secrets.token_hex(6)}@example.com"
        body = {"name": "Toko Baru", "phone": "+62 812-3456-789", "email": email}
        user = told(await http.patch("/api/customer/profile", json=body), "data", "user")["user"]
        assert set(user) == USER
        assert (user["name"], user["phone"], user["email"]) == ("Toko Baru", "+628123456789", email)
    token = told(await public.post("/api/auth/signin", json={"email": email, "password": PASSWORD}), "data", "message")
    bearer = {"Authorization": f"Bearer {token['data']['token']}"}
    told(await public.post("/api/auth/logout", headers=bearer), "data", "message")
    refused(await public.get("/api/auth/me", headers=bearer), 401, "INVALID_TOKEN")


async def test_where_nobody_may_sign_up_the_dashboard_is_told_so(
    simulated_stack: RunningStack, public: httpx.AsyncClient
) -> None:
    body = {"name": "Bu Sari", "email": "sari@example.com", "password": "correct horse battery", "phone": "0812345678"}
    assert "ask the operator" in refused(await public.post("/api/auth/signup", json=body), 403, "FORBIDDEN")["message"]
