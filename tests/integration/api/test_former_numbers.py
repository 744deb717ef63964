"""Another number was linked since: what belongs to the former one is refused, named, or waits for a decision."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.commands import ActOnMessage, DiscardQueue, ReleaseQueue, SendMessage
from libs.contracts.content import Reaction, Read
from libs.contracts.ids import new_message_id
from libs.contracts.records import LinkedNumber, MessageRow, SessionState
from libs.runtime.mongo import to_document
from tests.integration.api.commands import commands
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import TEXT, message_row, outbox_row, send, until_command

A, B, GROUP = "6281111111111", "6282222222222", "120363000000000000@g.us"
NOW = datetime.now(UTC)
LINKED_A, LINKED_B = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
UNDER_A, UNDER_B = NOW - timedelta(minutes=61), NOW - timedelta(minutes=2)


def state(site: Site, session_id: str, **fields: Any) -> SessionState:
    numbers = [LinkedNumber(number=A, since=LINKED_A), LinkedNumber(number=B, since=LINKED_B)]
    values: dict[str, Any] = {"status": "connected", "linked": True, "phone": B, "link": 2, "numbers": numbers}
    return SessionState(
        id=session_id,
        customer_id=site.account.customer_id,
        network="scripted",
        shard=0,
        updated_at=NOW,
        **{**values, **fields},
    )


@pytest.fixture
async def relinked(site: Site, session_id: str, rows: Any) -> str:
    """A session that A was linked to, and then B."""
    await rows.session_states.insert_one(to_document(state(site, session_id)))
    return session_id


async def message_of(site: Site, rows: Any, session_id: str, number: str | None, **fields: Any) -> str:
    at = UNDER_B if number == B else UNDER_A
    values: dict[str, Any] = {"chat_jid": "6281234567890@s.whatsapp.net", "number": number}
    row = message_row(site, session_id, new_message_id(), **{**values, "created_at": at, "sent_at": at, **fields})
    await rows.messages.insert_one(to_document(row))
    assert row.message_id is not None
    return row.message_id


async def incoming(site: Site, rows: Any, session_id: str, number: str | None, **fields: Any) -> str:
    message_id = new_message_id()
    values = {"id": f"{session_id}/in/{message_id}", "direction": "in", "from_": "6281234567890", "wa_id": message_id}
    about = {"sent_at": None, "to": None, "status": "received", **values, **fields}
    row: MessageRow = message_row(
        site,
        session_id,
        message_id,
        created_at=UNDER_B if number == B else UNDER_A,
        number=number,
        **{"chat_jid": "6281234567890@s.whatsapp.net", **about},
    )
    await rows.messages.insert_one(to_document(row))
    return message_id


@pytest.mark.parametrize("number", [pytest.param(A, id="noted"), pytest.param(None, id="an old row")])
async def test_what_a_former_number_sent_is_neither_edited_nor_deleted(
    site: Site, relinked: str, rows: Any, number: str | None
) -> None:
    recent = {"sent_at": NOW - timedelta(minutes=1)} if number else {}
    message_id = await message_of(site, rows, relinked, number, **recent)
    if number:
        refused(await site.call("PATCH", f"/messages/{message_id}", json={"text": "x"}), 409, "OTHER_NUMBER")
    told = refused(await site.call("DELETE", f"/messages/{message_id}"), 409, "OTHER_NUMBER")
    assert "another number" in told["message"]
    answer = await site.call("DELETE", f"/messages/{message_id}", headers={"Accept-Language": "id"})
    assert "nomor lain" in refused(answer, 409, "OTHER_NUMBER")["message"]
    assert await commands(site) == []


async def test_what_the_present_number_sent_is_deleted_by_it_alone(site: Site, relinked: str, rows: Any) -> None:
    message_id = await message_of(site, rows, relinked, B)
    assert (await site.call("DELETE", f"/messages/{message_id}")).status_code == 202
    assert (await until_command(site, ActOnMessage)).number == B


async def test_a_session_that_was_never_linked_anew_owns_its_old_messages(
    site: Site, session_id: str, rows: Any
) -> None:
    old = state(site, session_id, phone=A, link=1, numbers=None, linked_at=LINKED_B)
    await rows.session_states.insert_one(to_document(old))
    message_id = await message_of(site, rows, session_id, None)
    assert (await site.call("DELETE", f"/messages/{message_id}")).status_code == 202


async def test_what_was_linked_anew_before_numbers_were_noted_is_not_assumed_to_be_the_same(
    site: Site, session_id: str, rows: Any
) -> None:
    old = state(site, session_id, phone=B, link=3, numbers=None, linked_at=LINKED_B)
    await rows.session_states.insert_one(to_document(old))
    message_id = await message_of(site, rows, session_id, None)
    refused(await site.call("DELETE", f"/messages/{message_id}"), 409, "OTHER_NUMBER")
    refused(await send(site, session_id, {**TEXT, "replyTo": message_id}), 409, "OTHER_NUMBER")


async def test_read_marks_are_for_what_the_present_number_received(site: Site, relinked: str, rows: Any) -> None:
    former = await incoming(site, rows, relinked, A)
    refused(await site.call("POST", f"/messages/{former}/read"), 409, "OTHER_NUMBER")
    present = await incoming(site, rows, relinked, B)
    answer = await site.call("POST", f"/messages/{present}/read")
    assert answer.json()["data"] == {"messages": 1}
    mark = await until_command(site, ActOnMessage)
    assert isinstance(mark.action, Read)
    assert (mark.action.wa_ids, mark.number) == ([present], B)


async def test_an_answer_to_a_former_number_names_it_as_the_author(site: Site, relinked: str, rows: Any) -> None:
    former = await message_of(site, rows, relinked, A)
    assert (await send(site, relinked, {**TEXT, "replyTo": former})).status_code == 202
    command = await until_command(site, SendMessage)
    assert command.context is not None
    assert command.context.quote is not None
    assert (command.context.quote.number, command.context.quote.sender) == (A, None)


async def test_a_reaction_reaches_a_former_numbers_message_in_groups_alone(
    site: Site, relinked: str, rows: Any
) -> None:
    for former in (await message_of(site, rows, relinked, A), await incoming(site, rows, relinked, A)):
        refused(
            await send(site, relinked, {"type": "reaction", "messageId": former, "emoji": "👍"}), 409, "OTHER_NUMBER"
        )
    in_group = await message_of(site, rows, relinked, A, chat=GROUP, chat_jid=GROUP, to=GROUP)
    answer = await send(site, relinked, {"type": "reaction", "messageId": in_group, "emoji": "👍"})
    assert answer.status_code == 202, answer.text
    content = (await until_command(site, SendMessage)).content
    assert isinstance(content, Reaction)
    assert content.sender == f"{A}@s.whatsapp.net"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"handed_over": True, "code": "OUTCOME_UNKNOWN"}, id="it may have left"),
        pytest.param({"content": Reaction(wa_id="3EB0", emoji="👍")}, id="a reaction"),
    ],
)
async def test_what_could_be_shown_twice_is_not_sent_again_from_another_number(
    site: Site, relinked: str, rows: Any, row: dict[str, Any]
) -> None:
    message_id = new_message_id()
    failed = outbox_row(site, relinked, message_id, status="failed", accepted_at=UNDER_A, **row)
    await rows.outbox.insert_one(to_document(failed))
    refused(await site.call("POST", f"/messages/{message_id}/retry"), 409, "OTHER_NUMBER")
    assert await commands(site) == []


# --- What waits for a decision ---------------------------------------------------------------------------------------


async def undecided(site: Site, rows: Any, session_id: str, number: int) -> list[str]:
    """So many messages that wait, and what sender has noted of them."""
    shard = (await rows.sessions.find_one({"_id": session_id}))["shard"]
    ids = [new_message_id() for _ in range(number)]
    held = [outbox_row(site, session_id, each, shard=shard, waiting_for="former_number") for each in ids]
    await rows.outbox.insert_many([to_document(row) for row in held])
    note = {"customerId": site.account.customer_id, "open": number, "undecided": number}
    await rows.queue_depths.update_one({"_id": session_id}, {"$set": note}, upsert=True)
    return ids


@pytest.mark.parametrize(
    ("decision", "kind", "said"),
    [
        pytest.param("release", ReleaseQueue, "Messages released", id="released"),
        pytest.param("discard", DiscardQueue, "Messages cancelled", id="discarded"),
    ],
)
async def test_the_customer_decides_what_becomes_of_what_waits(
    site: Site, relinked: str, rows: Any, decision: str, kind: type[Any], said: str
) -> None:
    await undecided(site, rows, relinked, 2)
    health = (await site.call("GET", f"/sessions/{relinked}/health")).json()["data"]
    assert (health["queueDepth"], health["awaitingDecision"], health["waitingFor"]) == (2, 2, "former_number")
    deciding = asyncio.create_task(site.call("POST", f"/sessions/{relinked}/queue/{decision}"))
    command = await until_command(site, kind)
    assert (command.session_id, command.number) == (relinked, B)
    await rows.outbox.update_many({}, {"$set": {"waitingFor": None}})
    await rows.queue_depths.update_many({}, {"$set": {"undecided": 0}})
    answer = await deciding
    assert answer.status_code == 200, answer.text
    assert (answer.json()["data"], answer.json()["message"]) == ({"messages": 2}, said)


async def test_nothing_to_decide_is_nothing_done(site: Site, relinked: str) -> None:
    answer = await site.call("POST", f"/sessions/{relinked}/queue/release")
    assert (answer.status_code, answer.json()["data"]) == (200, {"messages": 0})
    assert await commands(site) == []


async def test_a_message_says_that_it_waits_for_a_decision(site: Site, relinked: str, rows: Any) -> None:
    (message_id,) = await undecided(site, rows, relinked, 1)
    assert (await site.call("GET", f"/messages/{message_id}")).json()["data"]["waitingFor"] == "former_number"
