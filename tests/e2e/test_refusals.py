"""What is refused, whoever asks: the status, the one envelope and a sentence that helps, and never anything else."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import msgspec
import pytest

from tests.e2e.tenants import Tenant, client, make_tenant
from tests.e2e.wire import BASE, CHAT, refused, told
from tests.processes import eventually
from tests.stack import RunningStack

MEGABYTE = 1024 * 1024
PHONE = "6281234567890"
DATA = ("message", "data")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
HEADERS = {"content-type", "authorization", "x-api-key", "idempotency-key", "prefer", "x-request-id"}


class Two(msgspec.Struct, frozen=True, kw_only=True):
    """Two customers with a session each, not linked."""

    own: Tenant
    session: str
    other: Tenant
    other_session: str


@pytest.fixture(scope="module")
def two(scripted_stack: RunningStack) -> Two:
    """They are made once."""
    return asyncio.run(_two(scripted_stack))


async def _two(stack: RunningStack) -> Two:
    own, other = await make_tenant(stack), await make_tenant(stack)
    return Two(own=own, session=await _session(own), other=other, other_session=await _session(other))


async def _session(tenant: Tenant) -> str:
    async with tenant.client() as http:
        return (await http.post(f"{BASE}/sessions", json={"name": "Same name"})).json()["session"]["id"]


@pytest.fixture
async def http(two: Two) -> AsyncGenerator[httpx.AsyncClient]:
    """The first customer, signed in."""
    async with two.own.client() as signed_in:
        yield signed_in


@pytest.fixture
async def public(scripted_stack: RunningStack) -> AsyncGenerator[httpx.AsyncClient]:
    """A client without credentials."""
    async with client(scripted_stack.url) as nobody:
        yield nobody


def chat(two: Two) -> str:
    """The public endpoint of the first customer's session."""
    return f"{CHAT}/{two.session}/{two.own.key}"


# --- Keys and other people's things ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["GET {0}", "POST {0}", "GET {0}/0812345678/hi", "GET {0}/0812345678/test"])
async def test_a_wrong_key_is_refused_whatever_else_is_right(two: Two, public: httpx.AsyncClient, call: str) -> None:
    for key in ("gf_wrong", two.own.key[:-1], two.own.key.upper(), "%20"):
        method, _, path = call.format(f"{CHAT}/{two.session}/{key}").partition(" ")
        body = {"json": {"phone": PHONE, "message": "hi"}} if method == "POST" else {}
        message = refused(await public.request(method, path, **body), 401, "INVALID_API_KEY")["message"]
        assert message == "Invalid API key"


@pytest.mark.parametrize(
    "call",
    [
        *("GET {chat}", "POST {chat}", "GET {chat}/0812345678/hi", "GET {chat}/0812345678/test"),
        *("GET {base}", "PUT {base}", "DELETE {base}", "GET {base}/qr", "GET {base}/health"),
        *("POST {base}/start", "POST {base}/logout", "POST {base}/messages"),
        *("POST {base}/queue/release", "POST {base}/queue/discard"),
        *("GET /api/customer/whatsapp/messages?session={id}", "GET /api/customer/whatsapp/stream/sse?session={id}"),
    ],
)
async def test_another_customers_session_is_as_unknown_as_one_that_does_not_exist(
    two: Two, http: httpx.AsyncClient, call: str
) -> None:
    bodies = {"PUT": {"name": "Mine now"}, "POST": {"phone": PHONE, "message": "x", "type": "text", "to": PHONE}}
    told_of: list[str] = []
    for session in (two.other_session, "0123456789abcdef"):
        paths = {"id": session, "base": f"{BASE}/sessions/{session}", "chat": f"{CHAT}/{session}/{two.own.key}"}
        method, _, path = call.format(**paths).partition(" ")
        body = bodies.get(method)
        if path.endswith("/messages"):
            body = {"type": "text", "to": PHONE, "text": "x"}
        answer = await http.request(method, path, json=body)
        told_of.append(refused(answer, 404, "SESSION_NOT_FOUND")["message"])
    assert told_of[0] == told_of[1]
    async with two.other.client() as owner:
        session = told(await owner.get(f"{BASE}/sessions/{two.other_session}"), "session", "data")["session"]
        assert (session["name"], session["status"]) == ("Same name", "DISCONNECTED")


async def test_a_name_means_ones_own_session(two: Two, http: httpx.AsyncClient) -> None:
    session = told(await http.get(f"{BASE}/sessions/Same%20name"), "session", "data")["session"]
    assert session["id"] == two.session


# --- Bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["{", '{"a": [1,', '{"phone": "0812"', "\x00", '{"a": "\\ud800'], ids=repr)
@pytest.mark.parametrize("path", ["{chat}", BASE + "/sessions", "/api/auth/signin", "/api/admin/login"])
async def test_json_that_is_none_is_refused(two: Two, http: httpx.AsyncClient, path: str, body: str) -> None:
    answer = await http.post(
        path.format(chat=chat(two)), content=body.encode(), headers={"Content-Type": "application/json"}
    )
    refused(answer, 400, "MALFORMED_JSON")


