"""Customer endpoints for sessions: list, create, read, change, delete, start, stop, restart, logout and QR."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from libs.contracts.errors import ApiError
from libs.contracts.events import SessionStatus
from libs.contracts.stages import Stage, stage_of
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.accounts import store_customers
from services.api.accounts.audit import note
from services.api.billing.standings import standing_now
from services.api.billing.terms import (
    Package,
    SessionQuota,
    Standing,
    SubscriptionBrief,
    brief_view,
    package_view,
    quota_view,
    standing_of,
    why_waiting,
)
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.sentences import Phrase
from services.api.sessions import desired, linking, store_sessions
from services.api.sessions.reasons import why
from services.api.sessions.session_settings import SettingsWish, settings_of
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import (
    CONNECTED,
    Done,
    SessionAnswer,
    SessionObject,
    code_of,
    expires_in_s,
    in_dialect,
    session_object,
    statuses_named,
)
from services.api.times import Time, iso, now
from services.api.web.paging import Offset, Pagination, pagination

MOST_SESSIONS = 1000
NO_STORE = {"Cache-Control": "no-store"}

Name = Annotated[str, Meta(max_length=200, description="3 to 50 characters, unique among the customer's sessions.")]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_SESSIONS)]
SessionRef = Annotated[str, PathParameter(description="The session's id or its name.")]
Wait = Annotated[float | None, QueryParameter(ge=0, description="Seconds to wait for the first code.")]


class NewSession(SettingsWish, frozen=True, kw_only=True, rename="camel"):
    """`name` or `sessionName`; `engine` is the network, by default the deployment's."""

    name: Name | None = None
    session_name: Name | None = None
    engine: Annotated[str, Meta(max_length=40)] | None = None


class SessionChange(SettingsWish, frozen=True, kw_only=True, rename="camel"):
    """What is left out stays. `active` starts the session, `inactive` stops it and keeps the link.

    A new proxy is used at once: the session connects again through it.
    """

    name: Name | None = None
    session_name: Name | None = None
    status: Literal["active", "inactive"] | None = None
    is_default: bool | None = None
    is_notification: bool | None = None


class SessionList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET /sessions, in both dialects."""

    sessions: list[SessionObject]
    data: list[SessionObject]
    session_quota: SessionQuota
    package: Package
    pagination: Pagination
    subscription: SubscriptionBrief
    success: bool = True


class QrData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The QR code now; `expiresIn` in seconds."""

    session_id: str
    session_name: str
    status: str
    qr: str | None
    message: Localized
    has_qr: bool = msgspec.field(name="hasQR")
    expires_in: int | None
    expires_at: Time | None
    reason: str | None
    cause: str | None
    stage: Stage | None


class QrAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """GET qr as JSON."""

    qr: str | None
    message: Localized
    data: QrData
    success: bool = True


# --- Lists and single sessions ---------------------------------------------------------------------------------------


@get("/sessions", operation_id="list_sessions")
async def list_sessions(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    status: Annotated[str | None, QueryParameter(description="In either dialect; empty or `all` for all.")] = None,
    limit: Limit = 20,
    offset: Offset = 0,
) -> SessionList:
    """The customer's sessions, newest first, with what the plan allows."""
    caller.require("read")
    wanted = None if status in (None, "", "all", "ALL") else statuses_named(str(status))
    at = now()
    (page, total), account = await asyncio.gather(
        store_sessions.sessions_newest_first(
            edge.database, caller.customer_id, statuses=wanted, only=caller.session_ids, limit=limit, offset=offset
        ),
        store_customers.account_of(edge.database, caller.customer_id),
    )
    standing = standing_of(account, at)
    waiting = why_waiting(standing)
    total = standing.used if total is None else total
    plan = standing if caller.session_ids is None else Standing()  # which is the account's, not the sessions'
    pictures = await asyncio.gather(*(picture_of(edge, seen, codes=caller.may_link) for seen in page))
    shown = list(zip(page, pictures, strict=True))
    return SessionList(
        sessions=[session_object(seen, "upper", qr=qr, waiting=waiting) for seen, qr in shown],
        data=[session_object(seen, "lower", qr=qr, waiting=waiting) for seen, qr in shown],
        session_quota=quota_view(plan),
        package=package_view(plan),
        pagination=pagination(total, limit, offset, len(page)),
        subscription=brief_view(plan),
    )


