"""Scans a session's code with a simulated phone: for trying the product without a telephone."""

from __future__ import annotations

import random
from typing import Any

import httpx
import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from libs.contracts.errors import ApiError
from services.api.access.callers import Caller
from services.api.access.cookies import CSRF_HEADER
from services.api.context import Edge
from services.api.dashboard.visitors import require_word_of
from services.api.errors import Refusal
from services.api.sessions import linking, store_sessions
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import code_of
from services.api.times import now

TIMEOUT_S = 10.0
PERSON = "Budi Santoso"


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """The number of the phone that has scanned."""

    number: str
    success: bool = True


@post("/whatsapp/devices/{session_id:str}/scan", status_code=200)
async def scan(
    request: Request[Any, Any, Any],
    edge: NamedDependency[Edge],
    customer: NamedDependency[Caller],
    session_id: FromPath[str],
) -> Scanned:
    """A person with a new phone scans the session's code."""
    require_word_of(edge, request, request.headers.get(CSRF_HEADER, ""))
    customer.require("sessions")
    seen = await store_sessions.seen_session(edge.database, customer.customer_id, session_id)
    if seen is None:
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    control = edge.settings.phones().get(seen.record.engine, "")
    if not control:
        raise Refusal(ApiError.NOT_POSSIBLE, reason=f"there are no phones of ours on the network {seen.record.engine}")
    return Scanned(number=await _scanned(control, await _code(edge, seen)))


async def _code(edge: Edge, seen: Seen) -> str:
    seen = await linking.settled(edge, await linking.begun(edge, seen), wait_s=edge.settings.qr_wait_s)
    code = code_of(seen, now())
    if code is None:
        raise Refusal(ApiError.QR_NOT_AVAILABLE, reason="the session shows no code")
    return code


async def _scanned(control: str, code: str) -> str:
    number = f"62812{random.randrange(10**8):08}"  # noqa: S311 - a made-up number, not a secret
    try:
        async with httpx.AsyncClient(base_url=control, timeout=TIMEOUT_S, trust_env=False) as phones:
            (await phones.post("/phones", json={"number": number, "name": PERSON})).raise_for_status()
            (await phones.post(f"/phones/{number}/scan", json={"qr": code})).raise_for_status()
    except httpx.HTTPError as error:
        raise Refusal(ApiError.NOT_POSSIBLE, reason="the simulated phone could not scan the code") from error
    return number


handlers: list[ControllerRouterHandler] = [scan]
