"""Messages through the API of our own: repeats, waiting for the outcome, cancelling, sending again, and the history."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import httpx
import msgspec
import pytest

from tests.e2e.handsets import WITHIN_S, Network, Office, scanned
from tests.e2e.tenants import Tenant
from tests.e2e.wire import BASE, CHAT, MESSAGE_KEYS, Json, refused, told
from tests.processes import eventually

pytestmark = pytest.mark.needs_go

SENT = ("messageId", "status", "timestamp", "message", "data")
LIST = ("messages", "data", "pagination")
NOBODY = "6281299999999"
WAIT = {"Prefer": "wait=60"}


def send_path(office: Office) -> str:
    """Where the office sends."""
    return f"{BASE}/sessions/{office.session}/messages"


def text_to(number: str, text: str = "halo") -> Json:
    """A text message."""
    return {"type": "text", "to": number, "text": text}


async def read(http: httpx.AsyncClient, message: str) -> Json:
    """The message with its history."""
    data: Json = told(await http.get(f"{BASE}/messages/{message}"), "data")["data"]
    assert set(data) == MESSAGE_KEYS | {"history"}
    times = [entry["at"] for entry in data["history"]]
    assert times == sorted(times)
    return data


async def until_status(http: httpx.AsyncClient, message: str, status: str) -> Json:
    """The message, once its status is this."""

    async def reached() -> Json | None:
        found = await read(http, message)
        return found if found["status"] == status else None

    found = await eventually(reached, within_s=WITHIN_S, every_s=0.02)
    assert found is not None
    return found


# --- Repeats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("public_path", [False, True], ids=["own", "public"])
async def test_a_repeat_with_its_key_is_the_same_message_and_another_body_is_refused(
    office: Office, http: httpx.AsyncClient, network: Network, public_path: bool
) -> None:
    number = await network.person()
    key = {"Idempotency-Key": f"order-{uuid.uuid4()}"}
    path = f"{CHAT}/{office.session}/{office.tenant.key}" if public_path else send_path(office)
    body = {"phone": number, "message": "once"} if public_path else text_to(number, "once")
    answers = await asyncio.gather(*(http.post(path, json=body, headers=key) for _ in range(4)))
    answers.append(await http.post(path, json=body, headers=key))
    bodies = [told(answer, *SENT, status=200 if public_path else 202) for answer in answers]
    assert len({(one["messageId"], one["timestamp"]) for one in bodies}) == 1
    replayed = [answer.headers.get("idempotent-replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None, *["true"] * 4]
    other = body | ({"message": "twice"} if public_path else {"text": "twice"})
    refused(await http.post(path, json=other, headers=key), 422, "IDEMPOTENCY_KEY_REUSED")
    await until_status(http, bodies[0]["messageId"], "delivered")
    assert [row["text"] for row in await network.arrived(number)] == ["once"]


async def test_the_same_key_of_two_customers_is_two_messages(
    office: Office, http: httpx.AsyncClient, tenant: Tenant, network: Network
) -> None:
    number, key = await network.person(), {"Idempotency-Key": f"order-{uuid.uuid4()}"}
    one = told(await http.post(send_path(office), json=text_to(number), headers=key), *SENT, status=202)
    async with tenant.client() as other:
        session = (await other.post(f"{BASE}/sessions", json={"name": "Other"})).json()["session"]["id"]
        path = f"{BASE}/sessions/{session}/messages"
        two = told(await other.post(path, json=text_to(number), headers=key), *SENT, status=202)
        assert one["messageId"] != two["messageId"]
        refused(await other.get(f"{BASE}/messages/{one['messageId']}"), 404, "MESSAGE_NOT_FOUND")
        refused(await other.delete(f"{BASE}/messages/{one['messageId']}"), 404, "MESSAGE_NOT_FOUND")


# --- Waiting for the outcome -----------------------------------------------------------------------------------------


async def test_a_send_that_waits_tells_that_it_was_sent(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    number = await network.person()
    body = told(await http.post(send_path(office), json=text_to(number), headers=WAIT), *SENT)
    assert set(body["data"]) == MESSAGE_KEYS
    assert body["status"] in ("sent", "delivered")
    assert body["data"]["sentAt"]
    path = f"{CHAT}/{office.session}/{office.tenant.key}"
    answer = told(await http.post(path, json={"phone": number, "message": "two"}, headers=WAIT), *SENT)
    assert answer["status"] in ("sent", "delivered")


async def test_a_number_that_is_not_on_whatsapp_is_told_within_the_wait_and_after_it(
    office: Office, http: httpx.AsyncClient
) -> None:
    answer = await http.post(send_path(office), json=text_to(NOBODY), headers=WAIT)
    message = refused(answer, 422, "NOT_ON_WHATSAPP")["details"]["messageId"]
    data = await read(http, message)
    assert (data["status"], data["error"]["code"]) == ("failed", "NOT_ON_WHATSAPP")
    assert data["error"]["message"]
    assert [entry["status"] for entry in data["history"]][-1] == "failed"
    path = f"{CHAT}/{office.session}/{office.tenant.key}"
    answer = await http.post(path, json={"phone": NOBODY, "message": "hi"}, headers=WAIT)
    refused(answer, 422, "NOT_ON_WHATSAPP")
    at_once = {"Prefer": "wait=0"}
    accepted = told(await http.post(path, json={"phone": NOBODY, "message": "hi"}, headers=at_once), *SENT)
    await until_status(http, accepted["messageId"], "failed")


# --- While the session is stopped ------------------------------------------------------------------------------------


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """A session that nobody has linked yet."""

    http: httpx.AsyncClient
    session: str


@pytest.fixture
async def closed(tenant: Tenant) -> AsyncGenerator[Closed]:
    """The tenant's one session."""
    async with tenant.client() as http:
        session = (await http.post(f"{BASE}/sessions", json={"name": "Closed"})).json()["session"]["id"]
        yield Closed(http=http, session=session)