@post("/sessions", operation_id="create_session", status_code=200)
async def create_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], data: JSONBody[NewSession]
) -> SessionAnswer:
    """Make a session. It is not linked yet: `GET /sessions/{id}/qr` begins that."""
    caller.require("sessions")
    name = data.name if data.name is not None else data.session_name
    if name is None:
        raise invalid("name", "a session needs a name")
    seen = await desired.create_session(edge, caller.customer_id, name=name, engine=data.engine, wish=data)
    return await answer_of(edge, seen, confirmations.SESSION_CREATED)


@get("/sessions/{session_ref:str}", operation_id="get_session")
async def get_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> SessionAnswer:
    """One session."""
    caller.require("read")
    return await answer_of(edge, await seen_for(edge, caller, session_ref), codes=caller.may_link)


@put("/sessions/{session_ref:str}", operation_id="update_session")
async def update_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef, data: JSONBody[SessionChange]
) -> SessionAnswer:
    """Rename, start or stop a session, change its settings, or make it the default one."""
    caller.require("sessions")
    if data.is_default is not None:
        caller.require_all_sessions()  # which one is the default is the account's
    seen = await seen_for(edge, caller, session_ref)
    await desired.check_proxy_of(edge, data)
    values, raises = _changes_of(edge, seen, data)
    if not values:
        raise invalid("", "nothing to change was given")
    if data.is_default:
        await desired.make_default(edge, seen)
    seen = await desired.change(edge, seen, values=values, raises=raises)
    return await answer_of(edge, seen, confirmations.SESSION_UPDATED)


def _changes_of(edge: Edge, seen: Seen, data: SessionChange) -> tuple[dict[str, Any], list[str]]:
    """The stored fields to be set, and the counters to be raised."""
    name = data.name if data.name is not None else data.session_name
    values = _stored(settings_of(data, seen.record.id, edge.ring))
    if name is not None:  # a name that it has already may be one that is refused today
        values["name"] = name if name == seen.record.name else desired.checked_name(name)
    if data.is_default is not None:
        values["isDefault"] = data.is_default
    if data.is_notification is not None:
        values["isNotification"] = data.is_notification
    raises = ["version"] if values else []
    if data.status is not None:
        values["running"] = data.status == "active"
        if data.status == "active":
            raises.append("starts")
    return values, raises


def _stored(fields: dict[str, Any]) -> dict[str, Any]:
    """By the names and in the form of the stored record."""
    names = {"device_name": "deviceName"}
    return {names.get(name, name): msgspec.to_builtins(value) for name, value in fields.items()}


@delete("/sessions/{session_ref:str}", operation_id="delete_session", status_code=200)
async def delete_session(edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef) -> Done:
    """Delete a session: gone at once; waiting messages are cancelled, the device is unlinked afterwards."""
    caller.require("sessions")
    seen = await seen_for(edge, caller, session_ref)
    await desired.remove(edge, seen)
    await note(edge, caller, "session.deleted", seen.record.id, {"name": seen.record.name})
    return Done(message=localized(confirmations.SESSION_DELETED))


# --- Start, stop, restart, logout ------------------------------------------------------------------------------------


@post("/sessions/{session_ref:str}/start", operation_id="start_session", status_code=202)
async def start_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> SessionAnswer:
    """Open the session's connection, or begin a link when there is none."""
    caller.require("sessions")
    seen = await desired.start(edge, await seen_for(edge, caller, session_ref))
    return await answer_of(edge, seen, confirmations.SESSION_STARTING)


@post("/sessions/{session_ref:str}/stop", operation_id="stop_session", status_code=202)
async def stop_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> SessionAnswer:
    """Close the connection and keep the link."""
    caller.require("sessions")
    seen = await desired.stop(edge, await seen_for(edge, caller, session_ref))
    return await answer_of(edge, seen, confirmations.SESSION_STOPPING)


@post("/sessions/{session_ref:str}/restart", operation_id="restart_session", status_code=202)
async def restart_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> SessionAnswer:
    """Close the connection and open it again."""
    caller.require("sessions")
    seen = await desired.restart(edge, await seen_for(edge, caller, session_ref))
    return await answer_of(edge, seen, confirmations.SESSION_RESTARTING)


