"""Links made without a camera: by a code typed on the phone, and with the passkey that WhatsApp asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import httpx
import pytest

from tests.e2e.ears import heard, listening
from tests.e2e.handsets import WITHIN_S, Network, in_status, qr_code
from tests.e2e.tenants import Tenant
from tests.e2e.wire import BASE, refused, told
from tests.processes import eventually

pytestmark = pytest.mark.needs_go


async def new_session(http: httpx.AsyncClient, name: str) -> str:
    return str((await http.post(f"{BASE}/sessions", json={"name": name})).json()["session"]["id"])


async def test_a_session_is_linked_by_a_code(tenant: Tenant, network: Network) -> None:
    number = await network.person("Pak Budi")
    async with tenant.client() as http:
        session = await new_session(http, "By code")
        answer = await http.post(f"{BASE}/sessions/{session}/pair-code", json={"phone": f"+{number}"})
        data = told(answer, "data", "message")["data"]
        assert len(data["code"]) == 9
        assert data["code"][4] == "-"
        assert 100 < data["expiresIn"] <= 180
        await network.called("POST", f"/phones/{number}/scan", json={"pairCode": data["code"]})
        shown = await in_status(http, session, "CONNECTED")
        assert shown["phone"] == number
        again = await http.post(f"{BASE}/sessions/{session}/pair-code", json={"phone": number})
        refused(again, 400, "ALREADY_CONNECTED")


async def test_a_scan_that_wants_a_passkey_links_once_it_has_answered(tenant: Tenant, network: Network) -> None:
    """Who scans has both screens in hand: WhatsApp has nothing compared then, so the step `compare` is left out."""
    number = await network.person("Pak Budi")
    async with tenant.client() as http, contextlib.AsyncExitStack() as still:
        session = await new_session(http, "With a passkey")
        path = f"{BASE}/sessions/{session}"
        stream = await still.enter_async_context(listening(tenant.url, tenant.token, session=session))
        code = await qr_code(http, session)
        await network.fault(kind="passkey", phone=number)
        scanning = asyncio.create_task(network.called("POST", f"/phones/{number}/scan", json={"qr": code}))
        try:
            challenge = (await step(http, session, "challenge"))["challenge"]
            frame = await heard(stream, "session.passkey")
            assert json.loads(frame["data"]["passkey"]) == challenge
            assert (await http.post(f"{path}/passkey", json={"response": {}})).status_code == 409
            assertion = await network.called(
                "POST", f"/phones/{number}/passkey", json={"challenge": challenge["challenge"]}
            )
            told(await http.post(f"{path}/passkey", json={"response": assertion}), "data", "message")
            await scanning
            await in_status(http, session, "CONNECTED")
            assert (await step(http, session, "none"))["code"] is None
            refused(await http.post(f"{path}/passkey/confirm"), 409, "NOT_POSSIBLE")
        finally:
            scanning.cancel()
            await network.mended()


async def step(http: httpx.AsyncClient, session: str, name: str) -> dict[str, Any]:
    """The passkey's state, once it is at this step."""

    async def reached() -> dict[str, Any] | None:
        data = told(await http.get(f"{BASE}/sessions/{session}/passkey"), "data")["data"]
        return data if data["step"] == name else None

    found = await eventually(reached, within_s=WITHIN_S, every_s=0.05)
    assert found is not None
    return found
