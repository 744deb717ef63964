"""The dashboard's cookie: where it counts, for whom, and what must stand beside it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from litestar import Request
from litestar.testing import RequestFactory

from libs.runtime.crypto import KeyRing
from services.api.access.cookies import COOKIE, credential_in_cookie, is_encrypted, signed_in_cookie
from services.api.access.tokens import Tokens
from services.api.errors import Refusal

RING = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NEWER = "k2://79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
TOKEN = "header.claims.signature"
SESSIONS = "/api/customer/whatsapp/sessions"


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(KeyRing.parse(RING))


def asked(method: str = "GET", path: str = SESSIONS, **headers: str) -> Request[Any, Any, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    make = {"GET": RequestFactory().get, "POST": RequestFactory().post}[method]
    return make(path, headers=named | {"cookie": f"{COOKIE}={TOKEN}"})


@pytest.mark.parametrize("path", [SESSIONS, "/api/platform/customers", "/api/auth/me"])
def test_reading_needs_the_cookie_alone(tokens: Tokens, path: str) -> None:
    assert credential_in_cookie(tokens, asked(path=path)) == TOKEN


@pytest.mark.parametrize("path", ["/whatsapp/qr", "/api/services/whatsapp/chat/s/k", "/api/customers", "/docs"])
def test_elsewhere_the_cookie_counts_for_nothing(tokens: Tokens, path: str) -> None:
    assert credential_in_cookie(tokens, asked(path=path)) == ""


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_has_caused_comes_without_the_cookie(tokens: Tokens, site: str) -> None:
    word = tokens.words_beside(TOKEN)[0]
    assert credential_in_cookie(tokens, asked(sec_fetch_site=site)) == ""
    assert credential_in_cookie(tokens, asked("POST", sec_fetch_site=site, x_csrf_token=word)) == ""


@pytest.mark.parametrize("word", ["", "guessed", "ünlikely"])
def test_a_change_without_the_word_beside_the_token_is_refused(tokens: Tokens, word: str) -> None:
    with pytest.raises(Refusal):
        credential_in_cookie(tokens, asked("POST", x_csrf_token=word))


def test_the_word_of_another_sign_in_is_refused(tokens: Tokens) -> None:
    with pytest.raises(Refusal):
        credential_in_cookie(tokens, asked("POST", x_csrf_token=tokens.words_beside("another.token.entirely")[0]))


def test_a_change_with_the_word_is_let_through(tokens: Tokens) -> None:
    assert credential_in_cookie(tokens, asked("POST", x_csrf_token=tokens.words_beside(TOKEN)[0])) == TOKEN


def test_a_page_that_was_loaded_before_a_new_key_may_still_change_things(tokens: Tokens) -> None:
    word = tokens.words_beside(TOKEN)[0]
    assert credential_in_cookie(Tokens(KeyRing.parse(f"{NEWER},{RING}")), asked("POST", x_csrf_token=word)) == TOKEN


def test_no_script_reads_the_cookie_and_behind_tls_it_never_leaves_it() -> None:
    header = signed_in_cookie(TOKEN, life_s=60, secure=True).to_header(header="")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(header.split("; "))


@pytest.mark.parametrize(
    ("proxies", "encrypted"), [((), False), ((ip_network("127.0.0.0/8"),), True)], ids=["stranger", "trusted"]
)
def test_only_a_trusted_proxy_is_believed_to_speak_tls(proxies: Any, encrypted: bool) -> None:
    request = asked(x_forwarded_proto="https")
    request.scope["client"] = ("127.0.0.1", 40_000)
    assert is_encrypted(request, proxies) is encrypted