@post("/sessions/{session_ref:str}/logout", operation_id="logout_session", status_code=202)
async def logout_session(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> SessionAnswer:
    """Unlink the device."""
    caller.require("sessions")
    seen = await desired.log_out(edge, await seen_for(edge, caller, session_ref))
    return await answer_of(edge, seen, confirmations.SESSION_LOGGING_OUT)


# --- QR --------------------------------------------------------------------------------------------------------------


@get("/sessions/{session_ref:str}/qr", operation_id="get_session_qr")
async def get_session_qr(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session_ref: SessionRef,
    wait: Wait = None,
    image: Annotated[Literal["json", "png", "svg", "raw"], QueryParameter(name="format")] = "json",
) -> Response[Any]:
    """The QR code to scan; begins the link when nothing else does and waits for the first code."""
    caller.require("sessions")
    if wait is not None and math.isnan(wait):
        raise invalid("wait", "it is a number of seconds")
    seen = await seen_for(edge, caller, session_ref)
    if seen.status not in CONNECTED:
        wait_s = edge.settings.qr_wait_s if wait is None else min(wait, edge.settings.wait_most_s)
        seen = await linking.settled(edge, await linking.begun(edge, seen), wait_s=wait_s)
    if seen.status is SessionStatus.BANNED:
        raise linking.banned(seen)
    code = code_of(seen, now())
    if image == "json":
        return Response(await _qr_answer(edge, seen, code), headers=NO_STORE)
    if code is None:
        raise Refusal(ApiError.QR_NOT_AVAILABLE, headers=NO_STORE, reason=_without_code(seen))
    return await _qr_image(edge, code, image)


async def _qr_answer(edge: Edge, seen: Seen, code: str | None) -> QrAnswer:
    picture = None if code is None else await edge.painter.data_url(code)
    message = localized(confirmations.SCAN_THE_CODE if code is not None else _without_code(seen))
    expires_at = seen.state.expires_at if seen.state is not None and code is not None else None
    return QrAnswer(
        qr=picture,
        message=message,
        data=QrData(
            session_id=seen.record.id,
            session_name=seen.record.name,
            status=in_dialect(seen.status, "lower"),
            qr=picture,
            message=message,
            has_qr=picture is not None,
            expires_in=expires_in_s(seen, now()) if expires_at is not None else None,
            expires_at=iso(expires_at) if expires_at is not None else None,
            reason=seen.state.reason if seen.state is not None else None,
            cause=seen.state.cause if seen.state is not None else None,
            stage=stage_of(seen.status, seen.state.reason if seen.state is not None else None),
        ),
    )


async def _qr_image(edge: Edge, code: str, image: str) -> Response[Any]:
    match image:
        case "png":
            return Response(await edge.painter.png(code), media_type="image/png", headers=NO_STORE)
        case "svg":
            return Response(await edge.painter.svg(code), media_type="image/svg+xml", headers=NO_STORE)
        case _:
            return Response(code, media_type="text/plain", headers=NO_STORE)


def _without_code(seen: Seen) -> Phrase:
    if seen.status in CONNECTED:
        return confirmations.ALREADY_CONNECTED
    if linking.is_unreached(seen) or seen.status is SessionStatus.FAILED:
        return why(seen.state) or confirmations.QR_NOT_READY
    return confirmations.QR_NOT_READY


# --- Shared by the routes above --------------------------------------------------------------------------------------


async def seen_for(edge: Edge, caller: Caller, session_ref: str) -> Seen:
    """The caller's session, as it is now. Raises Refusal SESSION_NOT_FOUND."""
    seen = await store_sessions.seen_session(edge.database, caller.customer_id, session_ref)
    if seen is None or not caller.may_use(seen.record.id):
        raise Refusal(ApiError.SESSION_NOT_FOUND)
    return seen


async def answer_of(edge: Edge, seen: Seen, message: Phrase | None = None, *, codes: bool = True) -> SessionAnswer:
    """The session in both dialects; without `codes` for who may not link a device."""
    picture = await picture_of(edge, seen, codes=codes)
    waiting = why_waiting(await standing_now(edge, seen.record.customer_id))
    return SessionAnswer(
        session=session_object(seen, "upper", qr=picture, waiting=waiting),
        data=session_object(seen, "lower", qr=picture, waiting=waiting),
        message=msgspec.UNSET if message is None else localized(message),
    )


async def picture_of(edge: Edge, seen: Seen, *, codes: bool) -> str | None:
    """The picture of the code that can be scanned now."""
    code = code_of(seen, now()) if codes else None
    return None if code is None else await edge.painter.data_url(code)


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[
        list_sessions,
        create_session,
        get_session,
        update_session,
        delete_session,
        start_session,
        stop_session,
        restart_session,
        logout_session,
        get_session_qr,
    ],
    tags=["Sessions"],
)
