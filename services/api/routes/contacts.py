"""What a session asks and shows of other people: who is on WhatsApp, and that it is typing or recording."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from libs.contracts.calls import AskDone, CheckNumbers, NumbersChecked, ShowPresence
from libs.contracts.records import SessionRecord
from services.api import confirmations
from services.api.access.auth import session_for
from services.api.access.callers import Caller
from services.api.chats import store_chats
from services.api.context import Edge
from services.api.languages import Localized, localized
from services.api.messages.jids import is_group
from services.api.messages.phones import NO_NUMBER, InvalidPhone, Recipient
from services.api.messages.recipients import read, recipient
from services.api.routes.sessions import SessionRef
from services.api.sessions.asking import asked
from services.api.sessions.views import Done

MOST_PHONES = 100


class Numbers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Phone numbers to be looked up, in any usual spelling, or JIDs of people."""

    phones: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(min_length=1, max_length=MOST_PHONES)
    ]


class CheckedNumber(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One number: as it was written, its normalised form, and whether it is on WhatsApp, under which JID.

    The JID is WhatsApp's own spelling of the number, which may have other digits.
    `reason` says what is wrong with a number that cannot exist, in the caller's language.
    """

    phone: str
    number: str | None
    on_whatsapp: bool = msgspec.field(name="onWhatsApp")
    jid: str | None
    reason: Localized | None = None


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
    found = await read(edge, session.customer_id, [session.id], data.phones)
    numbers = list(dict.fromkeys(number for each in found if (number := _number_to_ask_for(each)) is not None))
    jids: dict[str, str | None] = {}
    if numbers:
        ask = CheckNumbers(session_id=session.id, phones=numbers)
        jids = (await asked(edge, session, ask, NumbersChecked)).jids
    return CheckAnswer(
        data=[
            _checked(written, each, jids)
            if _number_to_ask_for(each)
            else await _checked_without_number(edge, session, written, each)
            for written, each in zip(data.phones, found, strict=True)
        ]
    )


def _number_to_ask_for(found: Recipient | InvalidPhone) -> str | None:
    """The digits that WhatsApp is asked for: also those that only the tables hold for impossible."""
    person = found if isinstance(found, Recipient) else found.doubtful
    return None if person is None or "@" in person.display else person.display


def _checked(written: str, found: Recipient | InvalidPhone, jids: dict[str, str | None]) -> CheckedNumber:
    number = _number_to_ask_for(found) or ""
    jid = jids.get(number)
    if isinstance(found, InvalidPhone) and jid is None:
        return _no_number(written, found)
    return CheckedNumber(phone=written, number=number, on_whatsapp=jid is not None, jid=jid)


async def _checked_without_number(
    edge: Edge, session: SessionRecord, written: str, found: Recipient | InvalidPhone
) -> CheckedNumber:
    """A LID is WhatsApp's own name for somebody; which number it has is known when the session has their chat."""
    if isinstance(found, InvalidPhone):
        return _no_number(written, found)
    chat = await store_chats.chat_with(edge.database, session.customer_id, session.id, found.jid)
    if chat is None or is_group(chat.chat_jid):
        return _no_number(written, InvalidPhone(said=NO_NUMBER))
    return CheckedNumber(phone=written, number=chat.phone, on_whatsapp=True, jid=chat.chat_jid)


def _no_number(written: str, found: InvalidPhone) -> CheckedNumber:
    reason = localized(found.said)
    return CheckedNumber(phone=written, number=None, on_whatsapp=False, jid=None, reason=reason)


@post("/sessions/{session_ref:str}/presence", operation_id="show_presence", status_code=200)
async def show_presence(
    edge: NamedDependency[Edge], caller: NamedDependency[Caller], session_ref: SessionRef, data: JSONBody[Presence]
) -> Done:
    """Show a chat that the session is typing or recording, or has stopped."""
    caller.require("send")
    session = await session_for(edge, caller, session_ref)
    to = await recipient(edge, session, data.to, path="to")
    await asked(edge, session, ShowPresence(session_id=session.id, chat=to.jid, presence=data.state), AskDone)
    return Done(message=localized(confirmations.PRESENCE_SHOWN))


router = Router(
    path="/api/customer/whatsapp",
    route_handlers=[check_numbers, show_presence],
    tags=["Contacts"],
)
