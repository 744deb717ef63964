"""What a page answers when it cannot be shown: to the sign-in, or a page that says why, in its language."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from litestar import Request, Response
from litestar.response import Redirect

from libs.contracts.errors import ApiError
from services.api.access.guard import NotSignedIn
from services.api.dashboard.rendering import language_of_path, language_wished, pages_of
from services.api.dashboard.words import LANGUAGES, Language
from services.api.errors import Refusal, body_limit, envelope, refusal_of
from services.api.sentences import sentence

PROGRAMS = re.compile(r"/(?:api|whatsapp)(?:/|$)")
"""Paths that programs ask for: their answers are JSON, whoever asks."""


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to a request that failed: a redirect, a page, or, where a script asked, the API's envelope."""
    language = language_of_path(request.url.path)
    if isinstance(error, NotSignedIn):
        return _to_sign_in(request)
    refusal = refusal_of(error, method=request.method, body_bytes=body_limit(request))
    if "application/json" in request.headers.get("accept", ""):
        body = envelope(refusal, language=language)
        return Response(body, status_code=refusal.status, headers=refusal.headers, media_type="application/json")
    return _page(request, refusal, language)


def is_read_by_a_person(request: Request[Any, Any, Any]) -> bool:
    """Whether a browser asks for a page: only browsers name XHTML, and below the API's paths nobody is shown one."""
    return (
        request.method in ("GET", "HEAD")
        and not PROGRAMS.match(request.url.path)
        and "application/xhtml+xml" in request.headers.get("accept", "")
    )


def unknown_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Leads from the bare address to the dashboard; else says that there is no such page.

    It says so in the language of the address, or else of whoever asks.
    """
    if request.url.path == "/":
        return Redirect("/dashboard", status_code=302)
    first = request.url.path.split("/", 2)[1]
    language = language_of_path(request.url.path) if first in LANGUAGES else language_wished(request)
    return _page(request, Refusal(ApiError.ROUTE_NOT_FOUND), language)


def _page(request: Request[Any, Any, Any], refusal: Refusal, language: Language) -> Response[Any]:
    said = sentence(refusal.code, language, refusal.params)
    shown = pages_of(request).page(
        request,
        "failed.html",
        status=refusal.status,
        language=language,
        sentence=said,
        code=refusal.error,
        is_suspended=refusal.code is ApiError.CUSTOMER_SUSPENDED,
    )
    shown.headers.update(refusal.headers)
    return shown


def _to_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """htmx follows redirects itself and would put the sign-in into the middle of the page."""
    where = f"/{language_of_path(request.url.path)}/dashboard/signin?next={quote(request.url.path)}"
    if request.headers.get("hx-request"):
        return Response("", status_code=401, headers={"HX-Redirect": where}, media_type="text/html")
    return Redirect(where, status_code=303)
