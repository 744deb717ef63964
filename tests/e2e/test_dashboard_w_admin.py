"""The single-session admin dashboard beyond the link: every call it makes after its sign-in, and every key it reads."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator

import httpx
import msgspec
import pytest

from tests.e2e.handsets import WITHIN_S, Network, linked
from tests.e2e.tenants import Tenant, client
from tests.e2e.wire import BASE, Json, refused, told
from tests.processes import eventually
from tests.stack import RunningStack

pytestmark = pytest.mark.needs_go

MESSAGE = {"id", "userId", "phoneNumber", "message", "status", "retryCount", "createdAt", "updatedAt"}
MESSAGE_MAY = {"sentAt", "errorMessage"}
CHAT = {"id", "phoneNumber", "message", "messageType", "isRead", "isTriggered", "createdAt", "updatedAt"}
TEMPLATE = {"id", "name", "content", "variables", "createdAt", "updatedAt"}
TOKEN = {"id", "name", "tokenPrefix", "lastUsedAt", "expiresAt", "isActive", "createdAt"}
ADMIN = {"id", "username", "email", "role", "isActive", "createdAt"}
PAGES = {"page", "limit", "total", "totalPages"}


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """The default customer's default session, linked, and the administrator who looks at it."""

    session: str
    number: str


@pytest.fixture(scope="module")
def shop(simulated_stack: RunningStack) -> Shop:
    """Linked once for all these tests."""
    return asyncio.run(_shop(simulated_stack))


async def _shop(stack: RunningStack) -> Shop:
    network = Network(stack.simulator_url)
    async with client(stack.url, {"X-API-Key": stack.key}) as owner:
        session, number = await linked(owner, network, f"W {secrets.token_hex(4)}")
        told(await owner.put(f"{BASE}/sessions/{session}", json={"isDefault": True}), "session", "data", "message")
    await network.close()
    return Shop(session=session, number=number)


@pytest.fixture
async def admin(simulated_stack: RunningStack, shop: Shop) -> AsyncGenerator[httpx.AsyncClient]:
    """The administrator, with the headers that W sends."""
    async with client(simulated_stack.url) as nobody:
        body = {"username": "admin", "password": simulated_stack.ready.admin_password}
        data = told(await nobody.post("/api/admin/login", json=body), "data", "message")["data"]
    headers = {"Authorization": f"Bearer {data['token']}", "X-API-Key": ""}
    async with client(simulated_stack.url, headers) as http:
        yield http


@pytest.fixture
async def contact(network: Network) -> str:
    """Somebody with a phone."""
    return await network.person("Bu Sari")


async def chat_of(admin: httpx.AsyncClient, contact: str, **wanted: object) -> Json:
    """The contact's chat, once it says this."""

    async def found() -> Json | None:
        data = told(await admin.get("/api/admin/chats"), "data")["data"]
        assert set(data) >= {"chats"}
        assert all(set(each) == CHAT for each in data["chats"])
        return next((c for c in data["chats"] if c["phoneNumber"] == contact and wanted.items() <= c.items()), None)

    chat = await eventually(found, within_s=WITHIN_S, every_s=0.02)
    assert chat is not None
    return chat


# --- The first page --------------------------------------------------------------------------------------------------


async def test_the_first_page_counts_what_there_is(
    admin: httpx.AsyncClient, network: Network, shop: Shop, contact: str
) -> None:
    before = told(await admin.get("/api/admin/dashboard"), "data")["data"]
    assert {name: set(part) for name, part in before.items()} == {
        "chats": {"total", "unread", "active", "archived"},
        "messages": {"pending", "queued", "sent", "failed"},
        "whatsapp": {"connected", "state", "hasQR"},
    }
    assert before["whatsapp"] == {"connected": True, "state": "CONNECTED", "hasQR": False}
    await network.phones.write(contact, shop.number, "Buka?")
    chat = await chat_of(admin, contact, isRead=False)
    told(await admin.post(f"/api/admin/chats/{chat['id']}/reply", json={"message": "Buka."}), "data", "message")
    await chat_of(admin, contact, isRead=True, isTriggered=True)
    await network.arrived(contact)

    async def counted() -> bool:
        after = told(await admin.get("/api/admin/dashboard"), "data")["data"]
        return (after["chats"]["total"], after["messages"]["sent"]) == (
            before["chats"]["total"] + 1,
            before["messages"]["sent"] + 1,
        )

    await eventually(counted, within_s=WITHIN_S)


# --- Messages --------------------------------------------------------------------------------------------------------


