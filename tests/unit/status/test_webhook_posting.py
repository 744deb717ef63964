"""What is posted to a customer's address goes nowhere else, takes no longer, and brings back no more than it may."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.status.webhooks import posting
from services.status.webhooks.posting import RESPONSE_BYTES, Poster
from tests.receiver import Receiver, Request, receiver, refusing

WITHIN_S = 60.0
REFUSED = [
    *("http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/", "http://192.168.1.1:8080/", "http://172.16.0.1/"),
    *("http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://0.0.0.0/", "http://255.255.255.255/"),
    *("http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"),
    *("http://017700000001/", "http://127.0.0.1./", "http://0/"),
    *("http://[::1]/", "http://[::]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fc00::1]/"),
    *("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/"),
    *("http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://[ff02::1]/", "http://[2001:db8::1]/"),
    *(
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://user:secret@example.com/",
        "http:///",
        "nonsense",
        "http://[",
    ),
]


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    """One that may post to this machine, as in development."""
    made = Poster(private=True, within_s=WITHIN_S)
    yield made
    await made.close()


@pytest.fixture
async def strict() -> AsyncIterator[Poster]:
    """One as in production."""
    made = Poster(private=False, within_s=WITHIN_S)
    yield made
    await made.close()


@pytest.mark.parametrize("url", REFUSED)
async def test_an_address_inside_or_in_disguise_is_refused(strict: Poster, url: str) -> None:
    outcome = await strict.post(url, {}, b"{}")
    assert outcome.attempt.status is None
    assert (outcome.attempt.error or "").startswith("the address is refused: ")


async def test_an_endpoint_on_this_machine_gets_nothing_in_production(endpoint: Receiver, strict: Poster) -> None:
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
        await strict.post(endpoint.url().replace("127.0.0.1", host), {}, b"{}")
    assert endpoint.requests == []


async def test_what_was_posted_arrives_as_it_was(endpoint: Receiver, poster: Poster) -> None:
    body = '{"text":"\u00e9"}'.encode()
    outcome = await poster.post(endpoint.url("/hook?a=%2F"), {"webhook-id": "frm_1"}, body)
    (request,) = endpoint.requests
    assert (request.body, request.id, request.headers["content-type"]) == (body, "frm_1", "application/json")
    assert (outcome.is_delivered, outcome.attempt.status, outcome.attempt.response) == (True, 200, "ok")


async def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(
    endpoint: Receiver, poster: Poster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads somewhere else the second time it is asked."""
    asked: list[str] = []
    resolve = asyncio.get_running_loop().getaddrinfo

    async def rebinding(host: str, *args: Any, **more: Any) -> Any:
        if host != "rebinding.test":
            return await resolve(host, *args, **more)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, args[0]))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding)
    outcome = await poster.post(endpoint.url().replace("127.0.0.1", "rebinding.test"), {}, b"{}")
    assert outcome.is_delivered
    assert len(asked) == 1