async def _queued(closed: Closed, number: str, text: str) -> str:
    answer = await closed.http.post(f"{BASE}/sessions/{closed.session}/messages", json=text_to(number, text))
    body = told(answer, *SENT, status=202)
    assert set(body["data"]) == MESSAGE_KEYS
    assert (body["status"], body["data"]["status"], body["data"]["text"]) == ("queued", "queued", text)
    return body["messageId"]


async def test_a_waiting_message_is_cancelled_and_sent_again(closed: Closed, network: Network) -> None:
    number = await network.person()
    kept, dropped, revived = [await _queued(closed, number, text) for text in ("kept", "dropped", "revived")]
    assert (await read(closed.http, dropped))["messageId"] == dropped
    for message in (dropped, revived, revived):
        await eventually(lambda m=message: _is_cancelled(closed.http, m))
    refused(await closed.http.post(f"{BASE}/messages/{kept}/retry"), 409, "MESSAGE_NOT_RETRYABLE")
    answer = await closed.http.post(f"{BASE}/messages/{revived}/retry")
    told_at_once = told(answer, "data", "message", status=202)["data"]["status"]
    assert told_at_once in ("queued", "cancelled"), "cancelled still, when sender has not come to it within 5 s"
    assert [entry["status"] for entry in (await until_status(closed.http, revived, "queued"))["history"]] == [
        *("queued", "cancelled", "queued")
    ]
    await scanned(closed.http, network, closed.session)
    for message in (kept, revived):
        await until_status(closed.http, message, "delivered")
    assert [row["text"] for row in await network.arrived(number, 2)] == ["kept", "revived"]
    assert (await read(closed.http, dropped))["status"] == "cancelled"
    deleted = told(await closed.http.delete(f"{BASE}/messages/{kept}", headers=WAIT), "data", "message")
    assert deleted["message"] == "Message deleted"  # it had left: there is nothing to cancel


async def _is_cancelled(http: httpx.AsyncClient, message: str) -> bool:
    """Whether a deletion says so; it tells how the message is after 5 s when sender has not come to it by then."""
    body = told(await http.delete(f"{BASE}/messages/{message}"), "data", "message")
    return body["data"]["status"] == "cancelled"