async def test_what_was_sent_is_listed_by_its_status_in_pages(
    admin: httpx.AsyncClient, simulated_stack: RunningStack, shop: Shop, contact: str
) -> None:
    nobody_there = "6281299999999"
    async with client(simulated_stack.url, {"X-API-Key": simulated_stack.key}) as owner:
        ids = {
            to: (await owner.post(f"{BASE}/sessions/{shop.session}/messages", json=text_to(to))).json()["messageId"]
            for to in (contact, nobody_there)
        }
    sent = await message_in(admin, "SENT", ids[contact])
    assert (sent["phoneNumber"], sent["message"], sent["retryCount"]) == (contact, "Selamat pagi", 0)
    assert sent["sentAt"]
    assert "errorMessage" not in sent
    failed = await message_in(admin, "FAILED", ids[nobody_there])
    assert failed["errorMessage"]
    data = told(await admin.get("/api/admin/messages", params={"page": 2, "limit": 1}), "data")["data"]
    assert (len(data["messages"]), data["pagination"]["page"], data["pagination"]["limit"]) == (1, 2, 1)
    assert data["pagination"]["totalPages"] == data["pagination"]["total"] >= 2
    shown = told(await admin.get(f"/api/messages/status/{ids[contact]}"), "data")["data"]
    assert shown | {"updatedAt": ""} == sent | {"updatedAt": ""}
    refused(await admin.get("/api/messages/status/unknown"), 404, "MESSAGE_NOT_FOUND")


def text_to(contact: str) -> Json:
    return {"type": "text", "to": contact, "text": "Selamat pagi"}


async def message_in(admin: httpx.AsyncClient, status: str, message_id: str) -> Json:
    """The message, once it is listed under this status."""

    async def found() -> Json | None:
        params = {"status": status, "page": "1", "limit": "10"}
        data = told(await admin.get("/api/admin/messages", params=params), "data")["data"]
        assert set(data) == {"messages", "pagination"}
        assert set(data["pagination"]) == PAGES
        assert all(MESSAGE <= set(each) <= MESSAGE | MESSAGE_MAY for each in data["messages"])
        assert {each["status"] for each in data["messages"]} <= {status}
        return next((each for each in data["messages"] if each["id"] == message_id), None)

    message = await eventually(found, within_s=WITHIN_S, every_s=0.05)
    assert message is not None
    return message


# --- Chats -----------------------------------------------------------------------------------------------------------


async def test_a_reply_reaches_the_phone_of_who_wrote_and_the_chat_is_read(
    admin: httpx.AsyncClient, network: Network, shop: Shop, contact: str
) -> None:
    for text in ("Halo", "Ada kopi?"):
        await network.phones.write(contact, shop.number, text)
    chat = await chat_of(admin, contact, message="Ada kopi?", isRead=False, isTriggered=False, messageType="text")
    unread = told(await admin.get("/api/admin/chats", params={"isRead": "false"}), "data")["data"]["chats"]
    assert chat["id"] in [each["id"] for each in unread]
    path = f"/api/admin/chats/{chat['id']}/reply"
    data = told(await admin.post(path, json={"message": "Ada, Bu."}), "data", "message")["data"]
    assert set(data) >= MESSAGE
    (shown,) = await network.arrived(contact)
    assert shown["text"] == "Ada, Bu."
    await chat_of(admin, contact, message="Ada kopi?", isRead=True, isTriggered=True)
    read = told(await admin.get("/api/admin/chats", params={"isRead": "true"}), "data")["data"]["chats"]
    assert chat["id"] in [each["id"] for each in read]
    refused(await admin.post("/api/admin/chats/unknown/reply", json={"message": "Halo"}), 404, "NOT_FOUND")


async def test_one_person_has_one_chat_whichever_address_is_told_first(
    admin: httpx.AsyncClient, simulated_stack: RunningStack, network: Network, shop: Shop, contact: str
) -> None:
    """We write to the number; the answer comes from a LID."""
    async with client(simulated_stack.url, {"X-API-Key": simulated_stack.key}) as owner:
        await owner.post(f"{BASE}/sessions/{shop.session}/messages", json=text_to(contact))
        await network.arrived(contact)
        await network.phones.write(contact, shop.number, "Terima kasih")
        await chat_of(admin, contact, message="Terima kasih", isRead=False)
        chats = told(await owner.get(f"{BASE}/chats"), "chats", "data", "pagination")["chats"]
    assert [each["chat"] for each in chats].count(contact) == 1
    (chat,) = [each for each in chats if each["chat"] == contact]
    assert chat["lid"].endswith("@lid")
    assert not [each for each in chats if each["chat"] == chat["lid"]]


# --- Templates -------------------------------------------------------------------------------------------------------


