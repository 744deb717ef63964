"""The public endpoints, with the key in the path, as the dashboard's playground and plain programs call them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from infra.local.demo import picture
from tests.e2e.handsets import Network, Office, linked
from tests.e2e.tenants import Tenant
from tests.e2e.wire import BASE, CHAT, Json, refused, told

pytestmark = pytest.mark.needs_go

SENT = ("messageId", "status", "timestamp", "message", "data")
SENT_DATA = {
    *("sessionId", "recipient", "contentType", "content", "fileName", "caption", "timestamp", "messageId", "status"),
}
READINESS = {"sessionId", "sessionName", "status", "ready"}
STATS = {"totalMessagesSent", "totalMessagesFailed", "lastMessageSentAt", "lastMessageFailedAt"}
PICTURE = picture()
NOBODY = "6281299990000"
FILE = "Faktur №12\r\n\0\xff".encode("latin-1", "xmlcharrefreplace")
TEXTS = [
    pytest.param("satu/dua//tiga", id="slashes"),
    pytest.param("satu\ndua\r\n\ttiga", id="line ends"),
    pytest.param("sudah? ya & ok=1;", id="question mark"),
    pytest.param("diskon 100% + 5%2F", id="percent"),
    pytest.param("#1 di kota #jakarta", id="number sign"),
    pytest.param("\N{DOVE OF PEACE}\ufe0f terkirim \N{WOMAN}\u200d\N{GIRL}\U0001f1ee\U0001f1e9", id="emoji"),
    pytest.param('"kutip" \\ {json} <b> \u00e9\u4f60\u597d', id="quotes"),
    pytest.param("%252F%00 a+b", id="encoded twice"),
]


def encoded(text: str) -> str:
    """As `encodeURIComponent` does it."""
    return quote(text, safe="!'()*")


def path_of(office: Office, *more: str) -> str:
    """The public endpoint of the office's session, and what comes after it."""
    return "/".join((CHAT, office.session, office.tenant.key, *more))


async def shown_of(http: httpx.AsyncClient, network: Network, number: str, body: Json) -> Json:
    """The one row that the phone shows, which is the message of this answer."""
    (row,) = await network.arrived(number)
    message = told(await http.get(f"{BASE}/messages/{body['messageId']}"), "data")["data"]
    assert (row["id"], row["copies"]) == (message["waId"], 1)
    return row


# --- The text in the path --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_text_in_the_path_arrives_exactly(
    office: Office, http: httpx.AsyncClient, public: httpx.AsyncClient, network: Network, method: str, text: str
) -> None:
    number = await network.person()
    path = path_of(office, number, encoded(text))
    request = public.build_request(method, path)
    assert request.url.raw_path.decode() == path
    body = told(await public.send(request), *SENT)
    assert set(body["data"]) == SENT_DATA
    assert (body["data"]["recipient"], body["data"]["content"]) == (number, text)
    assert (body["data"]["contentType"], body["data"]["fileName"], body["data"]["caption"]) == ("text", None, None)
    row = await shown_of(http, network, number, body)
    assert (row["type"], row["text"]) == ("text", text)


@pytest.mark.parametrize("text", ["test", "testing", "test?", "test/"])
async def test_only_a_get_whose_last_segment_is_test_sends_nothing(
    office: Office, http: httpx.AsyncClient, public: httpx.AsyncClient, network: Network, text: str
) -> None:
    number = await network.person()
    asked = await public.get(path_of(office, number, "test"))
    assert set(told(asked, "data", "message")["data"]) == READINESS
    method = "POST" if text == "test" else "GET"
    body = told(await public.request(method, path_of(office, number, encoded(text))), *SENT)
    assert (await shown_of(http, network, number, body))["text"] == text


# --- Three dialects of JSON, and the form ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"contentType": "text", "content": "Halo"}, id="contentType"),
        pytest.param({"message": "Halo"}, id="message"),
        pytest.param({"type": "text", "message": "Halo"}, id="type"),
    ],
)
async def test_a_text_arrives_in_every_dialect(
    office: Office, http: httpx.AsyncClient, public: httpx.AsyncClient, network: Network, body: Json
) -> None:
    number = await network.person()
    answer = told(await public.post(path_of(office), json={"phone": number, **body}), *SENT)
    assert (answer["data"]["content"], answer["data"]["contentType"]) == ("Halo", "text")
    assert (answer["messageId"], answer["status"], answer["timestamp"]) == (
        answer["data"]["messageId"],
        answer["data"]["status"],
        answer["data"]["timestamp"],
    )
    assert answer["status"] in ("sent", "delivered")
    assert (await shown_of(http, network, number, answer))["text"] == "Halo"


def in_base64(content: bytes, mimetype: str = "") -> str:
    """Bare base64, or a data URL when the type is given."""
    return (f"data:{mimetype};base64," if mimetype else "") + base64.b64encode(content).decode()


