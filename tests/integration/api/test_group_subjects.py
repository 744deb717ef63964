"""What groups are called: kept whenever WhatsApp tells it, asked for at most once in an hour, shown and searched."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.calls import AskFailed, Group, GroupsFound, ListGroups
from libs.contracts.records import ChatRow, SessionRecord
from services.api.chats import store_groups
from services.api.chats.subjects import learn_subject, subjects_of
from services.api.sessions import store_sessions
from services.api.times import now
from tests.integration.api.chats import chat_row, keep
from tests.integration.api.edges import Site, observe
from tests.integration.api.owner import owner

TEAM, CHOIR = "120363021234567890@g.us", "120363021234567891@g.us"
FOUND = GroupsFound(
    groups=[Group(jid=TEAM, subject="Tim", members=[]), Group(jid=CHOIR, subject="Paduan suara", members=[])]
)


@pytest.fixture
async def session(site: Site, session_id: str) -> SessionRecord:
    """The session whose number is in the groups."""
    found = await store_sessions.live_session(site.edge.database, site.account.customer_id, session_id)
    assert found is not None
    return found


async def known(site: Site, customer_id: str = "") -> dict[str, str]:
    """The subjects that pages would show."""
    return await subjects_of(site.edge, customer_id or site.account.customer_id, [TEAM, CHOIR, "628111", None])


async def test_a_list_of_groups_makes_all_of_them_known_to_their_customer_alone(
    site: Site, session: SessionRecord, streams: str
) -> None:
    async with owner(streams, FOUND):
        assert (await site.call("GET", f"/sessions/{session.id}/groups")).is_success
    assert await known(site) == {TEAM: "Tim", CHOIR: "Paduan suara"}
    assert await known(site, "somebody_else") == {}


async def test_an_unknown_group_is_asked_for_once_and_makes_the_others_known(
    site: Site, session: SessionRecord, streams: str
) -> None:
    async with owner(streams, FOUND) as asked:
        for _ in range(3):
            await learn_subject(site.edge, session, TEAM)
    assert asked == [ListGroups(session_id=session.id)]
    assert await known(site) == {TEAM: "Tim", CHOIR: "Paduan suara"}


async def test_a_group_that_nobody_could_name_is_asked_for_again_an_hour_later(
    site: Site, session: SessionRecord, streams: str
) -> None:
    async with owner(streams, AskFailed(code="TEMPORARY", detail="later")):
        await learn_subject(site.edge, session, TEAM)
    assert await known(site) == {}
    assert [await asked_after(site, hours=hours) for hours in (0.9, 1.1, 1.2)] == [False, True, False]


async def test_a_subject_holds_for_a_day(site: Site, session: SessionRecord, streams: str) -> None:
    async with owner(streams, FOUND):
        await learn_subject(site.edge, session, TEAM)
    assert [await asked_after(site, hours=hours) for hours in (23, 25)] == [False, True]
    assert (await known(site))[TEAM] == "Tim"


async def test_chats_have_the_names_of_groups_and_are_found_by_them(
    site: Site, session: SessionRecord, rows: Any, streams: str
) -> None:
    await keep(rows, group_row(site, session, TEAM, 1), group_row(site, session, CHOIR, 2))
    await observe(rows, session.id, "connected")
    async with owner(streams, FOUND) as asked:
        assert await chats(site) == ["Paduan suara", "Tim"]
        assert await chats(site) == ["Paduan suara", "Tim"]
    assert asked == [ListGroups(session_id=session.id)]
    assert [await chats(site, q=q) for q in ("suara", "TIM", "a.", "none")] == [["Paduan suara"], ["Tim"], [], []]
    one = await site.call("GET", f"/chats/{group_row(site, session, TEAM, 1).id}")
    assert one.json()["data"]["name"] == "Tim"


async def test_chats_are_listed_where_nobody_names_their_groups(site: Site, session: SessionRecord, rows: Any) -> None:
    await keep(rows, group_row(site, session, TEAM, 1))
    assert await chats(site) == [None]


def group_row(site: Site, session: SessionRecord, jid: str, seq: int) -> ChatRow:
    """The chat with a group, as status keeps it."""
    return msgspec.structs.replace(chat_row(site, session.id, jid, seq), chat_jid=jid, phone=None, name=None)


async def chats(site: Site, **query: str) -> list[Any]:
    """The names of the chats in the list."""
    return [each["name"] for each in (await site.call("GET", "/chats", params=query)).json()["chats"]]


async def asked_after(site: Site, *, hours: float) -> Any:
    """Whether WhatsApp would be asked when so much time has passed."""
    at = now() + timedelta(hours=hours)
    return await store_groups.may_ask(site.edge.database, site.account.customer_id, TEAM, at)
