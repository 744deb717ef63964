"""The public service endpoints: the API key stands in the path, and a plain GET sends."""

from __future__ import annotations

from typing import Any, Literal, cast

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from libs.contracts.content import Content, caption_of, file_name_of, text_of, type_of
from libs.contracts.errors import ApiError
from libs.contracts.records import SessionRecord
from services.api import confirmations
from services.api.access.admission import admit_message, admit_request
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.access.gate import caller_of_key
from services.api.context import Edge, edge_of
from services.api.description.bodies import PublicSendOperation
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.media.keeping import keep, known_medium
from services.api.media.kinds import PUBLIC_KINDS, PublicKind
from services.api.media.sources import inline_medium
from services.api.media.store_media import Owner, StoredMedium
from services.api.media.uploads import Form, body_of, is_form, received_form
from services.api.messages import store_messages
from services.api.messages.composing import media_content, public_wishes_of, text_content
from services.api.messages.numerals import DECIMAL, SHORTENED
from services.api.messages.phones import InvalidPhone, Recipient
from services.api.messages.recipients import invalid_phone, recipient
from services.api.messages.sending import Accepted, Draft, accept, check_session
from services.api.sessions import store_sessions
from services.api.sessions.views import CONNECTED, in_dialect
from services.api.times import Time, iso, iso_or_none
from services.api.web.bodies import decoded_json
from services.api.web.rawpath import decoded

SAID = {status: confirmations.MESSAGE_IN[status] for status in ("queued", "sent", "delivered", "read", "played")}


