"""The single-session admin dashboard: who may, its pages, its counts, and a reply that goes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.commands import SendMessage
from libs.contracts.content import Text
from libs.contracts.ids import new_message_id
from libs.runtime.mongo import to_document
from services.api.platform import store_admin
from tests.integration.api.chats import chat_row, keep
from tests.integration.api.commands import commands, new_session
from tests.integration.api.edges import OWNER_PASSWORD, Site, refused
from tests.integration.api.messages import AT, message_row

PHONES = [f"62812000000{n:02}" for n in range(5)]


@pytest.fixture
async def admin(site: Site) -> dict[str, str]:
    """The administrator's credential, as the dashboard sends it."""
    body = {"username": site.account.admin_email, "password": OWNER_PASSWORD}
    answer = await site.client.post("/api/admin/login", json=body)
    return {"Authorization": f"Bearer {answer.json()['data']['token']}", "X-API-Key": ""}


async def got(site: Site, admin: dict[str, str], path: str, **query: Any) -> Any:
    answer = await site.client.get(path, headers=admin, params=query)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"success", "data"}
    return answer.json()["data"]


async def sent(site: Site, session_id: str, rows: Any, number: int, **fields: Any) -> str:
    message_id = new_message_id()
    row = message_row(site, session_id, message_id, **{"created_at": AT + timedelta(seconds=number), **fields})
    await rows.messages.insert_one(to_document(row))
    return message_id


async def one_of_each(site: Site, session_id: str, rows: Any) -> dict[str, str]:
    """A message in each status, and one that came in; their ids by status."""
    statuses = ["queued", "sending", "sent", "delivered", "read", "played", "failed", "cancelled", "expired"]
    ids = {each: await sent(site, session_id, rows, n, status=each) for n, each in enumerate(statuses)}
    ids["scheduled"] = await sent(site, session_id, rows, 20, status="queued", waiting_for="schedule")
    await sent(site, session_id, rows, 21, direction="in", status="received")
    early = message_row(site, session_id, new_message_id(), status="delivered", created_at=AT)
    await rows.messages.insert_one({**to_document(early), "messageId": None})
    await sent(site, session_id, rows, 23, customer_id="cus_other")
    return ids


# --- Messages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("PENDING", ["scheduled", "sending"]),
        ("QUEUED", ["queued"]),
        ("SENT", ["played", "read", "delivered", "sent"]),
        ("failed", ["expired", "cancelled", "failed"]),
        (
            "",
            ["scheduled", "expired", "cancelled", "failed", "played", "read", "delivered", "sent", "sending", "queued"],
        ),
    ],
)
async def test_messages_are_found_by_their_status_newest_first(
    site: Site, session_id: str, rows: Any, admin: dict[str, str], status: str, expected: list[str]
) -> None:
    ids = await one_of_each(site, session_id, rows)
    data = await got(site, admin, "/api/admin/messages", status=status)
    assert [each["id"] for each in data["messages"]] == [ids[name] for name in expected]
    assert data["pagination"] == {"page": 1, "limit": 20, "total": len(expected), "totalPages": 1}


