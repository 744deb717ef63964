"""Posts to the addresses that customers name: guarded, within a time, and reading only the beginning of an answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from libs.contracts.webhooks import WebhookAttempt
from libs.runtime import logs
from libs.runtime.targets import TargetRefused, addresses_of, fault_of_address, fault_of_host
from libs.runtime.unreached import why_unreached
from services.status.webhooks.schedule import Outcome

CONNECT_S = 5.0
RESPONSE_BYTES = 2_048
"""So much of an answer's body is read and kept."""
CONNECTIONS = 1_024
IDLE_S = 20.0
NAMES_KEPT_S = 30
HEADERS = {"Content-Type": "application/json", "User-Agent": "Merpati-Webhooks/1", "Accept-Encoding": "identity"}
NO_SUCCESS = "the endpoint answered {status}"
REDIRECTED = "the endpoint answered {status}: redirects are not followed, name the final address"


class Poster:
    """One process's HTTP client for webhooks. `private` allows one's own network and machine."""

    def __init__(self, *, private: bool, within_s: float) -> None:
        self._private, self._within_s = private, within_s
        tls = ssl.create_default_context()
        tls.load_verify_locations(certifi.where())  # an image may have no authorities of its own
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=_GuardedResolver(private=private),
                ttl_dns_cache=NAMES_KEPT_S,  # the address itself is looked at for each connection
                socket_factory=self._guarded_socket,
                ssl=tls,
                limit=CONNECTIONS,
                keepalive_timeout=IDLE_S,
            ),
            timeout=aiohttp.ClientTimeout(total=within_s, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # what is counted is what was sent
            headers=HEADERS,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """Post, and say what came of it; whatever goes wrong is an outcome, too."""
        at, began = datetime.now(UTC), time.monotonic()
        status, error, text, retry_after_s = await self._answer(url, headers, body)
        attempt = WebhookAttempt(
            at=at.replace(microsecond=at.microsecond // 1000 * 1000),
            url=url,
            duration_ms=round((time.monotonic() - began) * 1000),
            status=status,
            error=error,
            response=text,
            timestamp=int(headers.get("webhook-timestamp", 0)),
        )
        return Outcome(attempt=attempt, retry_after_s=retry_after_s)

    async def _answer(
        self, url: str, headers: dict[str, str], body: bytes
    ) -> tuple[int | None, str | None, str, float | None]:
        """Status, what was wrong, the answer's first bytes, and for how long it asks us to wait."""
        status: int | None = None
        try:
            target = checked(url)
            async with self._session.post(target, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
                text = await _beginning_of(response)
                return status, _fault_of(status), text, _retry_after_s(response)
        except TargetRefused as error:
            return None, f"the address is refused: {error.reason}", "", None
        except aiohttp.ConnectionTimeoutError:
            return None, f"no connection was made within {CONNECT_S:g} s", "", None
        except TimeoutError:
            return status, f"the endpoint took longer than {self._within_s:g} s", "", None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return status, _sentence_of(error), "", None
        except Exception:
            logs.get().exception("a request to a webhook failed in a way that nobody thought of")
            return status, "the request failed", "", None

    def _guarded_socket(self, address: Any) -> socket.socket:
        """The socket of one connection: the address that is connected to is looked at here, whoever resolved it."""
        family, kind, protocol, _, place = address
        fault = fault_of_address(place[0], private=self._private)
        if fault is not None:
            raise TargetRefused(fault)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def checked(url: str) -> URL:
    """The address, when its spelling is one that is posted to. Raises TargetRefused."""
    try:
        target = URL(url)
    except ValueError as error:
        raise TargetRefused("it is not a URL") from error
    if target.scheme not in ("http", "https"):
        raise TargetRefused("it does not begin with http:// or https://")
    if target.user is not None or target.password is not None:
        raise TargetRefused("it holds a user name or a password")
    fault = fault_of_host(target.raw_host or "")
    if fault is not None:
        raise TargetRefused(fault)
    return target


class _GuardedResolver(AbstractResolver):
    """Names resolved once for each connection, and only the allowed addresses handed on."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses. Raises TargetRefused, OSError."""
        try:
            async with asyncio.timeout(CONNECT_S):
                addresses = await addresses_of(host, port, private=self._private)
        except TimeoutError as error:
            raise socket.gaierror(socket.EAI_AGAIN, "the name servers do not answer") from error
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


async def _beginning_of(response: aiohttp.ClientResponse) -> str:
    """The answer's first bytes as text; a connection with more to come is closed, not read to the end."""
    pieces = b""
    while len(pieces) < RESPONSE_BYTES:
        piece = await response.content.read(RESPONSE_BYTES - len(pieces))
        if not piece:
            return pieces.decode(errors="replace")
        pieces += piece
    if not response.content.at_eof():
        response.close()
    return pieces.decode(errors="replace")


def _fault_of(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    return (REDIRECTED if 300 <= status < 400 else NO_SUCCESS).format(status=status)


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """Seconds, when it says seconds; dates are rare, and our schedule is good enough for them."""
    asked = response.headers.get("Retry-After", "").strip()
    return float(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 8 else None


def _sentence_of(error: Exception) -> str:
    """Without details of our side: customers read it."""
    match error:
        case aiohttp.ClientConnectorDNSError(os_error=socket.gaierror(errno=socket.EAI_AGAIN)):
            return "the name of its host could not be looked up"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "its host is not known"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorError() | ssl.SSLError():
            reason = why_unreached(error)
            return "the endpoint cannot be reached" if reason is None else f"the endpoint cannot be reached: {reason}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return "the connection was lost"
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return "the endpoint does not speak HTTP as it should"
        case _:
            return "the request failed"
