"""Chats of customers: listed in pages, and read, which WhatsApp and status are told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libs.contracts.commands import ActOnMessage
from libs.contracts.content import Read
from libs.contracts.events import ChatRead
from libs.contracts.ids import new_message_id
from libs.runtime.mongo import to_document
from services.api.chats import reading
from tests.integration.api.chats import chat_row, facts, keep, line
from tests.integration.api.commands import commands, new_session
from tests.integration.api.edges import Site, refused, until
from tests.integration.api.messages import AT, message_row

PHONES = [f"62812000000{n:02}" for n in range(5)]


async def listed(site: Site, **query: Any) -> Any:
    answer = await site.call("GET", "/chats", params=query)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["chats"] == told["data"]
    return told


async def test_a_chat_is_shown_with_everything_that_is_known(site: Site, session_id: str, rows: Any) -> None:
    chat = chat_row(site, session_id, PHONES[0], lid="100000000000001@lid", unread=0, read_at=AT)
    await keep(rows, chat)
    (shown,) = (await listed(site))["chats"]
    assert shown == {
        "chatId": chat.id,
        "sessionId": session_id,
        "chat": PHONES[0],
        "jid": f"{PHONES[0]}@s.whatsapp.net",
        "phone": PHONES[0],
        "lid": "100000000000001@lid",
        "name": "Bu Sari",
        "isGroup": False,
        "lastMessage": {
            "messageId": "m1",
            "direction": "in",
            "type": "text",
            "text": "Halo",
            "at": "2026-01-02T03:04:06.000Z",
        },
        "unread": 0,
        "lastReadAt": "2026-01-02T03:04:05.000Z",
        "createdAt": "2026-01-02T03:04:05.000Z",
        "updatedAt": "2026-01-02T03:04:06.000Z",
    }
    assert (await site.call("GET", f"/chats/{chat.id}")).json()["data"] == shown


async def test_chats_come_in_pages_the_one_that_moved_last_first(site: Site, session_id: str, rows: Any) -> None:
    await keep(rows, *(chat_row(site, session_id, phone, n // 2) for n, phone in enumerate(PHONES)))
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await listed(site, limit=2, cursor=cursor)
        found += [(each["updatedAt"], each["chatId"]) for each in page["chats"]]
        cursor = page["pagination"]["next"]
    assert cursor is None
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(PHONES)


async def test_a_list_holds_what_is_asked_for(site: Site, session_id: str, rows: Any) -> None:
    other = await new_session(site, "Other")
    read = chat_row(site, session_id, PHONES[0], unread=0)
    gone = chat_row(site, session_id, PHONES[3], merged_into=read.id)
    await keep(rows, read, chat_row(site, session_id, PHONES[1], 2), chat_row(site, other, PHONES[2], 3), gone)
    found: dict[str, list[str]] = {}
    for name, query in {"all": {}, "unread": {"unread": True}, "read": {"unread": False}}.items():
        found[name] = [each["phone"] for each in (await listed(site, **query))["chats"]]
    found["session"] = [each["phone"] for each in (await listed(site, session="Other"))["chats"]]
    assert found == {
        "all": [PHONES[2], PHONES[1], PHONES[0]],
        "unread": [PHONES[2], PHONES[1]],
        "read": [PHONES[0]],
        "session": [PHONES[2]],
    }


@pytest.mark.parametrize(
    ("q", "found"),
    [
        pytest.param("sari", [PHONES[0]], id="a part of a name, whatever its case"),
        pytest.param("0812 0000 0001", [PHONES[1]], id="a number as it is dialled"),
        pytest.param("000002", [PHONES[2]], id="the end of a number"),
        pytest.param(".*", [], id="no pattern"),
        pytest.param(" ", [PHONES[2], PHONES[1], PHONES[0]], id="nothing"),
    ],
)
async def test_a_chat_is_found_by_a_part_of_its_name_or_number(
    site: Site, session_id: str, rows: Any, q: str, found: list[str]
) -> None:
    named = {PHONES[0]: "Bu Sari", PHONES[1]: "Pak Budi", PHONES[2]: None}
    await keep(
        rows, *(chat_row(site, session_id, phone, n, name=name) for n, (phone, name) in enumerate(named.items()))
    )
    assert [each["phone"] for each in (await listed(site, q=q))["chats"]] == found


async def test_a_search_goes_on_behind_its_cursor(site: Site, session_id: str, rows: Any) -> None:
    await keep(rows, *(chat_row(site, session_id, phone, n) for n, phone in enumerate(PHONES)))
    first = await listed(site, q="sari", limit=3)
    rest = await listed(site, q="sari", limit=3, cursor=first["pagination"]["next"])
    assert [each["phone"] for each in (*first["chats"], *rest["chats"])] == PHONES[::-1]


@pytest.mark.parametrize("written", ["s\0ari", "\0", "(sari", "\\", "[a-", "*"])
async def test_whatever_is_searched_for_is_searched_to_the_letter(
    site: Site, session_id: str, rows: Any, written: str
) -> None:
    await keep(rows, chat_row(site, session_id, PHONES[0]))
    found = (await listed(site, q=written))["chats"]
    assert len(found) == (1 if written.replace("\0", "") in ("sari", "") else 0)


async def test_a_chat_that_became_part_of_another_leads_there(site: Site, session_id: str, rows: Any) -> None:
    kept = chat_row(site, session_id, PHONES[0])
    await keep(rows, kept, chat_row(site, session_id, PHONES[1], merged_into=kept.id, id="chat_former"))
    assert (await site.call("GET", "/chats/chat_former")).json()["data"]["chatId"] == kept.id


@pytest.mark.parametrize("call", ["GET /chats/{id}", "POST /chats/{id}/read"])
async def test_anothers_chat_is_not_found(site: Site, session_id: str, rows: Any, call: str) -> None:
    chat = chat_row(site, session_id, PHONES[0], customer_id="cus_other")
    await keep(rows, chat)
    method, _, path = call.partition(" ")
    refused(await site.call(method, path.format(id=chat.id)), 404, "NOT_FOUND")
    assert (await listed(site))["chats"] == []


async def test_a_cursor_of_no_list_of_ours_is_refused(site: Site) -> None:
    refused(await site.call("GET", "/chats", params={"cursor": "x"}), 400, "VALIDATION_FAILED")


# --- Reading ---------------------------------------------------------------------------------------------------------


async def incoming(site: Site, session_id: str, rows: Any, number: int) -> str:
    """An incoming message of the first person; its id."""
    message_id = new_message_id()
    row = message_row(
        site,
        session_id,
        message_id,
        id=f"{session_id}/in/{number}",
        wa_id=f"W{number}",
        direction="in",
        from_=PHONES[0],
        to=None,
        chat=PHONES[0],
        chat_jid=f"{PHONES[0]}@s.whatsapp.net",
        status="received",
        created_at=line("in", number).at,
    )
    await rows.messages.insert_one(to_document(row))
    return message_id


async def test_reading_a_chat_tells_whatsapp_and_status_and_waits_for_it(
    site: Site, session_id: str, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SEEN_WITHIN_S", 25.0)
    ids = [await incoming(site, session_id, rows, number) for number in (1, 2, 3)]
    last = line("in", 3, message_id=ids[-1])
    chat = chat_row(site, session_id, PHONES[0], last=last, last_incoming=last, incoming=5, unread=2)
    await keep(rows, chat)
    request = asyncio.create_task(site.call("POST", f"/chats/{chat.id}/read"))

    async def told() -> bool:
        return bool(await facts(site))

    await until(told)
    (fact,) = await facts(site)
    assert isinstance(fact, ChatRead)
    assert (fact.chat_jid, fact.incoming, fact.session_id) == (chat.chat_jid, 5, session_id)
    await rows.chats.update_one({"_id": chat.id}, {"$set": {"unread": 0, "readAt": fact.at, "factSeq": 9}})
    answer = await request
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["unread"] == 0
    (command,) = await commands(site)
    assert isinstance(command, ActOnMessage)
    assert command.action == Read(wa_ids=["W3", "W2"], sender=chat.chat_jid)


async def test_a_chat_that_is_read_is_not_read_again(site: Site, session_id: str, rows: Any) -> None:
    chat = chat_row(site, session_id, PHONES[0], unread=0)
    await keep(rows, chat)
    assert (await site.call("POST", f"/chats/{chat.id}/read")).status_code == 200
    assert await facts(site) == await commands(site) == []


async def test_a_message_that_is_read_leaves_the_later_ones_of_its_chat_unread(
    site: Site, session_id: str, rows: Any
) -> None:
    ids = [await incoming(site, session_id, rows, number) for number in (1, 2, 3)]
    await keep(rows, chat_row(site, session_id, PHONES[0], incoming=7, unread=3))
    assert (await site.call("POST", f"/messages/{ids[0]}/read")).status_code == 202
    (fact,) = await facts(site)
    assert fact.incoming == 5