@pytest.mark.parametrize("body", [[], "text", 7, None, {"name": ["a"]}], ids=repr)
async def test_json_of_another_shape_is_refused_with_its_field(http: httpx.AsyncClient, body: object) -> None:
    answer = await http.post(f"{BASE}/sessions", content=json.dumps(body), headers={"Content-Type": "application/json"})
    fields = refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"]
    assert [set(field) for field in fields] == [{"path", "reason"}]


@pytest.mark.parametrize(
    "query",
    [
        *("messages?from=yesterday", "messages?to=tomorrow", "messages?direction=up", "messages?cursor=!"),
        *("sessions?limit=0", "sessions?status=sleeping", "sessions/Same%20name/qr?format=gif"),
        *("transactions?startDate=yesterday", f"transactions?endDate={'9' * 50}"),
    ],
)
async def test_a_refused_parameter_is_named_as_it_was_written(http: httpx.AsyncClient, query: str) -> None:
    body = refused(await http.get(f"{BASE}/{query}"), 400, "VALIDATION_FAILED")
    name = query.partition("?")[2].partition("=")[0]
    assert [field["path"] for field in body["details"]["fields"]] == [name]
    assert f" {name}: " in body["message"]


@pytest.mark.parametrize(
    ("kind", "megabytes", "limit"),
    [pytest.param("document", 21, "20 MB", id="document"), pytest.param("image", 17, "16 MB", id="image")],
)
async def test_a_medium_above_its_limit_is_refused_naming_the_limit(
    two: Two, public: httpx.AsyncClient, kind: str, megabytes: int, limit: str
) -> None:
    content = base64.b64encode(bytes(megabytes * MEGABYTE)).decode()
    for body in ({"contentType": kind, "content": content}, {"type": kind, kind: f"data:image/png;base64,{content}"}):
        answer = refused(await public.post(chat(two), json={"phone": PHONE, **body}), 413, "PAYLOAD_TOO_LARGE")
        assert limit in answer["message"]
        assert answer["details"] == {"limitBytes": int(limit.split()[0]) * MEGABYTE}


