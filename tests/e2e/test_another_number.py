"""A session is logged out and linked to another phone, on the simulated network with the real client library."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tests.e2e.handsets import WITHIN_S, Network, in_status, linked, qr_code, scanned
from tests.e2e.tenants import Tenant
from tests.e2e.wire import BASE, Json, refused, told
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

WAIT = {"Prefer": "wait=60"}


class Relinked(msgspec.Struct, frozen=True, kw_only=True):
    """A session that A was linked to and B is; `contact` got `left` from A, and nothing of what waits."""

    session: str
    a: str
    b: str
    contact: str
    left: str
    waiting: list[str]
    scheduled: str


async def send(http: httpx.AsyncClient, session: str, *, wait: bool = False, **body: Any) -> str:
    given = {"type": "text", **body}
    answer = await http.post(f"{BASE}/sessions/{session}/messages", json=given, headers=WAIT if wait else {})
    assert answer.status_code == (200 if wait else 202), answer.text
    return str(answer.json()["messageId"])


async def message(http: httpx.AsyncClient, message_id: str) -> Json:
    return dict(told(await http.get(f"{BASE}/messages/{message_id}"), "data")["data"])


async def health_with(http: httpx.AsyncClient, session: str, **holds: Any) -> None:
    async def holding() -> bool:
        return holds.items() <= told(await http.get(f"{BASE}/sessions/{session}/health"), "data")["data"].items()

    await eventually(holding, within_s=WITHIN_S, every_s=0.05)


async def until_left(http: httpx.AsyncClient, message_id: str) -> None:
    async def left() -> bool:
        return (await message(http, message_id))["status"] in ("sent", "delivered", "read")

    await eventually(left, within_s=WITHIN_S, every_s=0.05)


async def relinked(http: httpx.AsyncClient, network: Network) -> Relinked:
    """A sends, two messages and a scheduled one wait, A logs out, B links."""
    session, a = await linked(http, network, "Two numbers")
    contact = await network.person()
    left = await send(http, session, to=contact, text="from A", wait=True)
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    scheduled = await send(http, session, to=contact, text="later", sendAt=at)
    told(await http.post(f"{BASE}/sessions/{session}/stop"), "session", "data", "message", status=202)
    await in_status(http, session, "DISCONNECTED")
    waiting = [await send(http, session, to=contact, text=f"waiting {number}") for number in (1, 2)]
    assert (await http.post(f"{BASE}/sessions/{session}/logout")).status_code in (200, 202)
    b = await scanned(http, network, session)
    return Relinked(session=session, a=a, b=b, contact=contact, left=left, waiting=waiting, scheduled=scheduled)


async def test_another_number_sends_nothing_of_the_former_one_until_it_is_released(
    tenant: Tenant, network: Network
) -> None:
    async with tenant.client() as http:
        two = await relinked(http, network)
        await health_with(http, two.session, awaitingDecision=3, waitingFor="former_number", queueDepth=3)
        for each in (*two.waiting, two.scheduled):
            assert (await message(http, each))["waitingFor"] == "former_number"
        refused(await http.post(f"{BASE}/messages/{two.left}/retry"), 409, "MESSAGE_NOT_RETRYABLE")
        refused(await http.patch(f"{BASE}/messages/{two.left}", json={"text": "x"}), 409, "OTHER_NUMBER")
        refused(await http.delete(f"{BASE}/messages/{two.left}", headers=WAIT), 409, "OTHER_NUMBER")
        reaction = {"type": "reaction", "messageId": two.left, "emoji": "👍"}
        refused(await http.post(f"{BASE}/sessions/{two.session}/messages", json=reaction), 409, "OTHER_NUMBER")

        await send(http, two.session, to=two.contact, text="answer", replyTo=two.left, wait=True)
        shown = {row["text"]: row for row in await network.arrived(two.contact, 2)}
        assert (shown["from A"]["from"], shown["answer"]["from"]) == (two.a, two.b)
        assert shown["answer"]["quotedFrom"] == two.a

        answer = await http.post(f"{BASE}/sessions/{two.session}/queue/release")
        assert told(answer, "data", "message")["data"] == {"messages": 3}
        for each in two.waiting:
            await until_left(http, each)
        rows = {row["text"]: row["from"] for row in await network.arrived(two.contact, 4)}
        assert (rows["waiting 1"], rows["waiting 2"]) == (two.b, two.b)
        assert (await message(http, two.scheduled))["waitingFor"] == "schedule"
        await health_with(http, two.session, awaitingDecision=0, waitingFor=None)


async def test_what_waited_for_the_former_number_is_cancelled_alone_or_together(
    tenant: Tenant, network: Network
) -> None:
    async with tenant.client() as http:
        two = await relinked(http, network)
        await health_with(http, two.session, awaitingDecision=3)
        one, other = two.waiting
        assert told(await http.delete(f"{BASE}/messages/{one}"), "data", "message")["data"]["status"] == "cancelled"
        answer = await http.post(f"{BASE}/sessions/{two.session}/queue/discard")
        assert told(answer, "data", "message")["data"] == {"messages": 2}
        for each in (one, other, two.scheduled):
            assert (await message(http, each))["status"] == "cancelled"
        await send(http, two.session, to=two.contact, text="from B", wait=True)
        assert [row["text"] for row in await network.arrived(two.contact, 2)] == ["from A", "from B"]
        assert (await http.post(f"{BASE}/messages/{one}/retry")).status_code == 202
        await until_left(http, one)
        assert {row["from"] for row in (await network.arrived(two.contact, 3))[1:]} == {two.b}


async def test_what_waited_leaves_by_itself_when_the_same_number_links_again(tenant: Tenant, network: Network) -> None:
    async with tenant.client() as http:
        session, number = await linked(http, network, "The same number")
        contact = await network.person()
        told(await http.post(f"{BASE}/sessions/{session}/stop"), "session", "data", "message", status=202)
        await in_status(http, session, "DISCONNECTED")
        waiting = await send(http, session, to=contact, text="waiting")
        assert (await http.post(f"{BASE}/sessions/{session}/logout")).status_code in (200, 202)
        await network.phones.scan(number, await qr_code(http, session))
        await until_left(http, waiting)
        assert [row["from"] for row in await network.arrived(contact)] == [number]
