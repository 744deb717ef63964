"""A customer's subscription on a whole stack: bought, over, renewed; what that does to linked sessions and messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from tests.e2e.ears import heard, listening
from tests.e2e.handsets import Network, in_status, linked
from tests.e2e.tenants import Tenant, client, make_tenant
from tests.e2e.wire import BASE, Json, refused
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

PLATFORM = "/api/platform"


@pytest.fixture
async def admin(simulated_stack: RunningStack) -> AsyncGenerator[httpx.AsyncClient]:
    """The platform's administrator, signed in."""
    ready = simulated_stack.ready
    body = {"identifier": ready.admin_email, "password": ready.admin_password}
    async with client(simulated_stack.url) as http:
        token = (await http.post("/api/auth/signin", json=body)).json()["data"]["token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield http


def done(answer: httpx.Response) -> Any:
    """The `data` of a request that succeeded."""
    assert answer.status_code in (200, 202), answer.text
    return answer.json()["data"]


async def cancel_all(admin: httpx.AsyncClient, tenant: Tenant) -> str:
    """End what the tenant has; the id of its plan."""
    found = done(await admin.get(f"{PLATFORM}/subscriptions", params={"customer": tenant.customer_id}))
    for row in found:
        done(await admin.post(f"{PLATFORM}/subscriptions/{row['id']}/cancel"))
    return str(found[0]["planId"])


async def send(http: httpx.AsyncClient, session: str, to: str, text: str) -> str:
    body = {"type": "text", "to": to, "text": text}
    return str((done(await http.post(f"{BASE}/sessions/{session}/messages", json=body)))["messageId"])


async def message(http: httpx.AsyncClient, message_id: str, **holds: Any) -> Json:
    """The message, once it holds this."""

    async def seen() -> Json | None:
        row: Json = done(await http.get(f"{BASE}/messages/{message_id}"))
        return row if holds.items() <= row.items() else None

    found = await eventually(seen)
    assert found is not None
    return found


async def healthy(http: httpx.AsyncClient, session: str, **holds: Any) -> None:
    """Wait until the session's health says this."""

    async def seen() -> bool:
        health: Json = done(await http.get(f"{BASE}/sessions/{session}/health"))
        return holds.items() <= health.items()

    assert await eventually(seen)


async def test_without_a_subscription_messages_wait_and_leave_once_it_is_renewed(
    simulated_stack: RunningStack, tenant: Tenant, network: Network, admin: httpx.AsyncClient
) -> None:
    async with tenant.client() as http, listening(tenant.url, tenant.token, events="subscription.*") as stream:
        session, _ = await linked(http, network, "Till")
        person = await network.person()
        before = await send(http, session, person, "Before")
        await network.arrived(person, 1)
        plan_id = await cancel_all(admin, tenant)
        await heard(stream, "subscription.changed", status="INACTIVE")

        ids = [await send(http, session, person, f"Waiting {number}") for number in range(3)]
        for message_id in ids:
            await message(http, message_id, status="queued", waitingFor="subscription")
        await healthy(http, session, state="connected", waitingFor="subscription", queueDepth=3)
        assert len(await network.phones.inbox(person)) == 1
        refused(await http.post(f"{BASE}/sessions", json={"name": "More"}), 403, "SESSION_LIMIT_REACHED")

        done(
            await admin.post(
                f"{PLATFORM}/customers/{tenant.customer_id}/subscriptions", json={"planId": plan_id, "cycles": 1}
            )
        )
        await heard(stream, "subscription.changed", status="ACTIVE")
        arrived = await network.arrived(person, 4)
        assert [row["text"] for row in arrived] == ["Before", *(f"Waiting {number}" for number in range(3))]
        for message_id in (before, *ids):
            await message(http, message_id, waitingFor=None)
        assert (await in_status(http, session, "CONNECTED"))["message"] is None


async def test_a_suspended_customers_messages_wait_too(
    tenant: Tenant, network: Network, admin: httpx.AsyncClient
) -> None:
    async with tenant.client() as http:
        session, _ = await linked(http, network, "Till")
        person = await network.person()
        done(await admin.post(f"{PLATFORM}/customers/{tenant.customer_id}/suspend"))
        refused(await http.get(f"{BASE}/sessions"), 403, "CUSTOMER_SUSPENDED")
        acting = {"customer": tenant.customer_id}
        body = {"type": "text", "to": person, "text": "Halo"}
        answer = await admin.post(f"{BASE}/sessions/{session}/messages", json=body, params=acting)
        message_id = (done(answer))["messageId"]

        async def waits() -> bool:
            row = done(await admin.get(f"{BASE}/messages/{message_id}", params=acting))
            return row["waitingFor"] == "subscription"

        assert await eventually(waits)
        done(await admin.post(f"{PLATFORM}/customers/{tenant.customer_id}/resume"))
        await network.arrived(person, 1)
        await in_status(http, session, "CONNECTED")


async def test_a_customer_buys_a_plan_by_itself_and_links_a_session_with_it(
    simulated_stack: RunningStack, network: Network, admin: httpx.AsyncClient
) -> None:
    poor = await make_tenant(simulated_stack, max_sessions=None)
    plan = {"name": "Warung", "allowance": {"maxSessions": 1}, "price": 150_000}
    plan_id = (done(await admin.post(f"{PLATFORM}/plans", json=plan)))["id"]
    async with poor.client() as http:
        offered = done(await http.get(f"{BASE}/plans"))
        assert plan_id in [each["id"] for each in offered]
        asked = done(await http.post(f"{BASE}/purchases", json={"planId": plan_id}))
        pending = done(await admin.get(f"{PLATFORM}/transactions", params={"status": "PENDING"}))
        assert asked["transaction"]["id"] in [row["id"] for row in pending]
        done(await admin.post(f"{PLATFORM}/transactions/{asked['transaction']['id']}/confirm"))
        await linked(http, network, "Till")
        refused(await http.post(f"{BASE}/sessions", json={"name": "More"}), 403, "SESSION_LIMIT_REACHED")
        summary = (done(await http.get("/api/customer/dashboard")))["whatsappSummary"]
        assert summary["sessionQuota"] == {"total": 1, "used": 1, "remaining": 0}
        assert summary["expiration"] is not None


async def test_replicas_hold_every_shard_and_nothing_is_dead(admin: httpx.AsyncClient) -> None:
    """Awaited: while a machine stands still nobody beats, and shards that were given up are soon held again."""
    await eventually(lambda: _every_shard_is_held(admin))
    await eventually(lambda: _is_without_fault(admin))


async def _every_shard_is_held(admin: httpx.AsyncClient) -> bool:
    services = {each["service"]: each for each in done(await admin.get(f"{PLATFORM}/replicas"))}
    assert set(services) == {"sender", "sessions/simulator", "status"}
    return all(
        not service["freeShards"]
        and all(replica["isBeating"] and replica["isFit"] for replica in service["replicas"])
        and sorted(shard for replica in service["replicas"] for shard in replica["shards"]) == list(range(32))
        for service in services.values()
    )


async def _is_without_fault(admin: httpx.AsyncClient) -> bool:
    state = done(await admin.get(f"{PLATFORM}/state"))
    readers = [consumer["name"] for stream in state["nats"]["streams"] for consumer in stream["consumers"]]
    faults = (state["nats"]["fault"], state["mongodb"]["fault"])
    return faults == (None, None) and any(name.startswith("sender-") for name in readers)