async def test_a_document_below_its_limit_is_taken(two: Two, public: httpx.AsyncClient) -> None:
    content = base64.b64encode(bytes(19 * MEGABYTE)).decode()
    body = {"phone": PHONE, "contentType": "document", "content": content}
    assert (await public.post(chat(two), json=body)).status_code == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        pytest.param("{chat}", "30 MB", id="a public send"),
        pytest.param(BASE + "/sessions/{id}/messages", "30 MB", id="a send"),
        pytest.param(BASE + "/sessions", "1 MB", id="where text alone comes"),
        pytest.param("/api/auth/signin", "16 KB", id="before anybody is known"),
    ],
)
@pytest.mark.parametrize("says_its_length", [True, False])
async def test_a_body_above_the_limit_is_refused_while_it_is_read(
    two: Two, http: httpx.AsyncClient, path: str, limit: str, says_its_length: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(31):
            yield b"x" * MEGABYTE

    headers = {"Content-Type": "application/json"}
    if says_its_length:
        headers["Content-Length"] = str(31 * MEGABYTE)
    answer = await http.post(path.format(chat=chat(two), id=two.session), content=pieces(), headers=headers)
    assert limit in refused(answer, 413, "PAYLOAD_TOO_LARGE")["message"]


async def test_a_recipient_that_cannot_be_is_named_as_it_was_written(two: Two, http: httpx.AsyncClient) -> None:
    body = {"type": "text", "to": "0812", "text": "x"}
    answer = refused(await http.post(f"{BASE}/sessions/{two.session}/messages", json=body), 400, "INVALID_PHONE")
    assert [field["path"] for field in answer["details"]["fields"]] == ["to"]
    answer = refused(await http.post(chat(two), json={"phone": "0812", "message": "x"}), 400, "INVALID_PHONE")
    assert [field["path"] for field in answer["details"]["fields"]] == ["phone"]


async def test_an_ended_sign_in_does_no_harm_where_the_key_stands_in_the_path(
    two: Two, public: httpx.AsyncClient
) -> None:
    ended = {"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.ended", "X-API-Key": "gf_wrong"}
    told(await public.get(chat(two), headers=ended), "data", "message")
    answer = await public.post(chat(two), headers=ended, json={"phone": PHONE, "message": "x"})
    told(answer, "messageId", "status", "timestamp", "message", "data")


@pytest.mark.parametrize("content_type", [None, "text/plain;charset=UTF-8", "application/json; charset=utf-8"])
async def test_json_is_taken_whatever_type_it_claims_to_be(
    two: Two, http: httpx.AsyncClient, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    body = json.dumps({"phone": PHONE, "message": "x"})
    told(await http.post(chat(two), content=body, headers=headers), *("messageId", "status", "timestamp"), *DATA)
    body = json.dumps({"name": "Same name"})
    refused(await http.post(f"{BASE}/sessions", content=body, headers=headers), 409, "SESSION_NAME_TAKEN")


# --- Paths and methods -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/api", BASE, BASE + "/nothing", "/api/services/whatsapp/chat", "/whatsapp", "/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_path_is_a_404_with_its_envelope(public: httpx.AsyncClient, method: str, path: str) -> None:
    refused(await public.request(method, path, headers={"Accept": "text/html"}), 404, "ROUTE_NOT_FOUND")


@pytest.mark.parametrize(
    "call",
    [
        *("DELETE {base}/sessions", "PATCH {base}/sessions/x", "GET {base}/sessions/x/start", "PUT {base}/apikey"),
        *("POST {base}/subscription", "GET /api/auth/signin", "POST /whatsapp/qr", "GET /api/whatsapp/reconnect"),
        *("DELETE {chat}", "PUT {chat}/0812345678/hi"),
    ],
)
async def test_a_wrong_method_is_a_405_that_names_the_right_ones(two: Two, http: httpx.AsyncClient, call: str) -> None:
    method, _, path = call.format(base=BASE, chat=chat(two)).partition(" ")
    answer = await http.request(method, path)
    assert method in refused(answer, 405, "METHOD_NOT_ALLOWED")["message"]
    allowed = {name.strip() for name in answer.headers["allow"].split(",")}
    assert allowed
    assert method not in allowed


# --- What every answer carries ---------------------------------------------------------------------------------------


async def test_a_request_id_is_echoed_or_made(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{BASE}/sessions", headers={"X-Request-ID": "from-the-dashboard.7"})
    assert answer.headers["x-request-id"] == "from-the-dashboard.7"
    answer = await http.get("/nothing", headers={"X-Request-ID": "from-the-dashboard.8"})
    assert refused(answer, 404, "ROUTE_NOT_FOUND")["requestId"] == "from-the-dashboard.8"
    made = {(await http.get(f"{BASE}/sessions")).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


async def test_a_request_id_that_is_no_id_is_replaced(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{BASE}/sessions", headers={"X-Request-ID": "a\tb" + "c" * 500})
    assert answer.is_success
    assert "\t" not in answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        ("id", "Sesi tidak ditemukan."),
        ("id-ID,id;q=0.9,en;q=0.8", "Sesi tidak ditemukan."),
        ("en;q=0.5, id;q=0.9", "Sesi tidak ditemukan."),
        ("en-GB", "There is no such session."),
        ("fr", "There is no such session."),
        ("", "There is no such session."),
    ],
)
async def test_the_message_is_in_the_readers_language(http: httpx.AsyncClient, languages: str, message: str) -> None:
    answer = await http.get(f"{BASE}/sessions/unknown", headers={"Accept-Language": languages})
    assert refused(answer, 404, "SESSION_NOT_FOUND")["message"] == message


@pytest.mark.parametrize("path", [BASE + "/sessions", "{chat}", "/api/auth/signin", "/whatsapp/status", "/nothing"])
async def test_a_preflight_is_answered_with_everything_that_a_browser_may_send(
    two: Two, public: httpx.AsyncClient, path: str
) -> None:
    asked = {
        "Origin": "https://dashboard.example",
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    answer = await public.options(path.format(chat=chat(two)), headers=asked)
    assert answer.is_success
    assert answer.content
    assert answer.headers["access-control-allow-origin"] in ("*", asked["Origin"])
    assert {name.strip() for name in answer.headers["access-control-allow-methods"].split(",")} >= METHODS
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert allowed >= HEADERS


@pytest.mark.parametrize("path", [BASE + "/sessions", "/nothing"])
async def test_a_page_of_another_origin_may_read_the_answer(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path, headers={"Origin": "https://dashboard.example"})
    assert answer.headers["access-control-allow-origin"] in ("*", "https://dashboard.example")
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()


async def test_no_key_number_or_text_is_in_a_log(
    two: Two, scripted_stack: RunningStack, public: httpx.AsyncClient
) -> None:
    answer = await public.get(f"{chat(two)}/{PHONE}/sangat%20rahasia")
    message = told(answer, "messageId", "status", "timestamp", "message", "data")["messageId"]

    async def has_been_everywhere() -> bool:
        """Sender has asked the owner of the session, and status has told what came of it."""
        shown = await public.get(f"{BASE}/messages/{message}", headers={"X-API-Key": two.own.key})
        return told(shown, "data")["data"]["waitingFor"] == "session"

    await eventually(has_been_everywhere)
    for path in (scripted_stack.data / "logs").iterdir():
        log = path.read_text(errors="replace")
        secrets = (two.own.key, two.own.token, PHONE, "sangat rahasia", "sangat%20rahasia")
        assert not [secret for secret in secrets if secret in log], path.name
