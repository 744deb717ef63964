"""Finds whom a request names: as it is written, and by WhatsApp's word where the tables of numbers doubt it."""

from __future__ import annotations

from libs.contracts.calls import CheckNumbers, NumbersChecked
from libs.contracts.errors import ApiError
from libs.contracts.records import SessionRecord
from services.api.chats import store_chats
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.messages.phones import InvalidPhone, Recipient, recipient_of
from services.api.sessions import store_sessions
from services.api.sessions.asking import asked
from services.api.sessions.views import CONNECTED

ASK_S = 5.0


async def recipient(edge: Edge, session: SessionRecord, written: str, *, path: str = "phone") -> Recipient:
    """Whom the session's message goes to.

    A number that the tables hold for impossible is refused when WhatsApp says that nobody has it. Raises Refusal
    INVALID_PHONE.
    """
    found = recipient_of(written, edge.settings.default_country)
    if isinstance(found, Recipient):
        return found
    if found.doubtful is None or not await _may_exist(edge, session, found.doubtful):
        raise invalid_phone(found, path)
    return found.doubtful


def invalid_phone(found: InvalidPhone, path: str) -> Refusal:
    """The refusal of what is no number."""
    return Refusal(
        ApiError.INVALID_PHONE, details={"fields": [{"path": path, "reason": found.reason}]}, reason=found.said
    )


async def _may_exist(edge: Edge, session: SessionRecord, person: Recipient) -> bool:
    """Whether WhatsApp has named this number, or says that it has it, or cannot be asked now.

    In the last case its answer decides before the message leaves (NOT_ON_WHATSAPP).
    """
    chat = await store_chats.chat_with(edge.database, session.customer_id, session.id, person.jid)
    if chat is not None and chat.last_incoming is not None:
        return True
    state = await store_sessions.state_of(edge.database, session.id)
    if state is None or state.status not in CONNECTED:
        return True
    ask = CheckNumbers(session_id=session.id, phones=[person.display])
    try:
        answer = await asked(edge, session, ask, NumbersChecked, within_s=ASK_S)
    except Refusal:
        return True
    return answer.jids.get(person.display) is not None