async def test_a_name_that_leads_elsewhere_later_is_refused(
    endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["127.0.0.1", "169.254.169.254"])

    async def rebinding(host: str, port: int, **_: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    url = endpoint.url().replace("127.0.0.1", "rebinding.test")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", rebinding)
    outcomes: list[Any] = []
    for _ in range(2):
        poster = Poster(private=True, within_s=WITHIN_S)
        outcomes.append(await poster.post(url, {}, b"{}"))
        await poster.close()
    assert outcomes[0].is_delivered
    assert outcomes[1].attempt.error == "the address is refused: it is an address for a special purpose"
    assert len(endpoint.requests) == 1


async def test_a_resolver_that_was_fooled_does_not_help(poster: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last look is at the address of the socket itself."""

    async def fooled(*_: Any, **__: Any) -> list[str]:
        return ["169.254.169.254"]

    monkeypatch.setattr("services.status.webhooks.posting.addresses_of", fooled)
    outcome = await poster.post("http://fooled.test/", {}, b"{}")
    assert outcome.attempt.error == "the address is refused: it is an address for a special purpose"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(endpoint: Receiver, poster: Poster, status: int) -> None:
    endpoint.answers["/old"] = refusing(status, Location=endpoint.url("/new"))
    outcome = await poster.post(endpoint.url("/old"), {}, b"{}")
    assert not outcome.is_delivered
    assert "redirects are not followed" in (outcome.attempt.error or "")
    assert [request.path for request in endpoint.requests] == ["/old"]


async def test_an_endpoint_that_takes_too_long_is_left(endpoint: Receiver) -> None:
    async def never(_: Request) -> web.StreamResponse:
        await asyncio.sleep(3_600)
        raise AssertionError

    endpoint.answers["/"] = never
    poster = Poster(private=True, within_s=0.5)
    async with asyncio.timeout(WITHIN_S):
        outcome = await poster.post(endpoint.url(), {}, b"{}")
    await poster.close()
    assert outcome.attempt.error == "the endpoint took longer than 0.5 s"


async def test_no_more_of_an_answer_is_read_than_is_kept(poster: Poster) -> None:
    sent = 0

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
                await writer.drain()
                sent += 0x10000
        except OSError:
            writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        outcome = await poster.post(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"")
        assert outcome.is_delivered
        assert outcome.attempt.response == "a" * RESPONSE_BYTES
        assert sent < 16 << 20


async def test_an_answer_that_is_compressed_stays_so(endpoint: Receiver, poster: Poster) -> None:
    packed = gzip.compress(b"0" * (8 << 20), 1)

    async def bomb(_: Request) -> web.StreamResponse:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    endpoint.answers["/"] = bomb
    outcome = await poster.post(endpoint.url(), {}, b"{}")
    assert outcome.is_delivered
    assert len(outcome.attempt.response) <= RESPONSE_BYTES
    assert not outcome.attempt.response.startswith("0")


async def test_what_the_endpoint_asks_for_is_understood(endpoint: Receiver, poster: Poster) -> None:
    endpoint.answers["/"] = refusing(429, **{"Retry-After": "7"})
    outcome = await poster.post(endpoint.url(), {}, b"{}")
    assert (outcome.attempt.status, outcome.retry_after_s) == (429, 7.0)
    assert outcome.attempt.error == "the endpoint answered 429"


async def test_nobody_who_listens_is_an_outcome(poster: Poster) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = await poster.post(f"http://127.0.0.1:{free.getsockname()[1]}/", {}, b"{}")
    assert outcome.attempt.error == "the endpoint cannot be reached: it refused the connection"


async def test_a_certificate_that_is_not_believed_is_told_as_what_it_is(poster: Poster, tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(self_signed(tmp_path))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls)
    async with server:
        outcome = await poster.post(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"{}")
    assert outcome.attempt.error == "the endpoint cannot be reached: its certificate is self-signed"


async def test_an_endpoint_without_tls_is_told_as_one(endpoint: Receiver, poster: Poster) -> None:
    outcome = await poster.post(endpoint.url().replace("http:", "https:"), {}, b"{}")
    assert outcome.attempt.error == "the endpoint cannot be reached: it does not speak TLS as it should"


def self_signed(folder: Path) -> Path:
    """A key and its own certificate, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.test")])
    at = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), at, at + timedelta(1))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(pem + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return file


async def test_a_name_that_nobody_looks_up_in_time_is_an_outcome(
    poster: Poster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(3_600)

    monkeypatch.setattr(posting, "CONNECT_S", 0.1)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    outcome = await poster.post("http://slow.invalid/", {}, b"{}")
    assert outcome.attempt.error == "the name of its host could not be looked up"


async def test_a_host_that_nobody_knows_is_an_outcome(poster: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody_knows(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "a resolver without a network takes many seconds to say so")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_knows)
    outcome = await poster.post("http://nowhere.invalid/", {}, b"{}")
    assert outcome.attempt.error == "its host is not known"


async def test_no_cookie_is_kept(endpoint: Receiver, poster: Poster) -> None:
    endpoint.answers["/"] = refusing(200, **{"Set-Cookie": "a=b; Path=/"})
    for _ in range(2):
        await poster.post(endpoint.url(), {}, b"{}")
    assert all("cookie" not in request.headers for request in endpoint.requests)
