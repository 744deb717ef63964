"""Sign up with a form, where the deployment takes new customers by itself."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from services.api.access.signing_in import token_for
from services.api.accounts import signing_up
from services.api.accounts.signing_up import SignUp
from services.api.context import Edge
from services.api.dashboard.forms import fields_sent, require_own_page
from services.api.dashboard.pages.overview import START
from services.api.dashboard.pages.signin import cookie_for
from services.api.dashboard.rendering import language_of_path, pages_of
from services.api.dashboard.zones import zones_by_region
from services.api.errors import Refusal, refusal_of
from services.api.sentences import sentence

PLACE = "/signup"
FIELDS = ("name", "company", "email", "timeZone")


@get(PLACE)
async def show_sign_up(request: Request[Any, Any, Any], edge: NamedDependency[Edge]) -> Response[Any]:
    """The form; where sign-up is closed, the page says so."""
    signing_up.require_open(edge)
    return _form(request, {"timeZone": signing_up.DEFAULT_ZONE})


@post(PLACE, status_code=200)
async def sign_up(request: Request[Any, Any, Any], edge: NamedDependency[Edge]) -> Response[Any]:
    """Make the account and be signed in; else the form again with the reason."""
    require_own_page(request)
    fields = await fields_sent(request)
    given = {name: value if name == "password" else value.strip() for name, value in fields.items()}
    try:
        owner = await signing_up.signed_up(edge, msgspec.convert(given, SignUp))
    except (Refusal, msgspec.ValidationError) as error:
        return _form(request, given, refusal_of(error, method="POST", body_bytes=edge.settings.body_bytes))
    token = await token_for(edge, owner, user_agent=request.headers.get("user-agent", ""))
    home = f"/{language_of_path(request.url.path)}/dashboard{START}"
    return Redirect(home, status_code=303, cookies=[cookie_for(edge, request, token)])


def _form(request: Request[Any, Any, Any], given: dict[str, str], refusal: Refusal | None = None) -> Response[Any]:
    form = {name: given.get(name, "") for name in FIELDS}
    reason = "" if refusal is None else sentence(refusal.code, language_of_path(request.url.path), refusal.params)
    status = 200 if refusal is None else refusal.status
    shown = pages_of(request).page(
        request, "signup.html", status=status, form=form, reason=reason, zones=zones_by_region()
    )
    shown.headers.update({} if refusal is None else refusal.headers)
    return shown


handlers: list[ControllerRouterHandler] = [show_sign_up, sign_up]
