"""What groups are called: asked of WhatsApp when somebody looks at one, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from libs.contracts.calls import Group, GroupsFound, ListGroups
from libs.contracts.records import ChatRow, SessionRecord
from services.api.chats import store_groups
from services.api.chats.seeking import Sought
from services.api.context import Edge
from services.api.errors import Refusal
from services.api.messages.jids import is_group
from services.api.sessions import store_sessions
from services.api.sessions.asking import asked
from services.api.sessions.views import CONNECTED
from services.api.times import now

WITHIN_S = 2.0
"""Chats are shown without the names of groups rather than later."""
MOST_SOUGHT = 200


async def subjects_of(edge: Edge, customer_id: str, addresses: Iterable[str | None]) -> dict[str, str]:
    """The subjects of the groups among these addresses, by JID, as far as they are known."""
    jids = {address for address in addresses if address is not None and is_group(address)}
    return await store_groups.subjects_by_jid(edge.database, customer_id, jids)


async def groups_sought(edge: Edge, customer_id: str, sought: Sought | None) -> list[str]:
    """The JIDs of the groups whose name holds what is sought, as far as their names are known."""
    if sought is None:
        return []
    return await store_groups.groups_called(edge.database, customer_id, sought.text, most=MOST_SOUGHT)


async def subjects_listed(edge: Edge, customer_id: str, rows: Sequence[ChatRow]) -> dict[str, str]:
    """The subjects of the groups among these chats, by JID; each session is asked for one that is not known."""
    jids = [row.chat_jid for row in rows]
    known = await subjects_of(edge, customer_id, jids)
    unknown = {row.session_id: row.chat_jid for row in rows if is_group(row.chat_jid) and row.chat_jid not in known}
    if not unknown:
        return known
    await asyncio.gather(*(_learn_of(edge, customer_id, session_id, jid) for session_id, jid in unknown.items()))
    return await subjects_of(edge, customer_id, jids)


async def _learn_of(edge: Edge, customer_id: str, session_id: str, jid: str) -> None:
    seen = await store_sessions.seen_session(edge.database, customer_id, session_id)
    if seen is not None and seen.status in CONNECTED:
        await learn_subject(edge, seen.record, jid)


async def learn_subject(edge: Edge, session: SessionRecord, jid: str) -> None:
    """Ask for the subjects of all groups of this connected session, unless that of this one was asked for lately."""
    if not await store_groups.may_ask(edge.database, session.customer_id, jid, now()):
        return
    try:
        found = await asked(edge, session, ListGroups(session_id=session.id), GroupsFound, within_s=WITHIN_S)
    except Refusal:
        return
    await keep_subjects(edge, session, found.groups)


async def keep_subjects(edge: Edge, session: SessionRecord, groups: list[Group]) -> None:
    """Remember what WhatsApp told."""
    await store_groups.keep_subjects(edge.database, session.customer_id, groups, now())
