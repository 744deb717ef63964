"""Reading messages: one wherever it is on its way, and many by filter, in pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts.ids import new_message_id
from libs.runtime.mongo import to_document
from services.api.messages import store_messages
from tests.integration.api.chats import chat_row, keep
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import AT, message_row, outbox_row, send, stored


async def test_an_accepted_message_is_known_at_once(site: Site, session_id: str) -> None:
    message_id = (await send(site, session_id)).json()["messageId"]
    answer = await site.call("GET", f"/messages/{message_id}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["status"] == "queued"
    assert answer.json()["data"]["text"] == "Halo"


async def test_a_message_in_the_outbox_is_known(site: Site, session_id: str, rows: Any) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id, waiting_for="session")))
    told = (await site.call("GET", f"/messages/{message_id}")).json()["data"]
    assert told["status"] == "queued"
    assert told["waitingFor"] == "session"
    assert [entry["status"] for entry in told["history"]] == ["queued"]


async def test_a_message_is_told_with_its_history(site: Site, session_id: str, rows: Any) -> None:
    message_id = new_message_id()
    await rows.messages.insert_one(to_document(message_row(site, session_id, message_id)))
    told = (await site.call("GET", f"/messages/{message_id}")).json()["data"]
    assert told["createdAt"] == "2026-01-02T03:04:05.000Z"
    assert told["history"] == [
        {"status": "queued", "at": "2026-01-02T03:04:05.000Z"},
        {"status": "sent", "at": "2026-01-02T03:04:05.000Z"},
    ]


@pytest.mark.parametrize("place", ["messages", "outbox", "nowhere"])
async def test_a_message_of_another_customer_is_not_found(site: Site, session_id: str, rows: Any, place: str) -> None:
    message_id = new_message_id()
    if place == "messages":
        await rows.messages.insert_one(to_document(message_row(site, session_id, message_id, customer_id="cus_other")))
    if place == "outbox":
        await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id, customer_id="cus_other")))
    refused(await site.call("GET", f"/messages/{message_id}"), 404, "MESSAGE_NOT_FOUND")
    refused(await site.call("DELETE", f"/messages/{message_id}"), 404, "MESSAGE_NOT_FOUND")
    refused(await site.call("POST", f"/messages/{message_id}/retry"), 404, "MESSAGE_NOT_FOUND")


async def test_messages_are_listed_newest_first_in_pages(site: Site, session_id: str, rows: Any) -> None:
    ids = [new_message_id() for _ in range(5)]
    times = [
        AT,
        AT + timedelta(seconds=1),
        AT + timedelta(seconds=1),
        AT + timedelta(seconds=1),
        AT + timedelta(hours=1),
    ]
    made = [message_row(site, session_id, one, created_at=at) for one, at in zip(ids, times, strict=True)]
    await rows.messages.insert_many([to_document(row) for row in made])
    listed: list[str] = []
    cursor = ""
    for size in (2, 2, 1):
        page = (await site.call("GET", "/messages", params={"limit": 2, "cursor": cursor})).json()
        assert len(page["messages"]) == size
        listed += [one["messageId"] for one in page["messages"]]
        cursor = page["pagination"]["next"] or ""
    assert cursor == ""
    expected = [row.message_id for row in sorted(made, key=lambda row: (row.created_at, row.id), reverse=True)]
    assert listed == expected


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        pytest.param({}, ["a", "b", "c"], id="all"),
        pytest.param({"status": "failed"}, ["b"], id="by status"),
        pytest.param({"direction": "in"}, ["c"], id="by direction"),
        pytest.param({"chat": "+628111111111"}, ["b"], id="by chat"),
        pytest.param({"q": "(WORLD) hello"}, ["a"], id="by words"),
        pytest.param({"q": "hello wor*"}, ["a"], id="by a word and the beginning of another"),
        pytest.param({"q": "hel"}, [], id="by what is no word"),
        pytest.param({"q": "halo", "status": "failed", "session": "Sales"}, ["b"], id="by several at once"),
        pytest.param({"type": "image"}, ["c"], id="by type"),
        pytest.param({"session": "Sales"}, ["a", "b"], id="by session name"),
        pytest.param({"from": "2026-01-02T03:04:06Z"}, ["b", "c"], id="since a time"),
        pytest.param({"to": "2026-01-02T03:04:06Z"}, ["a"], id="before a time"),
    ],
)
async def test_messages_are_listed_by_filter(
    site: Site, session_id: str, rows: Any, params: dict[str, str], wanted: list[str]
) -> None:
    later = AT + timedelta(minutes=1)
    made = {
        "a": message_row(site, session_id, new_message_id(), text="Hello (world)"),
        "b": message_row(site, session_id, new_message_id(), status="failed", chat="628111111111", created_at=later),
        "c": message_row(site, "other", new_message_id(), direction="in", type="image", created_at=later),
        "not mine": message_row(site, session_id, new_message_id(), customer_id="cus_other"),
        "a receipt's": replace(message_row(site, session_id, new_message_id()), message_id=None),
    }
    await rows.messages.insert_many([stored(row) for row in made.values()])
    answer = await site.call("GET", "/messages", params=params)
    assert answer.status_code == 200, answer.text
    names = {row.message_id: name for name, row in made.items()}
    assert sorted(names[one["messageId"]] for one in answer.json()["messages"]) == wanted


@pytest.mark.parametrize("asked", ["0811-1111-111", "10000001@lid"], ids=["by number", "by LID"])
@pytest.mark.parametrize("session", [{}, {"session": "Sales"}], ids=["of all sessions", "of one"])
async def test_a_chat_is_read_under_all_its_addresses(
    site: Site, session_id: str, rows: Any, asked: str, session: dict[str, str]
) -> None:
    shown = {"before": "10000001@lid", "since": "628111111111", "another": "628222222222"}
    made = {name: message_row(site, session_id, new_message_id(), chat=chat) for name, chat in shown.items()}
    await rows.messages.insert_many([stored(row) for row in made.values()])
    keys = [f"{session_id}/628111111111@s.whatsapp.net", f"{session_id}/10000001@lid"]
    await keep(rows, chat_row(site, session_id, "628111111111", keys=keys))
    answer = await site.call("GET", "/messages", params={"chat": asked, **session})
    listed = {one["messageId"] for one in answer.json()["messages"]}
    assert listed == {made["before"].message_id, made["since"].message_id}


async def test_whom_another_customer_knows_by_two_addresses_has_one_here(
    site: Site, session_id: str, rows: Any
) -> None:
    met = message_row(site, session_id, new_message_id(), chat="10000001@lid")
    await rows.messages.insert_one(stored(met))
    keys = [f"{session_id}/628111111111@s.whatsapp.net", f"{session_id}/10000001@lid"]
    await keep(rows, chat_row(site, session_id, "628111111111", keys=keys, customer_id="cus_other"))
    answer = await site.call("GET", "/messages", params={"chat": "628111111111"})
    assert answer.json()["messages"] == []


async def test_messages_are_found_by_the_ids_that_answers_name(site: Site, session_id: str, rows: Any) -> None:
    sent = message_row(site, session_id, new_message_id())
    received = message_row(site, session_id, new_message_id(), id=f"{session_id}/in/1", wa_id="W1", direction="in")
    elsewhere = message_row(site, "other", new_message_id(), id="other/in/1", wa_id="W1", direction="in")
    await rows.messages.insert_many([stored(row) for row in (sent, received, elsewhere)])
    found = await store_messages.messages_known_as(rows, session_id, {sent.wa_id, "W1", "W2"})
    assert {row.id for row in found} == {sent.id, received.id}
    assert await store_messages.messages_known_as(rows, session_id, set()) == []


@pytest.mark.parametrize(
    "params",
    [
        {"status": "nonsense"},
        {"cursor": "!!"},
        {"cursor": "YQ"},
        {"q": "!!!"},
        {"q": "ab*"},
        {"limit": 0},
        {"direction": "up"},
        {"from": "x"},
        {"to": "0001-01-01T00:00:00+14:00"},
    ],
)
async def test_a_wrong_question_is_refused(site: Site, params: dict[str, Any]) -> None:
    refused(await site.call("GET", "/messages", params=params), 400, "VALIDATION_FAILED")