IMAGE, URL = in_base64(PICTURE), in_base64(PICTURE, "image/png")


@pytest.mark.parametrize(
    ("body", "kind", "content", "caption", "name"),
    [
        pytest.param(
            {"contentType": "image", "content": URL, "caption": "Langit"}, "image", PICTURE, "Langit", None, id="image"
        ),
        pytest.param({"type": "image", "image": IMAGE}, "image", PICTURE, None, None, id="bare image in its own field"),
        pytest.param(
            {"contentType": "document", "content": in_base64(FILE), "fileName": "faktur.bin"},
            "document",
            FILE,
            None,
            "faktur.bin",
            id="document",
        ),
        pytest.param(
            {"type": "document", "document": in_base64(FILE, "text/plain"), "filename": "f.txt", "caption": "Lunas"},
            "document",
            FILE,
            "Lunas",
            "f.txt",
            id="document in its own field",
        ),
        pytest.param(
            {"type": "document", "document": URL, "filename": "langit.png"},
            "document",
            PICTURE,
            None,
            "langit.png",
            id="picture as a document",
        ),
    ],
)
async def test_a_medium_arrives_byte_for_byte_in_every_dialect(
    office: Office,
    http: httpx.AsyncClient,
    public: httpx.AsyncClient,
    network: Network,
    body: Json,
    kind: str,
    content: bytes,
    caption: str | None,
    name: str | None,
) -> None:
    number = await network.person()
    answer = await public.post(path_of(office), json={"phone": number, **body})
    data = told(answer, *SENT)["data"]
    assert set(data) == SENT_DATA
    assert (data["contentType"], data["content"]) == (kind, None)
    assert (data["caption"], data["fileName"]) == (caption, name)
    assert "base64" not in answer.text
    _shows(await shown_of(http, network, number, data), kind, content, caption, name)


def _shows(row: Json, kind: str, content: bytes, caption: str | None, name: str | None) -> None:
    assert (row["type"], row["sha256"]) == (kind, hashlib.sha256(content).hexdigest())
    assert (row.get("caption") or None) == caption
    if kind == "document":
        assert row["fileName"] == name


async def test_a_form_is_streamed_and_arrives_byte_for_byte(
    office: Office, http: httpx.AsyncClient, public: httpx.AsyncClient, network: Network
) -> None:
    number, content = await network.person(), FILE * 100_000
    form = {"phone": number, "contentType": "document", "caption": "Besar"}
    answer = await public.post(path_of(office), data=form, files={"file": ("besar.bin", content)})
    body = told(answer, *SENT)
    _shows(await shown_of(http, network, number, body), "document", content, "Besar", "besar.bin")


# --- Phone numbers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelled",
    [
        pytest.param("{0}", id="62812..."),
        pytest.param("+{0}", id="+62812..."),
        pytest.param("0{1}", id="0812..."),
        pytest.param("{1}", id="812..."),
        pytest.param("+62 {2}-{3}", id="+62 812-..."),
        pytest.param("(0{2}) {3}", id="brackets"),
    ],
)
async def test_every_spelling_of_a_number_reaches_the_same_phone(
    office: Office, public: httpx.AsyncClient, network: Network, spelled: str
) -> None:
    number = await network.person()
    phone = spelled.format(number, number[2:], number[2:5], number[5:])
    body = told(await public.post(path_of(office), json={"phone": phone, "message": "one"}), *SENT)
    assert body["data"]["recipient"] == number
    body = told(await public.get(path_of(office, encoded(phone), "two")), *SENT)
    assert body["data"]["recipient"] == number
    assert [row["text"] for row in await network.arrived(number, 2)] == ["one", "two"]


async def test_a_number_that_came_as_a_number_is_taken(
    office: Office, public: httpx.AsyncClient, network: Network
) -> None:
    number = await network.person()
    told(await public.post(path_of(office), json={"phone": int(number), "message": "one"}), *SENT)
    await network.arrived(number)


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        pytest.param("0812", "too short", id="short"),
        pytest.param("62812" + "3" * 12, "too long", id="long"),
        pytest.param("0812abc45678", "only digits", id="letters"),
        pytest.param("+9991234567", "country code", id="no country"),
    ],
)
async def test_a_number_that_cannot_be_is_refused_and_the_message_says_why(
    office: Office, public: httpx.AsyncClient, phone: str, reason: str
) -> None:
    for answer in (
        await public.post(path_of(office), json={"phone": phone, "message": "hi"}),
        await public.get(path_of(office, encoded(phone), "hi")),
    ):
        assert reason in refused(answer, 400, "INVALID_PHONE")["message"]


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        pytest.param({}, "VALIDATION_FAILED", "phone", id="nothing"),
        pytest.param({"phone": "0812345678"}, "VALIDATION_FAILED", "message", id="no message"),
        pytest.param({"phone": "0812345678", "message": " \n"}, "VALIDATION_FAILED", "message", id="blank"),
        pytest.param({"phone": "0812345678", "message": 7}, "VALIDATION_FAILED", "message", id="no text"),
        pytest.param(
            {"phone": "0812345678", "contentType": "poem", "content": "x"},
            "VALIDATION_FAILED",
            "contentType",
            id="kind",
        ),
        pytest.param(
            {"phone": "0812345678", "type": "image", "image": "!!"}, "INVALID_MEDIA", "base64", id="no base64"
        ),
        pytest.param(
            {"phone": "0812345678", "type": "image", "image": in_base64(FILE, "image/png")},
            "INVALID_MEDIA",
            "not an image",
            id="a lie about its type",
        ),
        pytest.param(
            {"phone": "0812345678", "type": "image", "image": "https://example.com/a.png"},
            "INVALID_MEDIA",
            "address",
            id="an address",
        ),
    ],
)
async def test_a_send_that_makes_no_sense_is_refused(
    office: Office, public: httpx.AsyncClient, body: Json, code: str, said: str
) -> None:
    assert said in refused(await public.post(path_of(office), json=body), 400, code)["message"]