class PublicSend(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message in any of three dialects: `contentType` and `content`; `message`; or `type` and a field of its name."""

    phone: str | int | float = ""
    content_type: str | None = None
    content: str | None = None
    message: str | None = None
    type: str | None = None
    image: str | None = None
    document: str | None = None
    video: str | None = None
    audio: str | None = None
    media_id: str | None = None
    caption: str | None = None
    file_name: str | None = None
    lower_file_name: str | None = msgspec.field(name="filename", default=None)


class PublicSent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The accepted message. `content` is its text, null for media."""

    session_id: str
    recipient: str
    content_type: str
    content: str | None
    file_name: str | None
    caption: str | None
    timestamp: Time
    message_id: str
    status: str


class PublicAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a send."""

    message_id: str
    status: str
    timestamp: Time
    message: Localized
    data: PublicSent
    success: bool = True


class Stats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What left the session so far."""

    total_messages_sent: int
    total_messages_failed: int
    last_message_sent_at: Time | None
    last_message_failed_at: Time | None


class Readiness(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Whether the session would send at once; `stats` only where the status was asked for."""

    session_id: str
    session_name: str
    status: str
    ready: bool
    stats: Stats | None = None


class ReadinessAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The session's readiness."""

    data: Readiness
    message: Localized
    success: bool = True


_decoder = msgspec.json.Decoder(PublicSend)

# --- Routes ----------------------------------------------------------------------------------------------------------


@post(
    "/{session_ref:str}/{api_key:str}",
    operation_id="send_public_message",
    operation_class=PublicSendOperation,
    status_code=200,
    request_max_body_size=None,
)
async def send_message(
    request: Request[Any, Any, Any], session_ref: FromPath[str], api_key: FromPath[str]
) -> Response[PublicAnswer]:
    """Send a message: JSON (PublicSend), or a multipart form `phone, contentType, file, caption?, fileName?`."""
    edge = edge_of(request)  # not injected: this is the route that has to be fast
    session, caller = await _opened(edge, session_ref, api_key)
    await check_session(edge, session, connected=_requires_connection(request))
    if is_form(request):
        async with received_form(edge, request) as form:
            return await _send_form(edge, request, session, caller, form)
    body: PublicSend = decoded_json(await body_of(request, most=edge.settings.body_bytes), _decoder)
    to = await recipient(edge, session, _phone_of(body))
    content, fresh = await _content_of(edge, caller, session, body)
    return await _send(edge, request, session, caller, to, content, fresh)


@post("/{session_ref:str}/{api_key:str}/{phone:str}/{text:str}", operation_id="send_public_text", status_code=200)
async def send_text(
    request: Request[Any, Any, Any],
    session_ref: FromPath[str],
    api_key: FromPath[str],
    phone: FromPath[str],
    text: FromPath[str],
) -> Response[PublicAnswer]:
    """Send the text in the path, percent-encoded once."""
    edge = edge_of(request)
    session, caller = await _opened(edge, session_ref, api_key)
    return await _send_text(edge, request, session, caller, phone, text)


@get("/{session_ref:str}/{api_key:str}/{phone:str}/{text:str}", operation_id="send_public_text_by_get")
async def send_text_by_get(
    request: Request[Any, Any, Any],
    session_ref: FromPath[str],
    api_key: FromPath[str],
    phone: FromPath[str],
    text: FromPath[str],
) -> Response[Any]:
    """Send the text in the path, as POST does; the text `test` sends nothing and tells the session's readiness."""
    edge = edge_of(request)
    session, caller = await _opened(edge, session_ref, api_key)
    if text == "test":
        return Response(await _readiness(edge, session))
    return await _send_text(edge, request, session, caller, phone, text)


async def _send_text(
    edge: Edge, request: Request[Any, Any, Any], session: SessionRecord, caller: Caller, phone: str, text: str
) -> Response[PublicAnswer]:
    await check_session(edge, session, connected=_requires_connection(request))
    to, content = await recipient(edge, session, _segment(phone)), text_content(_segment(text))
    return await _send(edge, request, session, caller, to, content, None)


@get("/{session_ref:str}/{api_key:str}", operation_id="get_public_status")
async def get_status(
    edge: NamedDependency[Edge], session_ref: FromPath[str], api_key: FromPath[str]
) -> ReadinessAnswer:
    """The session's status and what it has sent."""
    session, _ = await _opened(edge, session_ref, api_key)
    answer = await _readiness(edge, session)
    stats = await store_messages.send_stats(edge.database, session.id)
    data = msgspec.structs.replace(
        answer.data,
        stats=Stats(
            total_messages_sent=stats.sent,
            total_messages_failed=stats.failed,
            last_message_sent_at=iso_or_none(stats.last_sent_at),
            last_message_failed_at=iso_or_none(stats.last_failed_at),
        ),
    )
    return msgspec.structs.replace(answer, data=data)


# --- The key and the session in the path -----------------------------------------------------------------------------


async def _opened(edge: Edge, session_ref: str, api_key: str) -> tuple[SessionRecord, Caller]:
    """The key's session, and the caller. Raises Refusal INVALID_API_KEY, FORBIDDEN, RATE_LIMITED, SESSION_NOT_FOUND."""
    caller = await caller_of_key(edge, _segment(api_key))
    if caller is None:
        raise Refusal(ApiError.INVALID_API_KEY)
    await admit_request(edge, caller)
    caller.require("send")
    return await session_for(edge, caller, _segment(session_ref)), caller


def _segment(raw: str) -> str:
    text = decoded(raw)
    if text is None:
        raise invalid("", "the path is not percent-encoded UTF-8")
    return text


def _requires_connection(request: Request[Any, Any, Any]) -> bool:
    return bool(request.scope["query_string"]) and request.query_params.get("requireConnected") in ("1", "true")


async def _readiness(edge: Edge, session: SessionRecord) -> ReadinessAnswer:
    state = await store_sessions.state_of(edge.database, session.id)
    seen = store_sessions.Seen(record=session, state=state)
    ready = seen.status in CONNECTED
    data = Readiness(
        session_id=session.id, session_name=session.name, status=in_dialect(seen.status, "lower"), ready=ready
    )
    return ReadinessAnswer(
        data=data, message=localized(confirmations.SESSION_READY if ready else confirmations.SESSION_NOT_CONNECTED)
    )


# --- The message in the body -----------------------------------------------------------------------------------------


def _phone_of(body: PublicSend) -> str:
    if body.phone == "":
        raise invalid("phone", "it is missing")
    if isinstance(body.phone, float):
        raise invalid_phone(InvalidPhone(said=SHORTENED if "e" in repr(body.phone) else DECIMAL), "phone")
    return str(body.phone)


async def _content_of(
    edge: Edge, caller: Caller, session: SessionRecord, body: PublicSend
) -> tuple[Content, StoredMedium | None]:
    """The content, and its medium when the body brought it along."""
    kind = _kind_of(body.content_type or body.type)
    if kind == "text":
        text = body.content if body.content is not None else body.message
        if text is None:
            raise invalid("message", "it is missing")
        return text_content(text), None
    name = body.file_name or body.lower_file_name
    fresh: StoredMedium | None = None
    if body.media_id is not None:
        medium = await known_medium(edge, caller, body.media_id, kind)
    else:
        data = body.content or cast("str | None", getattr(body, kind))
        if not data:
            raise invalid("content" if body.content_type else kind, "it is missing")
        medium = fresh = await inline_medium(edge, _owner_in(session), kind, data, file_name=name)
    return media_content(kind, medium, caption=body.caption, file_name=name), fresh


def _owner_in(session: SessionRecord) -> Owner:
    """Whose a medium is that a message of the session brings along."""
    return Owner(customer_id=session.customer_id, session_ids=(session.id,))


def _kind_of(written: str | None) -> PublicKind | Literal["text"]:
    kind = (written or "text").lower()
    if kind == "text":
        return "text"
    if kind not in PUBLIC_KINDS:
        raise invalid("contentType", "it is one of text, image, document, audio and video")
    return kind


async def _send_form(
    edge: Edge, request: Request[Any, Any, Any], session: SessionRecord, caller: Caller, form: Form
) -> Response[PublicAnswer]:
    body = PublicSend(
        phone=form.fields.get("phone", ""),
        content_type=form.fields.get("contentType") or form.fields.get("type"),
        content=form.fields.get("content"),
        message=form.fields.get("message"),
        media_id=form.fields.get("mediaId"),
        caption=form.fields.get("caption"),
        file_name=form.fields.get("fileName") or form.fields.get("filename"),
    )
    to = await recipient(edge, session, _phone_of(body))
    if form.file is None:
        content, fresh = await _content_of(edge, caller, session, body)
        return await _send(edge, request, session, caller, to, content, fresh)
    kind = _kind_of(body.content_type or "document")
    if kind == "text":
        raise invalid("contentType", "a file is an image, document, audio or video")
    form.file.name = body.file_name or form.file.name
    medium = await keep(edge, form.file, _owner_in(session), kind)
    content = media_content(kind, medium, caption=body.caption, file_name=medium.file_name)
    return await _send(edge, request, session, caller, to, content, medium)


# --- The answer ------------------------------------------------------------------------------------------------------


async def _send(
    edge: Edge,
    request: Request[Any, Any, Any],
    session: SessionRecord,
    caller: Caller,
    to: Recipient,
    content: Content,
    fresh: StoredMedium | None,
) -> Response[PublicAnswer]:
    await admit_message(edge, caller)
    draft = Draft(session=session, to=to.jid, content=content, fresh=fresh)
    accepted = await accept(edge, draft, public_wishes_of(edge, request))
    headers = {"Idempotent-Replayed": "true"} if accepted.replayed else None
    return Response(_answer(session, to, accepted), headers=headers)


def _answer(session: SessionRecord, to: Recipient, accepted: Accepted) -> PublicAnswer:
    at, content = iso(accepted.accepted_at), accepted.content
    data = PublicSent(
        session_id=session.id,
        recipient=to.display,
        content_type=type_of(content),
        content=text_of(content),
        file_name=file_name_of(content),
        caption=caption_of(content),
        timestamp=at,
        message_id=accepted.message_id,
        status=accepted.status,
    )
    return PublicAnswer(
        message_id=accepted.message_id,
        status=accepted.status,
        timestamp=at,
        message=localized(SAID.get(accepted.status, confirmations.MESSAGE_ACCEPTED)),
        data=data,
    )


router = Router(
    path="/api/services/whatsapp/chat",
    route_handlers=[send_message, send_text, send_text_by_get, get_status],
    tags=["Public sends"],
)
