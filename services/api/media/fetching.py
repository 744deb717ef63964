"""Fetches what a customer gave the address of: guarded, in pieces, within a time, through at most three redirects."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import unquote

import certifi
import httpcore
import httpx
import msgspec

from libs.runtime.targets import TargetRefused, addresses_of
from libs.runtime.unreached import why_unreached
from services.api.media.dispositions import file_name_in

MOST_REDIRECTS = 3
CONNECT_S = 5.0
MAX_URL = 2_048
AT_ONCE = 32
"""So many fetches run in one process; the others wait, and their time runs."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PORTS = {"http": 80, "https": 443}
HEADERS = [("User-Agent", "Merpati"), ("Accept", "*/*"), ("Accept-Encoding", "identity"), ("Connection", "close")]
"""No compression: what is counted is what is stored."""


class NotFetched(Exception):
    """The file did not come; `reason` completes the sentence "It could not be fetched: ..."."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"it could not be fetched: {reason}")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What an address answered, before its bytes. `declared` is the type it claims, `size_bytes` what it announces.

    `charset` is empty when it names none. `file_name` is that of its `Content-Disposition`, else of its path.
    """

    url: str
    declared: str
    charset: str
    file_name: str | None
    size_bytes: int | None
    pieces: AsyncIterator[bytes]


class Fetcher:
    """Fetches over HTTP, one connection for each request. `private` allows one's own network and machine."""

    def __init__(self, *, private: bool) -> None:
        self._tls = _believed()
        self._backend = _GuardedBackend(private=private)
        self._turns = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def opened(self, url: str, *, within_s: float) -> AsyncGenerator[Source]:
        """The answer at this address, while the block runs and for at most `within_s`, reading included.

        Raises NotFetched, for whatever reason it is not there; TargetRefused when it leads where it must not.
        """
        try:
            async with asyncio.timeout(within_s), self._turns:
                pool = httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._backend)
                async with pool, self._followed(pool, url) as source:
                    yield source
        except TimeoutError as error:
            raise NotFetched(f"it took longer than {within_s:g} s") from error
        except httpcore.ConnectTimeout as error:
            raise NotFetched(f"no connection was made within {CONNECT_S:g} s") from error
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            raise _unreached(error) from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise NotFetched("the server does not speak HTTP as it should") from error

    @asynccontextmanager
    async def _followed(self, pool: httpcore.AsyncConnectionPool, url: str) -> AsyncGenerator[Source]:
        target = parsed(url)
        for _ in range(MOST_REDIRECTS + 1):
            async with pool.stream("GET", _plain(target), headers=[("Host", _host_of(target)), *HEADERS]) as answer:
                headers = {name.lower(): value.decode("latin-1") for name, value in answer.headers}
                if answer.status not in REDIRECTS or b"location" not in headers:
                    yield _source_of(target, answer, headers)
                    return
            target = parsed(_joined(target, headers[b"location"]))
        raise NotFetched(f"it redirects more than {MOST_REDIRECTS} times")


def _unreached(error: Exception) -> NotFetched:
    reason = why_unreached(error)
    if reason is None:
        return NotFetched("the server cannot be reached, or the connection was lost")
    return NotFetched(f"the server cannot be reached: {reason}")


@functools.cache
def _believed() -> ssl.SSLContext:
    """The authorities that we believe, read once in a process; an image may have none of its own."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def parsed(url: str) -> httpx.URL:
    """The address, when it is one that may be fetched. Raises TargetRefused."""
    if len(url) > MAX_URL:
        raise TargetRefused(f"it has more than {MAX_URL:,} characters")
    try:
        target = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise TargetRefused("it is not a URL") from error
    if target.scheme not in PORTS:
        raise TargetRefused("it does not begin with http:// or https://")
    if target.userinfo:
        raise TargetRefused("it holds a user name or a password")
    if not target.raw_host:
        raise TargetRefused("it names no host")
    return target


def _joined(target: httpx.URL, location: str) -> str:
    try:
        return str(target.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise NotFetched("it redirects to what is no address") from error


def _host_of(target: httpx.URL) -> str:
    return target.netloc.decode("ascii")


def _plain(target: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)


def _source_of(target: httpx.URL, answer: httpcore.Response, headers: dict[bytes, str]) -> Source:
    if answer.status != 200:
        raise NotFetched(f"the server answered {answer.status}")
    if headers.get(b"content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise NotFetched("the server compressed it, which it was not asked to")
    length = headers.get(b"content-length", "")
    declared, _, options = headers.get(b"content-type", "").partition(";")
    return Source(
        url=str(target),
        declared=declared.strip().lower(),
        charset=options.partition("charset=")[2].strip("\"' ").partition(";")[0],
        file_name=file_name_in(headers.get(b"content-disposition", "")) or _last_segment(target),
        size_bytes=int(length) if length.isdecimal() else None,
        pieces=answer.aiter_stream(),
    )


def _last_segment(target: httpx.URL) -> str | None:
    return unquote(target.path.rpartition("/")[2]) or None


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that passed the guard: the very ones it looked at, so no name can change meanwhile."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._plain = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The first allowed address that answers."""
        try:
            addresses = await addresses_of(host, port, private=self._private)
        except OSError as error:
            raise NotFetched("its host is not known") from error
        for address in addresses[:-1]:
            try:
                return await self._plain.connect_tcp(address, port, CONNECT_S, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._plain.connect_tcp(addresses[-1], port, CONNECT_S, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise TargetRefused("it is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Between two tries."""
        await self._plain.sleep(seconds)
