"""Single-session endpoints, under `/api/whatsapp` and `/whatsapp`: status, QR and reconnect of the default session."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pymongo
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from msgspec import UNSET, UnsetType

from libs.contracts.errors import ApiError
from libs.contracts.events import SessionStatus
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.access.single import caller_of_status, default_session_made, not_ready, owned_default_session
from services.api.context import Edge
from services.api.errors import RETRY_AFTER_S, Refusal, is_away
from services.api.languages import Localized, localized
from services.api.sentences import Phrase
from services.api.sessions import desired, linking
from services.api.sessions.reasons import why
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import CONNECTED, code_of, expires_in_s, in_dialect
from services.api.times import now

STATUS_TIMEOUT_S = 1.5
NO_STORE = {"Cache-Control": "no-store"}


class SingleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The default session; `hasQR` when GET /qr answers a code at once."""

    connected: bool
    state: str
    has_qr: bool = msgspec.field(name="hasQR")


class SingleStatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """GET /status."""

    data: SingleStatus
    success: bool = True


class SingleQr(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The code as a PNG in a data URL, and the seconds it is good for."""

    qr_code: str
    expires_in: int


class SingleQrAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """GET /qr and POST /reconnect."""

    data: SingleQr
    message: Localized | UnsetType = UNSET
    success: bool = True


DISCONNECTED = SingleStatus(connected=False, state="DISCONNECTED", has_qr=False)


@get("/status", operation_id="get_single_status", security=[{}])
async def get_single_status(
    edge: NamedDependency[Edge], request: Request[Any, Any, Any]
) -> Response[SingleStatusAnswer]:
    """Needs no credential and always answers 200: what cannot be known now counts as disconnected."""
    try:
        async with asyncio.timeout(STATUS_TIMEOUT_S):
            with pymongo.timeout(STATUS_TIMEOUT_S):
                status = await single_status(edge, await caller_of_status(edge, request))
    except Refusal:
        status = DISCONNECTED
    except Exception as error:
        if not isinstance(error, TimeoutError) and not is_away(error):
            raise
        status = DISCONNECTED
    return Response(SingleStatusAnswer(data=status), headers=NO_STORE)


async def single_status(edge: Edge, caller: Caller) -> SingleStatus:
    """The default session of this caller. Raises Refusal, and what is_away knows."""
    found = await owned_default_session(edge, caller)
    if found is None or not edge.bus.connected:
        return DISCONNECTED
    seen, lease = found
    if edge.owners.is_away(lease):
        return DISCONNECTED
    return SingleStatus(
        connected=seen.status in CONNECTED,
        state=in_dialect(seen.status, "single"),
        has_qr=code_of(seen, now()) is not None,
    )


@get("/qr", operation_id="get_single_qr")
async def get_single_qr(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> Response[SingleQrAnswer]:
    """The QR code to scan; begins the link and waits for the first code."""
    try:
        edge.require_bus()
        seen = await default_session_made(edge, caller)
        if seen.status in CONNECTED:
            raise Refusal(ApiError.ALREADY_CONNECTED)
        seen = await linking.settled(edge, await linking.begun(edge, seen), wait_s=edge.settings.qr_wait_s)
        return await _qr_answer(edge, seen, UNSET)
    except Exception as error:
        raise _said(error) from error


@post("/reconnect", operation_id="reconnect_single", status_code=200)
async def reconnect_single(edge: NamedDependency[Edge], caller: NamedDependency[Caller]) -> Response[SingleQrAnswer]:
    """Unlink, begin a new link and wait for its first code."""
    try:
        edge.require_bus()
        before = await default_session_made(edge, caller)
        old_code = code_of(before, now())
        seen = await desired.link_anew(edge, before)
        seen = await linking.settled(edge, seen, wait_s=edge.settings.qr_wait_s, besides=old_code)
        if code_of(seen, now()) == old_code:
            raise _why_no_code(seen)
        return await _qr_answer(edge, seen, localized(confirmations.RECONNECTION_BEGUN))
    except Exception as error:
        raise _said(error) from error


async def _qr_answer(edge: Edge, seen: Seen, message: Localized | UnsetType) -> Response[SingleQrAnswer]:
    code = code_of(seen, now())
    if code is None:
        raise _why_no_code(seen)
    picture = await edge.painter.data_url(code)
    data = SingleQr(qr_code=picture, expires_in=expires_in_s(seen, now()) or 0)
    return Response(SingleQrAnswer(data=data, message=message), headers=NO_STORE)


def _why_no_code(seen: Seen) -> Refusal:
    if seen.status in CONNECTED:
        return Refusal(ApiError.ALREADY_CONNECTED)
    if seen.status is SessionStatus.BANNED:
        return linking.banned(seen)
    if not linking.is_seen(seen):
        return not_ready()
    if linking.is_unreached(seen) or seen.status is SessionStatus.FAILED:
        reason = why(seen.state)
        return not_ready() if reason is None else _not_ready_for(reason)
    return Refusal(ApiError.QR_TIMEOUT)


def _said(error: Exception) -> Exception:
    """What W understands: while something is away, the client is not ready."""
    return not_ready() if is_away(error) else error


def _not_ready_for(reason: Phrase) -> Refusal:
    return Refusal(ApiError.WHATSAPP_UNREACHABLE, headers={"Retry-After": RETRY_AFTER_S}, reason=reason)


def _router(path: str, *, shown: bool) -> Router:
    return Router(
        path=path,
        route_handlers=[get_single_status, get_single_qr, reconnect_single],
        tags=["Single session"],
        include_in_schema=shown,
    )


routers = (_router("/api/whatsapp", shown=True), _router("/whatsapp", shown=False))
