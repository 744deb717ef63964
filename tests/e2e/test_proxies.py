"""A session's proxy that leads inside: refused when it is set, and at the connection when it stood there before."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest

from infra.local.keys import load_or_make
from libs.runtime.crypto import KeyRing
from tests.e2e.tenants import Tenant
from tests.e2e.wire import BASE, Json, refused, told
from tests.forbidden import ForbiddenListener, forbidden_listener
from tests.processes import eventually
from tests.servers import client_of
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

DATA = ("data", "message")


@pytest.fixture
async def listener() -> AsyncGenerator[ForbiddenListener]:
    """At an address of this machine that the stack does not allow."""
    async with forbidden_listener("127.0.0.2") as listener:
        yield listener


async def stored(stack: RunningStack, session: str, proxy: str) -> None:
    """As a version that did not look at addresses stored it."""
    ring = KeyRing.parse(load_or_make(stack.data / "secrets.env")["MERPATI_SECRET_KEYS"])
    async with client_of(stack.ready.mongodb_url) as client:
        sealed = ring.seal(proxy.encode(), about=session)
        sessions = client.get_default_database().sessions
        await sessions.update_one({"_id": session}, {"$set": {"proxy": sealed}, "$inc": {"version": 1}})


async def failed(http: httpx.AsyncClient, session: str) -> Json:
    """The session once it has failed."""

    async def shown() -> Json:
        data = told(await http.get(f"{BASE}/sessions/{session}"), "session", "data")["data"]
        return data if data["reason"] == "proxy_not_allowed" else {}

    return await eventually(shown)


async def test_a_stored_proxy_that_leads_inside_is_never_connected_to(
    simulated_stack: RunningStack, tenant: Tenant, listener: ForbiddenListener
) -> None:
    async with tenant.client() as http:
        session = told(await http.post(f"{BASE}/sessions", json={"name": "Inside"}), "session", *DATA)["session"]["id"]
        path, inside = f"{BASE}/sessions/{session}", f"http://127.0.0.2:{listener.port}"
        refused(await http.put(path, json={"proxy": inside}), 400, "VALIDATION_FAILED")

        await stored(simulated_stack, session, inside)
        told(await http.put(path, json={"status": "active"}), "session", *DATA)
        shown = await failed(http, session)
        assert shown["message"] == (
            "This deployment does not connect to the address of the session's proxy; set another one, "
            "or ask the operator to allow it (MERPATI_PROXY_ALLOWED)"
        )
        listener.assert_untouched()

        told(await http.put(path, json={"proxy": None}), "session", *DATA)
        code = told(await http.get(f"{path}/qr", params={"wait": "60"}), "qr", *DATA)
        assert code["data"]["hasQR"]
        told(await http.delete(path), *DATA)
    listener.assert_untouched()
