"""Sign in and out with a cookie."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from libs.contracts.errors import ApiError
from services.api.access.cookies import is_encrypted, signed_in_cookie, signed_out_cookie
from services.api.access.gate import require_standing
from services.api.access.guard import NotSignedIn, login_in_cookie
from services.api.access.passwords import LONGEST_PASSWORD
from services.api.access.signing_in import checked_user, token_for
from services.api.accounts import store_users
from services.api.accounts.audit import note
from services.api.context import Edge
from services.api.dashboard.forms import fields_sent, require_own_page
from services.api.dashboard.rendering import language_of_path, pages_of
from services.api.dashboard.visitors import Visitor, require_word_of
from services.api.dashboard.words import Language, saying
from services.api.errors import Refusal
from services.api.sentences import sentence

MOST_EMAIL = 254
DAY_S = 86_400


class SignInForm(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed; `next` is where to go then."""

    email: str = ""
    password: str = ""
    next: str = ""


@get("/signin")
async def show_sign_in(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    next_path: Annotated[str, QueryParameter(name="next", max_length=500)] = "",
) -> Response[Any]:
    """The form; who is signed in already goes on, unless the customer is suspended: then another may sign in."""
    if await _is_signed_in(edge, request):
        return Redirect(_onward(request, next_path), status_code=303)
    return _form(edge, request, SignInForm(next=next_path))


async def _is_signed_in(edge: Edge, request: Request[Any, Any, Any]) -> bool:
    try:
        await require_standing(edge, await login_in_cookie(edge, request))
    except (NotSignedIn, Refusal):
        return False
    return True


@post("/signin", status_code=200)
async def sign_in(request: Request[Any, Any, Any], edge: NamedDependency[Edge]) -> Response[Any]:
    """Check the password, set the cookie, go on; else the form again with the reason."""
    form = await _form_of(request)
    try:
        if not form.email or not form.password:
            raise Refusal(ApiError.MISSING_CREDENTIALS)
        user = await checked_user(edge, form.email, form.password)
    except Refusal as refusal:
        return _form(edge, request, form, refusal)
    token = await token_for(edge, user, user_agent=request.headers.get("user-agent", ""))
    return Redirect(_onward(request, form.next), status_code=303, cookies=[cookie_for(edge, request, token)])


def cookie_for(edge: Edge, request: Request[Any, Any, Any], token: str) -> Cookie:
    """Signs the person of this request in."""
    secure = is_encrypted(request, edge.settings.proxies())
    return signed_in_cookie(token, life_s=edge.settings.token_days * DAY_S, secure=secure)


@post("/signout", status_code=200)
async def sign_out(
    request: Request[Any, Any, Any], edge: NamedDependency[Edge], visitor: NamedDependency[Visitor]
) -> Response[Any]:
    """End this sign-in and take the cookie away."""
    fields = await fields_sent(request)
    require_word_of(edge, request, fields.get("csrf", ""))
    await store_users.revoke_login(edge.database, visitor.login_id, visitor.user.id)
    await edge.memory.drop(f"user/{visitor.user.id}")
    await note(edge, visitor.user, "sign_in.ended", visitor.user.id, {"login": visitor.login_id})
    language = language_of_path(request.url.path)
    return Redirect(f"/{language}/dashboard/signin", status_code=303, cookies=[signed_out_cookie()])


def _form(
    edge: Edge, request: Request[Any, Any, Any], form: SignInForm, refusal: Refusal | None = None
) -> Response[Any]:
    language = language_of_path(request.url.path)
    reason = "" if refusal is None else _reason(refusal, language)
    status = 200 if refusal is None else refusal.status
    shown = pages_of(request).page(
        request, "signin.html", status=status, form=form, reason=reason, may_sign_up=edge.settings.open_signup
    )
    shown.headers.update({} if refusal is None else refusal.headers)
    return shown


def _reason(refusal: Refusal, language: Language) -> str:
    if refusal.code is ApiError.INVALID_CREDENTIALS:
        return saying(language)("signin.wrong")
    return sentence(refusal.code, language, refusal.params)


async def _form_of(request: Request[Any, Any, Any]) -> SignInForm:
    require_own_page(request)
    fields = await fields_sent(request)
    return SignInForm(
        email=fields.get("email", "").strip()[:MOST_EMAIL],
        password=fields.get("password", "")[: LONGEST_PASSWORD + 1],  # cut short it is still too long to be right
        next=fields.get("next", ""),
    )


def _onward(request: Request[Any, Any, Any], wanted: str) -> str:
    """The page that was asked for first, if it is one of ours; else the overview."""
    start = f"/{language_of_path(request.url.path)}/dashboard"
    is_ours = wanted.startswith((f"{start}/", "/en/dashboard/", "/id/dashboard/")) and "\\" not in wanted
    return wanted if is_ours and "/signin" not in wanted else f"{start}/whatsapp"


handlers: list[ControllerRouterHandler] = [show_sign_in, sign_in, sign_out]
