"""Linking without a camera: a code to type on the phone, and the passkey that WhatsApp may ask for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from libs.contracts.calls import AnswerPasskey, AskDone, ConfirmPasskey, PairCodeIssued, RequestPairCode
from libs.contracts.errors import ApiError
from libs.contracts.events import SessionStatus
from services.api import confirmations
from services.api.access.callers import Caller
from services.api.context import Edge
from services.api.errors import Refusal, invalid
from services.api.languages import Localized, localized
from services.api.messages.phones import InvalidPhone, Recipient, certain_recipient_of
from services.api.messages.recipients import invalid_phone
from services.api.routes.sessions import NO_STORE, SessionRef, seen_for
from services.api.sessions import linking
from services.api.sessions.asking import asked
from services.api.sessions.store_sessions import Seen
from services.api.sessions.views import CONNECTED, Done
from services.api.times import Time, iso, iso_or_none, now

PAIR_CODE_S = 30.0
"""The owner itself waits up to 25 s for WhatsApp's code."""
PERSON = "@s.whatsapp.net"
MOST_RESPONSE = 64_000


class PairCodeWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The phone number of the account that is to be linked."""

    phone: Annotated[str, Meta(min_length=1, max_length=64)]


class PairCodeData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The code to type on the phone, under "Link with phone number instead"; `expiresIn` in seconds."""

    code: str
    expires_in: int
    expires_at: Time


class PairCodeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a pair-code request."""

    data: PairCodeData
    message: Localized
    success: bool = True


class PasskeyData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The step that WhatsApp waits for: a `challenge` (WebAuthn, as JSON), a `code` to compare, or none."""

    step: Literal["challenge", "compare", "none"]
    challenge: dict[str, Any] | None
    code: str | None
    expires_at: Time | None


class PasskeyState(msgspec.Struct, frozen=True, kw_only=True):
    """GET passkey."""

    data: PasskeyData
    success: bool = True


class PasskeyResponse(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `navigator.credentials.get` gave for the challenge: a WebAuthn assertion."""

    response: dict[str, Any]


@post("/sessions/{session_ref:str}/pair-code", operation_id="request_pair_code", status_code=200)
async def request_pair_code(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef, data: JSONBody[PairCodeWish]
) -> Response[PairCodeAnswer]:
    """A code to link the session with by typing it on the phone; begins the link when nothing else does."""
    caller.require("sessions")
    person = _own_number(edge, data.phone)
    seen = await _linkable(edge, await seen_for(edge, caller, session_ref))
    ask = RequestPairCode(session_id=seen.record.id, phone=person.display)
    issued = await asked(edge, seen.record, ask, PairCodeIssued, within_s=PAIR_CODE_S)
    left_s = max(0, int((issued.expires_at - now()).total_seconds()))
    shown = PairCodeData(code=issued.code, expires_in=left_s, expires_at=iso(issued.expires_at))
    return Response(PairCodeAnswer(data=shown, message=localized(confirmations.TYPE_THE_CODE)), headers=NO_STORE)


def _own_number(edge: Edge, written: str) -> Recipient:
    """The number to be linked; one that the tables doubt is for WhatsApp to judge. Raises Refusal INVALID_PHONE, ..."""
    found = certain_recipient_of(written, edge.settings.default_country)
    if isinstance(found, InvalidPhone):
        if found.doubtful is None:
            raise invalid_phone(found, "phone")
        return found.doubtful
    if not found.jid.endswith(PERSON):
        raise invalid("phone", "this is no person's phone number")
    return found


async def _linkable(edge: Edge, seen: Seen) -> Seen:
    """The session, its link begun. Raises Refusal ALREADY_CONNECTED, SESSION_BANNED."""
    if seen.status not in CONNECTED:
        seen = await linking.until_begun(edge, await linking.begun(edge, seen), wait_s=edge.settings.qr_wait_s)
    if seen.status in CONNECTED:
        raise Refusal(ApiError.ALREADY_CONNECTED)
    if seen.status is SessionStatus.BANNED:
        raise linking.banned(seen)
    return seen


@get("/sessions/{session_ref:str}/passkey", operation_id="get_passkey")
async def get_passkey(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> Response[PasskeyState]:
    """What WhatsApp asks of the person's passkey while the session is `passkey_required`."""
    caller.require("sessions")
    return Response(PasskeyState(data=passkey_of(await seen_for(edge, caller, session_ref))), headers=NO_STORE)


def passkey_of(seen: Seen) -> PasskeyData:
    """The step of the passkey, from the observed state."""
    state = seen.state
    if state is None or state.status is not SessionStatus.PASSKEY_REQUIRED or state.passkey is None:
        return PasskeyData(step="none", challenge=None, code=None, expires_at=None)
    challenge = _challenge_in(state.passkey)
    return PasskeyData(
        step="compare" if challenge is None else "challenge",
        challenge=challenge,
        code=state.passkey if challenge is None else None,
        expires_at=iso_or_none(state.expires_at),
    )


def _challenge_in(passkey: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(passkey, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


@post("/sessions/{session_ref:str}/passkey", operation_id="answer_passkey", status_code=200)
async def answer_passkey(
    edge: NamedDependency[Edge],
    caller: NamedDependency[Caller],
    session_ref: SessionRef,
    data: JSONBody[PasskeyResponse],
) -> Done:
    """Hand WhatsApp what the person's passkey answered to the challenge."""
    caller.require("sessions")
    response = msgspec.json.encode(data.response).decode()
    if len(response) > MOST_RESPONSE:
        raise invalid("response", f"it has more than {MOST_RESPONSE:,} characters")
    seen = await seen_for(edge, caller, session_ref)
    await asked(edge, seen.record, AnswerPasskey(session_id=seen.record.id, response=response), AskDone)
    return Done(message=localized(confirmations.PASSKEY_HANDED_OVER))


@post("/sessions/{session_ref:str}/passkey/confirm", operation_id="confirm_passkey", status_code=200)
async def confirm_passkey(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef
) -> Done:
    """Say that the person has compared the code on both screens."""
    caller.require("sessions")
    seen = await seen_for(edge, caller, session_ref)
    await asked(edge, seen.record, ConfirmPasskey(session_id=seen.record.id), AskDone)
    return Done(message=localized(confirmations.PASSKEY_CONFIRMED))


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[request_pair_code, get_passkey, answer_passkey, confirm_passkey],
    tags=["Sessions"],
)
