"""A contact links another device: the next message reaches it too, once, whether or not anybody told us of it."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.handsets import WITHIN_S, Network, Office, in_status, qr_code
from tests.e2e.tenants import Tenant
from tests.e2e.test_messages import SENT, WAIT, send_path, text_to, until_status
from tests.e2e.wire import BASE, Json, told
from tests.processes import eventually

pytestmark = pytest.mark.needs_go


async def linked_to(http: httpx.AsyncClient, network: Network, number: str) -> str:
    """A session that is one more device of this number; its id."""
    session: str = (await http.post(f"{BASE}/sessions", json={"name": "Laptop"})).json()["session"]["id"]
    code = await qr_code(http, session)
    await network.phones.scan(number, code)
    await in_status(http, session, "CONNECTED")
    return session


async def came_in(http: httpx.AsyncClient, chat: str, text: str) -> list[Json]:
    """What a device got in this chat, once that text is there."""

    async def rows() -> list[Json]:
        found = (await http.get(f"{BASE}/messages", params={"chat": chat, "direction": "in"})).json()["messages"]
        return found if any(one["text"] == text for one in found) else []

    return await eventually(rows, within_s=WITHIN_S)


@pytest.mark.parametrize("announced", [True, False], ids=["told", "untold"])
async def test_the_first_message_after_a_contact_linked_a_device_reaches_it_once(
    office: Office, http: httpx.AsyncClient, tenant: Tenant, network: Network, announced: bool
) -> None:
    number = await network.person()
    told(await http.post(send_path(office), json=text_to(number, "to the phone alone"), headers=WAIT), *SENT)
    if not announced:
        await network.fault(kind="untoldDevice", phone=number)
    async with tenant.client() as contact:
        await linked_to(contact, network, number)

        sent = told(await http.post(send_path(office), json=text_to(number, "to both"), headers=WAIT), *SENT)

        got = await came_in(contact, office.number, "to both")
        assert [one["text"] for one in got] == ["to both"]
        await until_status(http, sent["messageId"], "delivered")
        told(await http.post(send_path(office), json=text_to(number, "again"), headers=WAIT), *SENT)
        got = await came_in(contact, office.number, "again")
        assert [one["text"] for one in got] == ["again", "to both"]
    assert [row["copies"] for row in await network.arrived(number, 3)] == [1, 1, 1]
