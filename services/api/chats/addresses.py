"""Under which addresses a contact's messages stand: who was met by LID before the number was known has both."""

from __future__ import annotations

from collections.abc import Sequence

from libs.contracts.records import ChatRow
from libs.runtime.mongo import Database
from services.api.chats import store_chats
from services.api.messages.jids import is_group
from services.api.messages.phones import Recipient
from services.api.messages.store_messages import PERSON
from services.api.sessions import store_sessions


def addresses_shown(row: ChatRow) -> tuple[str, ...]:
    """The chat's addresses as its messages show them: the digits of a number, else the JID."""
    return tuple(key.removeprefix(f"{row.session_id}/").removesuffix(PERSON) for key in row.keys)


async def further_addresses(
    database: Database, customer_id: str, sessions: Sequence[str] | None, of: Recipient
) -> tuple[str, ...]:
    """The other addresses of whoever has this one, as these sessions (None: all, deleted ones too) have met them."""
    if is_group(of.jid):
        return ()
    if sessions is None:
        sessions = await store_sessions.session_ids(database, customer_id)
    rows = await store_chats.chats_with(database, customer_id, sessions, of.jid)
    return tuple(sorted({each for row in rows for each in addresses_shown(row)} - {of.display}))
