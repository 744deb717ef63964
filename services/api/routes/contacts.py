"""What a session asks and shows of other people: who is on WhatsApp, and that it is typing or recording."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from libs.contracts.calls import AskDone, CheckNumbers, NumbersChecked, ShowPresence
from services.api.access.auth import Caller, session_for, signed_in_guard
from services.api.context import Edge
from services.api.messages.composing import recipient
from services.api.messages.phones import InvalidPhone, Recipient, phone_of
from services.api.routes.sessions import SessionRef
from services.api.sessions.asking import asked
from services.api.sessions.views import Done

MOST_PHONES = 100


class Numbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Phone numbers to be looked up, in any usual spelling."""

    phones: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(min_length=1, max_length=MOST_PHONES)
    ]


class CheckedNumber(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One number: as it was written, its normalised form, and whether it is on WhatsApp.

    `reason` says what is wrong with a number that cannot exist.
    """

    phone: str
    number: str | None
    on_whatsapp: bool = msgspec.field(name="onWhatsApp")
    jid: str | None
    reason: str | None = None


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers in the order asked."""

    data: list[CheckedNumber]
    success: bool = True


class Presence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the chat is shown; it ends by itself after some seconds, or with `paused`."""

    to: Annotated[str, Meta(min_length=1, max_length=64)]
    state: Literal["composing", "recording", "paused"]


@post("/sessions/{session_ref:str}/check", operation_id="check_numbers", status_code=200)
async def check_numbers(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef, data: JSONBody[Numbers]
) -> CheckAnswer:
    """Who is on WhatsApp. Answers may be some minutes old."""
    caller.require("read")
    session = await session_for(edge, caller, session_ref)
    people = [(written, phone_of(written, edge.settings.default_country)) for written in data.phones]
    numbers = list(dict.fromkeys(person.display for _, person in people if isinstance(person, Recipient)))
    jids: dict[str, str | None] = {}
    if numbers:
        ask = CheckNumbers(session_id=session.id, phones=numbers)
        jids = (await asked(edge, session, ask, NumbersChecked)).jids
    return CheckAnswer(data=[_checked(written, person, jids) for written, person in people])


def _checked(written: str, person: Recipient | InvalidPhone, jids: dict[str, str | None]) -> CheckedNumber:
    if isinstance(person, InvalidPhone):
        return CheckedNumber(phone=written, number=None, on_whatsapp=False, jid=None, reason=person.reason)
    jid = jids.get(person.display)
    return CheckedNumber(phone=written, number=person.display, on_whatsapp=jid is not None, jid=jid)


@post("/sessions/{session_ref:str}/presence", operation_id="show_presence", status_code=200)
async def show_presence(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef, data: JSONBody[Presence]
) -> Done:
    """Show a chat that the session is typing or recording, or has stopped."""
    caller.require("send")
    to = recipient(edge, data.to, path="to")
    session = await session_for(edge, caller, session_ref)
    await asked(edge, session, ShowPresence(session_id=session.id, chat=to.jid, presence=data.state), AskDone)
    return Done(message="Presence shown")


router = Router(
    path="/api/customer/whatsapp",
    guards=[signed_in_guard],
    route_handlers=[check_numbers, show_presence],
    tags=["Contacts"],
)