async def test_a_template_is_made_changed_and_deleted(admin: httpx.AsyncClient) -> None:
    name = f"Pesanan {secrets.token_hex(4)}"
    body = {"name": name, "content": "Halo {{nama}}, {{pesanan}} siap.", "description": "Siang"}
    made = told(await admin.post("/api/templates", json=body), "data", "message")["data"]
    assert set(made) == TEMPLATE | {"description"}
    assert made["variables"] == ["nama", "pesanan"]
    listed = told(await admin.get("/api/templates"), "data")["data"]
    assert made in listed
    assert all(TEMPLATE <= set(each) <= TEMPLATE | {"description"} for each in listed)
    path = f"/api/templates/{made['id']}"
    assert told(await admin.get(path), "data")["data"] == made
    changed = told(await admin.put(path, json={**body, "content": "Hai {{nama}}"}), "data", "message")["data"]
    assert (changed["variables"], changed["id"], changed["createdAt"]) == (["nama"], made["id"], made["createdAt"])
    refused(await admin.post("/api/templates", json=body), 409, "TEMPLATE_NAME_TAKEN")
    refused(await admin.post("/api/templates", json={**body, "content": "{{nama"}), 400, "VALIDATION_FAILED")
    assert told(await admin.delete(path), "data", "message")["data"] is None
    refused(await admin.get(path), 404, "NOT_FOUND")


# --- API tokens and administrators -----------------------------------------------------------------------------------


async def test_an_api_token_is_shown_once_works_and_is_revoked(
    admin: httpx.AsyncClient, simulated_stack: RunningStack, shop: Shop
) -> None:
    body = {"name": f"Kasir {secrets.token_hex(4)}", "expiresAt": "2099-01-01T00:00:00.000Z"}
    made = told(await admin.post("/api/admin/api-tokens", json=body), "data", "message", "token")
    assert set(made["data"]) == TOKEN | {"token"}
    assert made["token"].startswith(made["data"]["tokenPrefix"])
    async with client(simulated_stack.url, {"X-API-Key": made["token"]}) as holder:
        assert (await holder.get(f"{BASE}/sessions/{shop.session}")).status_code == 200
        path = f"/api/admin/api-tokens/{made['data']['id']}"
        assert told(await admin.post(f"{path}/revoke"), "data", "message")["data"]["isActive"] is False
        refused(await holder.get(f"{BASE}/sessions/{shop.session}"), 401, "INVALID_API_KEY")
    listed = told(await admin.get("/api/admin/api-tokens"), "data")["data"]
    assert all(set(each) == TOKEN for each in listed)
    assert [each["isActive"] for each in listed if each["id"] == made["data"]["id"]] == [False]
    assert told(await admin.delete(path), "data", "message")["data"] is None
    assert made["data"]["id"] not in [
        each["id"] for each in told(await admin.get("/api/admin/api-tokens"), "data")["data"]
    ]


async def test_an_administrator_is_made_signs_in_and_is_deleted(admin: httpx.AsyncClient) -> None:
    name = f"kasir{secrets.token_hex(4)}"
    body = {"username": name, "password": "rahasia", "email": f"{name}@example.com", "role": "ADMIN"}
    made = told(await admin.post("/api/admin/admins", json=body), "data", "message")["data"]
    assert set(made) == ADMIN
    assert (made["username"], made["role"], made["isActive"]) == (name, "ADMIN", True)
    refused(await admin.post("/api/admin/admins", json=body), 400, "VALIDATION_FAILED")
    login = {"username": name, "password": "rahasia"}
    signed_in = told(await admin.post("/api/admin/login", json=login), "data", "message")["data"]
    assert signed_in["admin"]["role"] == "ADMIN"
    as_support = {"Authorization": f"Bearer {signed_in['token']}"}
    assert (await admin.get("/api/admin/dashboard", headers=as_support)).status_code == 200
    refused(await admin.get("/api/admin/admins", headers=as_support), 403, "FORBIDDEN")
    path = f"/api/admin/admins/{made['id']}"
    assert told(await admin.put(path, json={"role": "SUPER_ADMIN"}), "data", "message")["data"]["role"] == "SUPER_ADMIN"
    told(await admin.put(f"{path}/password", json={"password": "rahasia2"}), "data", "message")
    refused(await admin.post("/api/admin/login", json=login), 401, "INVALID_CREDENTIALS")
    listed = told(await admin.get("/api/admin/admins"), "data")["data"]
    assert all(set(each) == ADMIN for each in listed)
    (oneself,) = [each for each in listed if each["username"] == "admin"]
    refused(await admin.delete(f"/api/admin/admins/{oneself['id']}"), 400, "VALIDATION_FAILED")
    told(await admin.delete(path), "data", "message")
    assert made["id"] not in [each["id"] for each in told(await admin.get("/api/admin/admins"), "data")["data"]]


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["dashboard", "messages", "chats", "api-tokens", "admins"], ids=lambda path: f"/api/admin/{path}"
)
async def test_a_customer_is_no_administrator(public: httpx.AsyncClient, tenant: Tenant, path: str) -> None:
    bearer = {"Authorization": f"Bearer {tenant.token}"}
    refused(await public.get(f"/api/admin/{path}", headers=bearer), 403, "FORBIDDEN")
    refused(await public.get(f"/api/admin/{path}"), 401, "UNAUTHORIZED")