# --- Status ----------------------------------------------------------------------------------------------------------


async def test_the_status_counts_what_was_sent(tenant: Tenant, public: httpx.AsyncClient, network: Network) -> None:
    """A session of its own: the office's may still be sending what a test before this one has only seen arrive."""
    async with tenant.client() as http:
        session, _ = await linked(http, network, "Counted")
    path = "/".join((CHAT, session, tenant.key))
    before = await _status(public, path)
    assert (before["stats"]["totalMessagesSent"], before["stats"]["lastMessageSentAt"]) == (0, None)
    body = {"phone": await network.person(), "message": "hi"}
    answer = told(await public.post(path, json=body, headers=WAIT), *SENT)
    after = await _status(public, path)
    assert after["stats"]["totalMessagesSent"] == 1
    assert after["stats"]["lastMessageSentAt"] >= answer["timestamp"]
    assert after | {"stats": None} == {
        "sessionId": session,
        "sessionName": "Counted",
        "status": "connected",
        "ready": True,
        "stats": None,
    }


WAIT = {"Prefer": "wait=60"}


async def _status(public: httpx.AsyncClient, path: str) -> dict[str, Any]:
    data = told(await public.get(path), "data", "message")["data"]
    assert set(data) == READINESS | {"stats"}
    assert set(data["stats"]) == STATS
    return data


async def test_a_session_that_is_not_connected_queues_unless_it_must_be(
    office: Office, http: httpx.AsyncClient, public: httpx.AsyncClient
) -> None:
    session = (await http.post(f"{BASE}/sessions", json={"name": "Never linked"})).json()["session"]["id"]
    path = "/".join((CHAT, session, office.tenant.key))
    data = told(await public.get(f"{path}/0812345678/test"), "data", "message")["data"]
    assert (data["status"], data["ready"]) == ("disconnected", False)
    body = {"phone": "0812345678", "message": "later"}
    assert told(await public.post(path, json=body), *SENT)["status"] == "queued"
    strict = {"requireConnected": "1"}
    refused(await public.post(path, json=body, params=strict), 409, "SESSION_NOT_CONNECTED")
    refused(await public.get(f"{path}/0812345678/later", params=strict), 409, "SESSION_NOT_CONNECTED")
    told(await http.delete(f"{BASE}/sessions/{session}"), "data", "message")


@pytest.mark.parametrize("way", ["JSON", "GET", "form"])
async def test_a_number_that_is_not_on_whatsapp_is_refused(office: Office, public: httpx.AsyncClient, way: str) -> None:
    match way:
        case "JSON":
            answer = await public.post(path_of(office), json={"phone": NOBODY, "message": "Halo"})
        case "GET":
            answer = await public.get(path_of(office, NOBODY, "Halo"))
        case _:
            form = {"phone": NOBODY, "contentType": "document", "caption": "Halo"}
            answer = await public.post(path_of(office), data=form, files={"file": ("a.txt", b"Halo", "text/plain")})
    told = refused(answer, 422, "NOT_ON_WHATSAPP")
    assert told["message"] == "The message failed: This number is not on WhatsApp."


async def test_a_send_that_does_not_want_to_wait_is_queued(office: Office, public: httpx.AsyncClient) -> None:
    answer = await public.post(path_of(office), json={"phone": NOBODY, "message": "Halo"}, headers={"Prefer": "wait=0"})
    assert told(answer, *SENT)["status"] == "queued"


async def test_a_session_is_addressed_by_its_name_too(
    office: Office, public: httpx.AsyncClient, network: Network
) -> None:
    number = await network.person()
    path = "/".join((CHAT, encoded(office.session_name), office.tenant.key, number, "hi"))
    assert told(await public.get(path), *SENT)["data"]["sessionId"] == office.session