async def test_a_message_waits_for_its_session_visibly_and_ends_with_it(closed: Closed) -> None:
    message = await _queued(closed, NOBODY, "waiting")

    async def waits() -> bool:
        return (await read(closed.http, message))["waitingFor"] == "session"

    await eventually(waits, within_s=WITHIN_S)
    told(await closed.http.delete(f"{BASE}/sessions/{closed.session}"), "data", "message")
    await until_status(closed.http, message, "cancelled")


# --- Reading them ----------------------------------------------------------------------------------------------------


async def test_messages_are_found_by_what_they_are_and_come_in_pages(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    number = await network.person()
    for text in ("satu", "dua", "tiga"):
        told(await http.post(send_path(office), json=text_to(number, text), headers=WAIT), *SENT)
    await network.phones.write(number, office.number, "Empat, terima kasih")

    async def answered() -> bool:
        return len(await _texts(http, chat=number)) == 4

    await eventually(answered, within_s=WITHIN_S)
    assert await _texts(http, chat=number) == ["Empat, terima kasih", "tiga", "dua", "satu"]
    assert await _texts(http, chat=f"+{number}", direction="out") == ["tiga", "dua", "satu"]
    assert await _texts(http, chat=number, direction="in", status="received") == ["Empat, terima kasih"]
    assert await _texts(http, chat=number, q="TERIMA") == ["Empat, terima kasih"]
    assert await _texts(http, chat=number, session=office.session_name, q="dua") == ["dua"]
    assert await _texts(http, chat=number, status="failed") == []
    assert await _paged(http, chat=number) == ["Empat, terima kasih", "tiga", "dua", "satu"]


async def _texts(http: httpx.AsyncClient, **query: str) -> list[str]:
    body = told(await http.get(f"{BASE}/messages", params=query), *LIST)
    assert body["messages"] == body["data"]
    assert all(set(message) == MESSAGE_KEYS for message in body["messages"])
    return [message["text"] for message in body["messages"]]


async def _paged(http: httpx.AsyncClient, **query: str) -> list[str]:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = told(await http.get(f"{BASE}/messages", params={**query, "limit": "1", "cursor": cursor}), *LIST)
        found += [message["text"] for message in page["messages"]]
        cursor = page["pagination"]["next"]
        assert page["pagination"]["hasMore"] is (cursor is not None)
    return found


async def test_another_customers_medium_is_neither_read_nor_sent(
    office: Office, http: httpx.AsyncClient, tenant: Tenant, network: Network
) -> None:
    async with tenant.client() as other:
        answer = await other.post(f"{BASE}/media", files={"file": ("rahasia.txt", b"rahasia", "text/plain")})
        medium = told(answer, "mediaId", "data", "message")["mediaId"]
        assert (await other.get(f"{BASE}/media/{medium}")).content == b"rahasia"
    refused(await http.get(f"{BASE}/media/{medium}"), 404, "MEDIA_NOT_FOUND")
    body = {"type": "document", "to": await network.person(), "mediaId": medium}
    refused(await http.post(send_path(office), json=body), 404, "MEDIA_NOT_FOUND")


async def test_a_medium_is_uploaded_once_sent_twice_and_read_back(
    office: Office, http: httpx.AsyncClient, network: Network
) -> None:
    number, content = await network.person(), b"%PDF-1.4\n" + bytes(range(256)) * 40
    answer = await http.post(f"{BASE}/media", files={"file": ("daftar harga.pdf", content, "application/pdf")})
    medium = told(answer, "mediaId", "data", "message")
    assert medium["data"]["bytes"] == len(content)
    for caption in ("one", "two"):
        body = {"type": "document", "to": number, "mediaId": medium["mediaId"], "caption": caption}
        told(await http.post(send_path(office), json=body, headers=WAIT), *SENT)
    rows = await network.arrived(number, 2)
    assert [(row["caption"], row["fileName"], row["sha256"]) for row in rows] == [
        ("one", "daftar harga.pdf", medium["data"]["sha256"]),
        ("two", "daftar harga.pdf", medium["data"]["sha256"]),
    ]
    assert (await http.get(f"{BASE}/media/{medium['mediaId']}")).content == content