async def test_messages_come_in_numbered_pages_of_bounded_cost(
    site: Site, session_id: str, rows: Any, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [await sent(site, session_id, rows, number) for number in range(5)]
    data = await got(site, admin, "/api/admin/messages", page=2, limit=2)
    assert [each["id"] for each in data["messages"]] == [ids[2], ids[1]]
    assert data["pagination"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    refusal = await site.client.get("/api/admin/messages", headers=admin, params={"page": 101, "limit": 100})
    refused(refusal, 400, "VALIDATION_FAILED")
    monkeypatch.setattr(store_admin, "MOST_PAGED", 3)
    assert (await got(site, admin, "/api/admin/messages", limit=2))["pagination"]["total"] == 3


async def test_the_status_of_a_message_is_told_to_its_customer_and_to_the_administrator(
    site: Site, session_id: str, rows: Any, admin: dict[str, str]
) -> None:
    message_id = await sent(site, session_id, rows, 1)
    data = await got(site, admin, f"/api/messages/status/{message_id}")
    assert (data["status"], data["userId"], data["phoneNumber"]) == ("SENT", site.account.customer_id, "6281234567890")
    assert (await site.call("GET", f"//api/messages/status/{message_id}")).json()["data"] == data
    incoming = await sent(site, session_id, rows, 2, direction="in", status="received")
    for unknown in (incoming, new_message_id()):
        answer = await site.client.get(f"/api/messages/status/{unknown}", headers=admin)
        refused(answer, 404, "MESSAGE_NOT_FOUND")


# --- Chats -----------------------------------------------------------------------------------------------------------


async def test_the_first_page_counts_chats_and_messages(
    site: Site, session_id: str, rows: Any, admin: dict[str, str]
) -> None:
    await one_of_each(site, session_id, rows)
    other, at = await new_session(site, "Other"), datetime.now(UTC)
    await keep(
        rows,
        chat_row(site, session_id, PHONES[0], moved_at=at),
        chat_row(site, session_id, PHONES[1], moved_at=at - timedelta(days=29), unread=0),
        chat_row(site, session_id, PHONES[2], moved_at=at - timedelta(days=31), unread=0),
        chat_row(site, session_id, PHONES[3], moved_at=at, merged_into="chat_x"),
        chat_row(site, other, PHONES[4], moved_at=at),
    )
    data = await got(site, admin, "/api/admin/dashboard")
    assert data["chats"] == {"total": 3, "unread": 1, "active": 2, "archived": 1}
    assert data["messages"] == {"pending": 2, "queued": 1, "sent": 5, "failed": 3}, "a receipt's row counts as sent"
    assert data["whatsapp"] == {"connected": False, "state": "DISCONNECTED", "hasQR": False}


async def test_without_a_session_everything_is_empty(site: Site, rows: Any, admin: dict[str, str]) -> None:
    data = await got(site, admin, "/api/admin/dashboard")
    assert data["chats"] == {"total": 0, "unread": 0, "active": 0, "archived": 0}
    assert (await got(site, admin, "/api/admin/chats"))["chats"] == []


async def test_chats_of_the_default_session_are_listed_by_whether_they_are_read(
    site: Site, session_id: str, rows: Any, admin: dict[str, str]
) -> None:
    other = await new_session(site, "Other")
    chats = [chat_row(site, session_id, PHONES[0], 1, unread=0), chat_row(site, session_id, PHONES[1], 2)]
    await keep(rows, *chats, chat_row(site, other, PHONES[2], 3))
    queries = {"all": {}, "unread": {"isRead": "false"}, "read": {"isRead": "true"}, "page": {"limit": 1, "page": 2}}
    found = {
        name: [each["phoneNumber"] for each in (await got(site, admin, "/api/admin/chats", **query))["chats"]]
        for name, query in queries.items()
    }
    assert found == {
        "all": [PHONES[1], PHONES[0]],
        "unread": [PHONES[1]],
        "read": [PHONES[0]],
        "page": [PHONES[0]],
    }
    (shown,) = (await got(site, admin, "/api/admin/chats", isRead="false"))["chats"]
    assert set(shown) == {
        *("id", "phoneNumber", "message", "messageType", "isRead", "isTriggered", "createdAt", "updatedAt")
    }


async def test_a_reply_is_sent_from_the_number_that_was_written_to(
    site: Site, session_id: str, rows: Any, admin: dict[str, str]
) -> None:
    chat = chat_row(site, session_id, PHONES[0], unread=0)
    await keep(rows, chat)
    answer = await site.client.post(f"/api/admin/chats/{chat.id}/reply", headers=admin, json={"message": "Buka."})
    assert answer.status_code == 200, answer.text
    (command,) = await commands(site)
    assert isinstance(command, SendMessage)
    assert (command.to, command.content, command.session_id) == (chat.chat_jid, Text(text="Buka."), session_id)
    data = answer.json()["data"]
    assert (data["id"], data["status"], data["message"]) == (command.message_id, "QUEUED", "Buka.")


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"message": "  "}, {"message": 7}], ids=str)
async def test_a_reply_without_words_is_refused(
    site: Site, session_id: str, rows: Any, admin: dict[str, str], body: dict[str, Any]
) -> None:
    chat = chat_row(site, session_id, PHONES[0])
    await keep(rows, chat)
    answer = await site.client.post(f"/api/admin/chats/{chat.id}/reply", headers=admin, json=body)
    refused(answer, 400, "VALIDATION_FAILED")
    assert await commands(site) == []


async def test_a_reply_to_anothers_chat_is_refused(
    site: Site, session_id: str, rows: Any, admin: dict[str, str]
) -> None:
    chat = chat_row(site, session_id, PHONES[0], customer_id="cus_other")
    await keep(rows, chat)
    answer = await site.client.post(f"/api/admin/chats/{chat.id}/reply", headers=admin, json={"message": "Halo"})
    refused(answer, 404, "NOT_FOUND")


# --- Who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["dashboard", "messages", "chats"])
async def test_only_the_platforms_users_see_these_pages(site: Site, path: str) -> None:
    owner = {"Authorization": f"Bearer {await site.sign_in()}"}
    refused(await site.client.get(f"/api/admin/{path}", headers=owner), 403, "FORBIDDEN")
    refused(await site.client.get(f"/api/admin/{path}"), 401, "UNAUTHORIZED")


async def test_templates_are_the_default_customers(site: Site, admin: dict[str, str]) -> None:
    body = {"name": "Greeting", "content": "Halo {{name}}", "variables": ["name"]}
    made = await site.client.post("/api/templates", headers=admin, json=body)
    assert made.status_code == 200, made.text
    template = made.json()["data"]
    assert (await got(site, admin, "/api/templates")) == [template]
    assert (await site.call("GET", "/templates")).json()["data"] == [template]
    path = f"/api/templates/{template['id']}"
    changed = await site.client.put(path, headers=admin, json={**body, "content": "Hai {{who}}"})
    assert changed.json()["data"]["variables"] == ["who"]
    assert (await got(site, admin, path))["content"] == "Hai {{who}}"
    assert (await site.client.delete(path, headers=admin)).status_code == 200
    refused(await site.client.get(path, headers=admin), 404, "NOT_FOUND")
    refused(await site.client.get("/api/templates"), 401, "UNAUTHORIZED")


async def test_support_may_look_and_change_nothing(
    site: Site, session_id: str, rows: Any, admin: dict[str, str]
) -> None:
    await rows.users.update_one({"email": site.account.admin_email}, {"$set": {"role": "support"}})
    chat = chat_row(site, session_id, PHONES[0])
    await keep(rows, chat)
    assert (await site.client.get("/api/admin/chats", headers=admin)).status_code == 200
    answer = await site.client.post(f"/api/admin/chats/{chat.id}/reply", headers=admin, json={"message": "Halo"})
    refused(answer, 403, "FORBIDDEN")
    answer = await site.client.post("/api/templates", headers=admin, json={"name": "A", "content": "B"})
    refused(answer, 403, "FORBIDDEN")
