"""Fetching from addresses that customers name: guarded at every hop, and bounded in size and time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.runtime.targets import TargetRefused
from services.api.media.fetching import AT_ONCE, Fetcher, NotFetched
from services.api.messages.previews import fetched_preview
from tests.integration.api.pages import Pages, serving
from tests.processes import eventually

WITHIN_S = 30.0


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    async with serving() as opened:
        yield opened


@pytest.fixture(scope="module")
def fetcher() -> Fetcher:
    return Fetcher(private=True)


async def fetched(fetcher: Fetcher, url: str, *, within_s: float = WITHIN_S) -> bytes:
    async with fetcher.opened(url, within_s=within_s) as source:
        return b"".join([piece async for piece in source.pieces])


async def test_a_file_comes_with_what_its_server_says_of_it(pages: Pages, fetcher: Fetcher) -> None:
    url = pages.page("/files/Daftar%20harga.pdf", b"%PDF-1.7", kind="application/pdf; charset=x")
    async with fetcher.opened(url + "?a=1", within_s=WITHIN_S) as source:
        assert (source.declared, source.file_name, source.size_bytes) == ("application/pdf", "Daftar harga.pdf", 8)
        assert b"".join([piece async for piece in source.pieces]) == b"%PDF-1.7"
    (head,) = pages.asked
    assert head.startswith("GET /files/Daftar%20harga.pdf?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "cookie" not in head.lower()
    assert "authorization" not in head.lower()


async def test_without_permission_nothing_inside_is_even_connected_to(pages: Pages) -> None:
    url = pages.page("/a", b"secret")
    for name in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
        with pytest.raises(TargetRefused):
            await fetched(Fetcher(private=False), name)
    assert pages.asked == []


async def test_a_redirect_inside_is_refused(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first hop counts as public here, the second is looked at like any other."""
    url = pages.redirect("/a", pages.page("/b", b"secret"))
    looked_at: list[str] = []

    async def addresses_of(host: str, port: int, *, private: bool = False) -> list[str]:
        looked_at.append(host)
        if len(looked_at) > 1:
            raise TargetRefused("it lies in a private network")
        return ["127.0.0.1"]

    monkeypatch.setattr("services.api.media.fetching.addresses_of", addresses_of)
    with pytest.raises(TargetRefused):
        await fetched(Fetcher(private=False), url)
    assert len(pages.asked) == 1


async def test_a_name_is_resolved_once_and_that_very_address_connected_to(
    pages: Pages, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that resolves inside the second time (DNS rebinding) is not asked a second time."""
    resolved = 0
    real = socket.getaddrinfo

    def rebinding(host: Any, *more: Any, **options: Any) -> Any:
        nonlocal resolved
        if host != "rebinding.example":
            return real(host, *more, **options)
        resolved += 1
        return real("127.0.0.1" if resolved == 1 else "127.0.0.2", *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = pages.page("/a", b"once").replace("127.0.0.1", "rebinding.example")
    assert await fetched(fetcher, url) == b"once"
    assert resolved == 1
    assert "Host: rebinding.example:" in pages.asked[0]


async def test_three_redirects_are_followed_and_not_a_fourth(pages: Pages, fetcher: Fetcher) -> None:
    pages.page("/end", b"there")
    for number, target in enumerate(["end", "0", "1", "2"]):
        pages.redirect(f"/{number}", f"/{target}")
    assert await fetched(fetcher, pages.url + "/2") == b"there"
    with pytest.raises(NotFetched, match="redirects more than 3 times"):
        await fetched(fetcher, pages.url + "/3")


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://u:p@127.0.0.1/", "http://", "//[", "javascript:1"]
)
async def test_a_redirect_to_what_is_no_address_is_refused(pages: Pages, fetcher: Fetcher, target: str) -> None:
    with pytest.raises((TargetRefused, NotFetched)):
        await fetched(fetcher, pages.redirect("/a", target))


@pytest.mark.parametrize("status", [204, 400, 404, 500])
async def test_what_is_not_there_is_not_fetched(pages: Pages, fetcher: Fetcher, status: int) -> None:
    with pytest.raises(NotFetched, match=f"answered {status}"):
        await fetched(fetcher, pages.page("/a", b"no", status=status))


async def test_a_compressed_answer_is_not_taken(pages: Pages, fetcher: Fetcher) -> None:
    url = pages.raw("/a", b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b")
    with pytest.raises(NotFetched, match="compressed"):
        await fetched(fetcher, url)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf", id="half of it"),
        pytest.param(b"HTTP/1.1 200 X\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", id="a header without end"),
    ],
)
async def test_a_broken_answer_is_not_fetched(pages: Pages, fetcher: Fetcher, answer: bytes) -> None:
    with pytest.raises(NotFetched):
        await fetched(fetcher, pages.raw("/a", answer))


async def test_a_server_that_stops_in_the_middle_is_given_up(pages: Pages, fetcher: Fetcher) -> None:
    url = pages.raw("/a", b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nhalf", then_hang=True)
    began = time.monotonic()
    with pytest.raises(NotFetched, match=r"took longer than 0\.3 s"):
        await fetched(fetcher, url, within_s=0.3)
    assert time.monotonic() - began < WITHIN_S


async def test_only_so_many_fetches_run_at_once_and_none_keeps_its_turn(pages: Pages) -> None:
    hanging = pages.raw("/a", b"HTTP/1.1 200 X\r\n\r\n", then_hang=True)
    fetcher = Fetcher(private=True)
    running = [asyncio.create_task(fetched(fetcher, hanging, within_s=60)) for _ in range(AT_ONCE)]
    await eventually(lambda: _all_asked(pages))
    for _ in range(2):
        with pytest.raises(NotFetched, match="longer"):
            await fetched(fetcher, hanging, within_s=0.2)
    assert len(pages.asked) == AT_ONCE
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert await fetched(fetcher, pages.page("/b", b"there")) == b"there"


async def _all_asked(pages: Pages) -> bool:
    return len(pages.asked) == AT_ONCE


async def test_nobody_and_nothing_are_told_apart_from_a_refusal(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotFetched, match="the server cannot be reached: it refused the connection"):
            await fetched(fetcher, f"http://127.0.0.1:{unused.getsockname()[1]}/")

    def nobody_knows(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "a resolver without a network takes many seconds to say so")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    with pytest.raises(NotFetched, match="host is not known"):
        await fetched(fetcher, "http://nowhere.invalid/")


# --- Previews --------------------------------------------------------------------------------------------------------


async def test_a_preview_is_read_up_to_the_end_of_the_pages_head(pages: Pages, fetcher: Fetcher) -> None:
    head = "<head><meta charset=iso-8859-1><title>Caf\xe9</title></head>".encode("latin-1")

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + head)
        await writer.drain()
        await asyncio.Event().wait()

    preview = await fetched_preview(fetcher, pages.by("/a", endless), within_s=WITHIN_S)
    assert preview is not None
    assert preview.title == "Caf\xe9"


async def test_a_page_that_is_none_or_too_slow_has_no_preview(pages: Pages, fetcher: Fetcher) -> None:
    image = pages.page("/a", b"<title>x</title>", kind="image/png")
    slow = pages.raw("/b", b"HTTP/1.1 200 X\r\nContent-Type: text/html\r\n\r\n<title>x</title>", then_hang=True)
    for url in (image, slow, "http://127.0.0.1:1/", "nonsense"):
        assert await fetched_preview(fetcher, url, within_s=0.3) is None
