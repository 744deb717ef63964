"""What every endpoint has in common: the envelope of refusals, request ids, languages, CORS and limits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.api.settings import MEGABYTE
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, BOUND_S, Site, refused, until

ORIGIN = {"Origin": "https://dashboard.example"}


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api", f"{BASE}/nothing", f"{BASE}/sessions/a/b/c", "/%2e%2e/x"])
async def test_an_unknown_path_is_json(site: Site, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        refused(await site.client.request(method, path), 404, "ROUTE_NOT_FOUND")


async def test_a_method_that_a_path_does_not_take_is_json(site: Site) -> None:
    answer = await site.client.delete("/livez")
    assert "DELETE" in refused(answer, 405, "METHOD_NOT_ALLOWED")["message"]
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"name":"x"', b"name=x", b"<html>"])
async def test_malformed_json_is_said_so(site: Site, body: bytes) -> None:
    refused(await site.call("POST", "/sessions", content=body), 400, "MALFORMED_JSON")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"1"])
async def test_json_that_is_no_object_is_invalid(site: Site, body: bytes) -> None:
    answer = refused(await site.call("POST", "/sessions", content=body), 400, "VALIDATION_FAILED")
    assert len(answer["details"]["fields"]) == 1


async def test_a_query_parameter_that_is_missing_is_named(site: Site) -> None:
    answer = refused(await site.call("POST", "/webhooks/any/replay"), 400, "VALIDATION_FAILED")
    assert answer["details"]["fields"] == [{"path": "since", "reason": "this query parameter is needed"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/sessions", {}, "name: sesi harus bernama"),
        ("POST", "/sessions", {"name": 1}, "name: harus berupa teks atau null, bukan bilangan bulat"),
        ("POST", "/sessions", {"name": "a/bc"}, "name: nama sesi tidak boleh berisi garis miring, ke arah mana pun"),
        ("POST", "/sessions", {"name": "abc", "engine": "x"}, "engine: pilih salah satu dari scripted"),
        ("POST", "/webhooks/any/replay", None, "since: parameter kueri ini wajib diisi"),
        (
            "POST",
            "/webhooks",
            {"url": "ftp://a.example"},
            "url: alamatnya ditolak: tidak diawali http:// atau https://",
        ),
        ("GET", "/messages?limit=0", None, "limit: harus bilangan bulat minimal 1"),
        ("GET", "/messages?status=gone", None, "status: tidak ada pesan berstatus 'gone'; harus salah satu dari"),
        ("GET", "/messages?cursor=x", None, "cursor: bukan cursor daftar ini"),
        ("POST", "/templates", {"name": "a", "content": "{{x"}, "content: variabel ditulis {{name}}, dari huruf"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("/") else "",
)
async def test_what_is_wrong_is_told_in_indonesian(
    site: Site, method: str, path: str, body: dict[str, Any] | None, message: str
) -> None:
    answer = await site.call(method, path, json=body, headers={"Accept-Language": "id"})
    assert refused(answer, 400, "VALIDATION_FAILED")["message"].startswith(f"Permintaan tidak valid: {message}")


async def test_the_fields_are_told_in_indonesian_too(site: Site) -> None:
    answer = await site.call("POST", "/sessions", json={"name": 1}, headers={"Accept-Language": "id"})
    reason = "harus berupa teks atau null, bukan bilangan bulat"
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"] == [{"path": "name", "reason": reason}]


@pytest.mark.parametrize(
    ("language", "created", "starting", "queued", "deleted"),
    [
        ("en", "Session created", "Session is starting", "Message queued", "Session deleted"),
        ("id", "Sesi dibuat", "Sesi sedang dijalankan", "Pesan masuk antrean", "Sesi dihapus"),
        ("", "Session created", "Session is starting", "Message queued", "Session deleted"),
    ],
)
async def test_what_was_done_is_told_in_the_language(
    site: Site, language: str, created: str, starting: str, queued: str, deleted: str
) -> None:
    headers = {"Accept-Language": language}
    made = (await site.call("POST", "/sessions", json={"name": "Sales"}, headers=headers)).json()
    own = f"/sessions/{made['data']['id']}"
    started = await site.call("POST", f"{own}/start", headers=headers)
    text = {"type": "text", "to": "6281200000001", "text": "halo"}
    sent = await site.call("POST", f"{own}/messages", json=text, headers=headers)
    gone = await site.call("DELETE", own, headers=headers)
    said = [made["message"], *(answer.json()["message"] for answer in (started, sent, gone))]
    assert said == [created, starting, queued, deleted]


async def test_the_content_type_does_not_matter(site: Site) -> None:
    answer = await site.call("POST", "/sessions", content=b'{"name":"Sales"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200


async def test_an_announced_body_above_the_limit_is_refused_before_it_comes(site: Site) -> None:
    head = f"{HEAD}Authorization: Bearer {site.account.api_key}\r\nContent-Length: {31 * MEGABYTE}\r\n\r\n"
    async with raw(site) as (reader, writer):
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.readuntil(b'"}'), BOUND_S)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"limitBytes":31457280' in answer
    assert b"30 MB" in answer


async def test_a_growing_body_is_refused_while_it_is_read(site: Site) -> None:
    head = f"{HEAD}Authorization: Bearer {site.account.api_key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw(site) as (reader, writer):
        writer.write(head.encode())
        for _ in range(31):  # the last chunk never comes
            writer.write(b"%x\r\n%s\r\n" % (MEGABYTE, b"x" * MEGABYTE))
            await writer.drain()
        answer = await asyncio.wait_for(reader.readuntil(b'"}'), BOUND_S)
    assert answer.startswith(b"HTTP/1.1 413 ")


HEAD = f"POST {BASE}/sessions/none/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@contextlib.asynccontextmanager
async def raw(site: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which bytes are written by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    yield reader, writer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_request_id_is_echoed_or_made(site: Site) -> None:
    answer = await site.client.get("/nowhere", headers={"X-Request-ID": "my-id.1"})
    assert answer.headers["x-request-id"] == "my-id.1"
    assert answer.json()["requestId"] == "my-id.1"
    made = {(await site.client.get("/livez", headers=headers)).headers["x-request-id"] for headers in BAD_IDS}
    assert len(made) == len(BAD_IDS)
    assert all(len(one) == 32 for one in made)


BAD_IDS: list[dict[str, str]] = [{}, {"X-Request-ID": "x" * 200}, {"X-Request-ID": '"><script>'}]


async def test_the_sentence_follows_the_language(site: Site) -> None:
    texts = {
        language: (await site.client.get("/nowhere", headers={"Accept-Language": language})).json()["message"]
        for language in ("en-US,en;q=0.9", "id-ID,id;q=0.9", "fr")
    }
    assert texts["fr"] == texts["en-US,en;q=0.9"] == "There is nothing at this path."
    assert texts["id-ID,id;q=0.9"] == "Tidak ada apa pun di alamat ini."


# --- CORS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [f"{BASE}/sessions", "/nowhere", "/api/services/whatsapp/chat/a/b"])
async def test_a_preflight_answers_2xx_with_what_is_allowed(site: Site, path: str) -> None:
    asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization,x-api-key"}
    answer = await site.client.options(path, headers=ORIGIN | asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert method in answer.headers["access-control-allow-methods"]
    for header in ("Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", "Prefer", "X-Request-ID"):
        assert header in answer.headers["access-control-allow-headers"]


async def test_refusals_may_be_read_by_pages_too(site: Site) -> None:
    answer = await site.client.get("/nowhere", headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_only_allowed_origins_get_in(open_site: SiteMaker) -> None:
    async with open_site(cors_origins="https://dashboard.example, https://b.example") as site:
        good = await site.client.get("/livez", headers=ORIGIN)
        assert good.headers["access-control-allow-origin"] == ORIGIN["Origin"]
        assert good.headers["vary"] == "Origin"
        bad = await site.client.get("/livez", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in bad.headers


# --- Logs ------------------------------------------------------------------------------------------------------------


async def test_no_key_and_no_password_is_logged(site: Site, capfd: Any) -> None:
    key = site.account.api_key
    await site.client.get(f"/api/services/whatsapp/chat/nobody/{key}/628110001/secret-text")
    await site.client.get(f"/wrong/{key}/x")
    await site.sign_in()
    await site.call("GET", "/apikey")
    printed = "".join(capfd.readouterr())
    assert "/api/services/whatsapp/chat/nobody/..." in printed
    for secret in (key, "628110001", "secret-text", "correct horse"):
        assert secret not in printed


async def test_a_client_that_goes_away_is_no_error(site: Site, capfd: Any) -> None:
    head = f"{HEAD}Authorization: Bearer {site.account.api_key}\r\nContent-Length: 100\r\n\r\nabc"
    assert "[error" not in await logged_of_one_who_leaves(site, head, capfd)


async def test_a_websocket_client_that_leaves_before_its_refusal_is_no_error(site: Site, capfd: Any) -> None:
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{WEBSOCKET_KEY}"
    head = f"GET {BASE}/stream HTTP/1.1\r\nHost: x\r\n{upgrade}X-API-Key: gf_wrong\r\n\r\n"
    logged = await logged_of_one_who_leaves(site, head, capfd)
    assert "[error" not in logged
    assert "Traceback" not in logged


WEBSOCKET_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


async def logged_of_one_who_leaves(site: Site, said: str, capfd: Any) -> str:
    """What is logged up to the access line of a request whose client leaves after these words."""
    async with raw(site) as (_, writer):
        writer.write(said.encode())
        await writer.drain()
    printed = ""

    async def noted() -> bool:
        nonlocal printed
        printed += "".join(capfd.readouterr())
        return "status=499" in printed or "[error" in printed

    await until(noted)
    return printed


async def test_options_never_answers_without_a_body(site: Site) -> None:
    answer = await site.client.options("/livez")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
