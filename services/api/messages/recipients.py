"""Finds whom a request names, as it is written. Where digits have two readings the session's chats tell which is meant;
where the tables doubt a number WhatsApp tells whether it exists.
"""

from __future__ import annotations

from collections.abc import Sequence

from libs.contracts.calls import CheckNumbers, NumbersChecked
from libs.contracts.errors import ApiError
from libs.contracts.records import SessionRecord
from services.api.chats import store_chats
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.messages.phones import InvalidPhone, Recipient, as_it_stands, recipient_of
from services.api.sentences import Phrase
from services.api.sessions import store_sessions
from services.api.sessions.asking import asked
from services.api.sessions.views import CONNECTED

ASK_S = 5.0


async def recipient(edge: Edge, session: SessionRecord, written: str, *, path: str = "phone") -> Recipient:
    """Whom the session's message goes to.

    A number that the tables hold for impossible is refused when WhatsApp says that nobody has it. Raises Refusal
    INVALID_PHONE.
    """
    found = (await read(edge, session.customer_id, [session.id], [written]))[0]
    if isinstance(found, Recipient):
        return found
    if found.doubtful is None or not await _may_exist(edge, session, found.doubtful):
        raise invalid_phone(found, path)
    return found.doubtful


async def read(
    edge: Edge, customer_id: str, sessions: Sequence[str] | None, texts: Sequence[str]
) -> list[Recipient | InvalidPhone]:
    """Whom each text names: the chat of these sessions that has just these digits, before any reading as local.

    `sessions`: None for all of the customer's. Costs one read, and none when no text has two readings.
    """
    country = edge.settings.default_country
    standing = [as_it_stands(text, country) for text in texts]
    jids = {each.jid for each in standing if each is not None}
    known = await _known(edge, customer_id, sessions, jids) if jids else set[str]()
    return [
        each if each is not None and each.jid in known else recipient_of(text, country)
        for text, each in zip(texts, standing, strict=True)
    ]


async def _known(edge: Edge, customer_id: str, sessions: Sequence[str] | None, jids: set[str]) -> set[str]:
    if sessions is None:
        sessions = await store_sessions.session_ids(edge.database, customer_id)
    return await store_chats.known_among(edge.database, customer_id, sessions, jids)


def invalid_phone(found: InvalidPhone, path: str) -> Refusal:
    """The refusal of what is no number; of a list, its sentence names the entry."""
    reason = found.said
    if path.endswith("]"):
        reason = Phrase(f"{path}: {found.said.en}", f"{path}: {found.said.id}")
    return Refusal(ApiError.INVALID_PHONE, details={"fields": [{"path": path, "reason": found.said}]}, reason=reason)


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
