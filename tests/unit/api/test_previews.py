"""Links in texts, and what pages say of themselves."""

from __future__ import annotations

import time

import pytest

from libs.contracts.content import LinkPreview
from services.api.messages.previews import link_in, preview_in

URL = "https://example.com/a"


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("Lihat https://example.com/a.", "https://example.com/a"),
        ("(https://example.com/a)", "https://example.com/a"),
        ("https://example.com/a_(b)!", "https://example.com/a_(b)"),
        ("HTTP://EXAMPLE.COM", "HTTP://EXAMPLE.COM"),
        ("<https://example.com/?q=1&r=2> dan", "https://example.com/?q=1&r=2"),
        ("example.com, ftp://example.com", None),
        ("*https://example.com/a*", "https://example.com/a"),
        ("_https://example.com/a_", "https://example.com/a"),
        ("~https://example.com/a~", "https://example.com/a"),
        ("```https://example.com/a```", "https://example.com/a"),
        ("`https://example.com/a`", "https://example.com/a"),
        ("*_https://example.com/a_*!", "https://example.com/a"),
        ("*Lihat https://example.com/a* dan", "https://example.com/a"),
        ("(*https://example.com/a*).", "https://example.com/a"),
        ("*tebal* https://example.com/a*", "https://example.com/a*"),
        ("*\nhttps://example.com/a*", "https://example.com/a*"),
        ("2 * 3 https://example.com/a*", "https://example.com/a*"),
        ("nama_saya https://example.com/Foo_", "https://example.com/Foo_"),
        ("https://en.wikipedia.org/wiki/Foo_", "https://en.wikipedia.org/wiki/Foo_"),
        ("_https://example.com/a_b_", "https://example.com/a_b"),
        ("[https://example.com/a]", "https://example.com/a"),
        ("{https://example.com/a[1]}", "https://example.com/a[1]"),
        ("\u201chttps://example.com/a\u201d", "https://example.com/a"),
        ("\uff08https://example.com/a\uff09\u3002", "https://example.com/a"),
        ("https://example.com/a\u2026", "https://example.com/a"),
    ],
)
def test_the_first_link_of_a_text_is_found(text: str, link: str | None) -> None:
    assert link_in(text) == link


@pytest.mark.parametrize(
    "text",
    [
        "*" * 60_000 + "https://a.b" + "*" * 2_000,
        "* *" * 1_365 + "https://a.b" + "*_~" * 670,
        "https://a.b" + ")" * 2_030,
    ],
)
def test_a_hostile_text_takes_no_longer(text: str) -> None:
    began = time.thread_time()
    assert (link_in(text) or "").startswith("https://a.b")
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("page", "title", "description"),
    [
        pytest.param("<title>Toko &amp; Kopi</title>", "Toko & Kopi", None, id="a title"),
        pytest.param(
            '<title>x</title><meta content="Kopi" property="og:title"><meta name=description content="Enak">',
            "Kopi",
            None,
            id="what it says for cards goes first; an attribute without quotes is passed over",
        ),
        pytest.param(
            "<META PROPERTY='og:title' CONTENT='A\n  B'><meta property=\"og:description\" content=\"C\">",
            "A B",
            "C",
            id="in capitals and over lines",
        ),
    ],
)
def test_a_page_tells_its_title(page: str, title: str, description: str | None) -> None:
    assert preview_in(page, URL) == LinkPreview(url=URL, title=title, description=description)


def test_a_page_without_a_title_has_no_card() -> None:
    assert preview_in("<p>Halo</p><title></title>", URL) is None


@pytest.mark.parametrize("piece", ["<meta ", "<title ", '<meta a="', "<meta a='\"", "a=", "<title>", "<meta a a "])
def test_a_hostile_page_takes_no_longer(piece: str) -> None:
    page = piece * (512 * 1024 // len(piece))
    began = time.thread_time()  # what it computes, not how long the machine lets it wait
    preview_in(page, URL)
    assert time.thread_time() - began < 2
