"""What is done to messages that exist: cancel, send again, edit, delete for everybody, mark as read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.commands import ActOnMessage, CancelMessage, RetryMessage
from libs.contracts.content import Edit, Read, Revoke
from libs.contracts.ids import new_message_id
from libs.contracts.records import MessageRow
from libs.runtime.mongo import to_document
from services.api.messages import changing
from tests.integration.api.commands import commands
from tests.integration.api.edges import BOUND_S, Site, refused
from tests.integration.api.frames import Publisher
from tests.integration.api.messages import AT, message_row, outbox_row, until_command

JID = "6281234567890@s.whatsapp.net"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes of a message is told by each test itself, however slow its machine."""
    monkeypatch.setattr(changing, "WAIT_S", 25.0)


async def test_a_waiting_message_is_cancelled(site: Site, session_id: str, rows: Any, status: Publisher) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id)))
    cancelling = asyncio.create_task(site.call("DELETE", f"/messages/{message_id}"))
    command = await until_command(site, CancelMessage)
    assert command.message_id == message_id
    await rows.outbox.update_one({"_id": message_id}, {"$set": {"status": "cancelled"}})
    await status.message(session_id, "cancelled", message_id=message_id)
    answer = await cancelling
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["status"] == "cancelled"
    assert (await site.call("DELETE", f"/messages/{message_id}")).status_code == 200


async def test_a_message_that_leaves_first_is_not_cancelled(
    site: Site, session_id: str, rows: Any, status: Publisher
) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id)))
    cancelling = asyncio.create_task(site.call("DELETE", f"/messages/{message_id}"))
    await until_command(site, CancelMessage)
    await rows.outbox.update_one({"_id": message_id}, {"$set": {"status": "sent", "handedOver": True}})
    await status.message(session_id, "sent", message_id=message_id)
    refused(await cancelling, 409, "MESSAGE_NOT_CANCELLABLE")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"status": "sending", "handed_over": True}, id="on its way"),
        pytest.param({"status": "queued", "handed_over": True}, id="perhaps on its way"),
        pytest.param({"status": "failed"}, id="failed"),
    ],
)
async def test_a_message_that_was_handed_over_cannot_be_cancelled(
    site: Site, session_id: str, rows: Any, row: dict[str, Any]
) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id, **row)))
    refused(await site.call("DELETE", f"/messages/{message_id}"), 409, "MESSAGE_NOT_CANCELLABLE")
    assert await commands(site) == []


async def test_a_failed_message_is_sent_again(site: Site, session_id: str, rows: Any, status: Publisher) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id, status="failed", code="REFUSED")))
    retrying = asyncio.create_task(site.call("POST", f"/messages/{message_id}/retry"))
    command = await until_command(site, RetryMessage)
    assert command.message_id == message_id
    await rows.outbox.update_one({"_id": message_id}, {"$set": {"status": "queued", "code": None}})
    await status.message(session_id, "queued", message_id=message_id)
    answer = await retrying
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["status"] == "queued"


@pytest.mark.parametrize("state", ["queued", "sending", "sent"])
async def test_a_message_that_did_not_fail_is_not_sent_again(
    site: Site, session_id: str, rows: Any, state: str
) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id, status=state)))
    refused(await site.call("POST", f"/messages/{message_id}/retry"), 409, "MESSAGE_NOT_RETRYABLE")
    assert await commands(site) == []


# --- Editing, deleting for everybody ---------------------------------------------------------------------------------


def left_just_now(site: Site, session_id: str, message_id: str, **more: Any) -> MessageRow:
    at = datetime.now(UTC)
    values: dict[str, Any] = {"chat_jid": JID, "created_at": at, "sent_at": at}
    return message_row(site, session_id, message_id, **values | more)


async def kept(rows: Any, row: MessageRow) -> str:
    await rows.messages.insert_one(to_document(row))
    assert row.message_id is not None
    return row.message_id


async def ended(site: Site, rows: Any, command: ActOnMessage, **more: Any) -> None:
    """sender has ended the action; its row says so before anybody is told."""
    values: dict[str, Any] = {"status": "sent", "finished_at": AT, "about": command.message_id, "content": None}
    row = outbox_row(site, command.session_id, command.action_id, **values | more)
    await rows.outbox.insert_one(to_document(row))


async def test_an_edit_is_told_to_sender_and_shown_when_it_is_done(
    site: Site, session_id: str, rows: Any, status: Publisher
) -> None:
    row = left_just_now(site, session_id, new_message_id())
    message_id = await kept(rows, row)
    waiting = {"Prefer": "wait=25"}
    editing = asyncio.create_task(
        site.call("PATCH", f"/messages/{message_id}", json={"text": "Halo lagi"}, headers=waiting)
    )
    command = await until_command(site, ActOnMessage)
    assert command.message_id == message_id
    assert (command.to, command.action) == (JID, Edit(wa_id=row.wa_id, text="Halo lagi"))
    assert row.sent_at is not None
    assert command.expires_at is not None
    assert timedelta(minutes=19, seconds=59) < command.expires_at - row.sent_at <= timedelta(minutes=20)
    await ended(site, rows, command)
    await rows.messages.update_one({"messageId": message_id}, {"$set": {"text": "Halo lagi", "editedAt": AT}})
    await status.message(session_id, "edited", message_id=message_id)
    answer = await editing
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["text"] == "Halo lagi"
    assert answer.json()["data"]["editedAt"] == "2026-01-02T03:04:05.000Z"


async def test_an_edit_that_nobody_waits_for_is_accepted(site: Site, session_id: str, rows: Any) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), type="image", caption="Foto"))
    answer = await site.call("PATCH", f"/messages/{message_id}", json={"text": "Foto baru"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["caption"] == "Foto"
    (command,) = await commands(site)
    assert isinstance(command, ActOnMessage)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({"text": "Halo"}, "Halo", id="a text"),
        pytest.param({"type": "image", "text": None, "caption": "Foto"}, "Foto", id="a caption"),
    ],
)
async def test_an_edit_that_changes_nothing_is_sent_and_ends_its_wait_without_a_frame(
    site: Site, session_id: str, rows: Any, row: dict[str, Any], words: str
) -> None:
    """Another edit may be on its way that neither the message nor the outbox shows yet."""
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), **row))
    edit = site.call("PATCH", f"/messages/{message_id}", json={"text": words}, headers={"Prefer": "wait=60"})
    editing = asyncio.create_task(edit)
    await ended(site, rows, await until_command(site, ActOnMessage))
    answer = await asyncio.wait_for(editing, BOUND_S)
    assert (answer.status_code, answer.json()["message"]) == (200, "Message edited")


@pytest.mark.parametrize(
    ("method", "body", "change"),
    [
        pytest.param("PATCH", {"text": "Baru"}, {"text": "Baru"}, id="an edit"),
        pytest.param("DELETE", None, {"revokedAt": AT}, id="a deletion"),
    ],
)
async def test_what_was_done_meanwhile_by_another_ends_the_wait(
    site: Site, session_id: str, rows: Any, method: str, body: Any, change: dict[str, Any]
) -> None:
    """No frame tells of the second of two that say the same: the first has changed everything."""
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), text="Halo"))
    asking = asyncio.create_task(site.call(method, f"/messages/{message_id}", json=body, headers={"Prefer": "wait=60"}))
    command = await until_command(site, ActOnMessage)
    await rows.messages.update_one({"messageId": message_id}, {"$set": change})
    ended = outbox_row(site, session_id, command.action_id, status="sent", finished_at=AT)
    await rows.outbox.insert_one(to_document(ended))
    answer = await asyncio.wait_for(asking, BOUND_S)
    assert answer.status_code == 200, answer.text


async def test_an_edit_that_failed_says_why(site: Site, session_id: str, rows: Any, status: Publisher) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id()))
    waiting = {"Prefer": "wait=25"}
    editing = asyncio.create_task(site.call("PATCH", f"/messages/{message_id}", json={"text": "x"}, headers=waiting))
    command = await until_command(site, ActOnMessage)
    await ended(site, rows, command, status="failed", code="REFUSED", detail="It did not work.")
    await status.message(session_id, "edit_failed", message_id=message_id, code="REFUSED")
    assert "It did not work" in refused(await editing, 422, "REFUSED")["message"]


@pytest.mark.parametrize(
    ("method", "body", "told", "change"),
    [
        pytest.param("PATCH", {"text": "two"}, "edited", {"text": "one", "editedAt": AT}, id="other words"),
        pytest.param("PATCH", {"text": "two"}, "edit_failed", {}, id="another edit that failed"),
        pytest.param("DELETE", None, "revoke_failed", {}, id="another deletion that failed"),
        pytest.param("PATCH", {"text": "two"}, "edited", {"text": "two", "editedAt": AT}, id="the same words"),
    ],
)
async def test_what_another_action_did_ends_no_wait(
    site: Site, session_id: str, rows: Any, status: Publisher, method: str, body: Any, told: str, change: dict[str, Any]
) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), text="zero"))
    waiting = {"Prefer": "wait=25"}
    asking = asyncio.create_task(site.call(method, f"/messages/{message_id}", json=body, headers=waiting))
    command = await until_command(site, ActOnMessage)
    if change:
        await rows.messages.update_one({"messageId": message_id}, {"$set": change})
    await status.message(session_id, told, message_id=message_id, code="REFUSED" if "failed" in told else None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asking), 2)
    await ended(site, rows, command)
    done = {"text": "two", "editedAt": AT} if method == "PATCH" else {"revokedAt": AT}
    await rows.messages.update_one({"messageId": message_id}, {"$set": done})
    answer = await asking
    assert answer.status_code == 200, answer.text
    assert method == "DELETE" or answer.json()["data"]["text"] == "two"


@pytest.mark.parametrize(
    ("change", "applied"),
    [
        pytest.param({"text": "three", "editedAt": AT + timedelta(seconds=1)}, False, id="by a later edit"),
        pytest.param({"text": "three", "editedAt": AT}, True, id="by an edit of the same second"),
        pytest.param({"text": None, "revokedAt": AT}, False, id="by a deletion"),
    ],
)
async def test_an_edit_that_was_overtaken_is_done(
    site: Site, session_id: str, rows: Any, change: dict[str, Any], applied: bool
) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), text="one"))
    waiting = {"Prefer": "wait=25"}
    asking = asyncio.create_task(site.call("PATCH", f"/messages/{message_id}", json={"text": "two"}, headers=waiting))
    command = await until_command(site, ActOnMessage)
    await ended(site, rows, command)
    entry = {"status": "edited", "at": AT, "factSeq": 1, "factId": f"{command.action_id}/done/1-1"}
    history = {"history": [entry]} if applied else {}
    await rows.messages.update_one({"messageId": message_id}, {"$set": change | history})
    answer = await asyncio.wait_for(asking, BOUND_S)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"direction": "in"}, "it came in", id="somebody else's"),
        pytest.param({"status": "queued"}, "it is queued", id="one that waits"),
        pytest.param({"status": "failed"}, "it is failed", id="one that failed"),
        pytest.param({"type": "sticker"}, "of the type sticker", id="one without words"),
        pytest.param({"type": "image"}, "no caption", id="an image without a caption"),
        pytest.param({"revoked_at": AT}, "deleted", id="a deleted one"),
        pytest.param({"sent_at": AT}, "15 minutes", id="an old one"),
    ],
)
async def test_what_cannot_be_edited_is_refused_with_the_reason(
    site: Site, session_id: str, rows: Any, change: dict[str, Any], reason: str
) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), **change))
    answer = await site.call("PATCH", f"/messages/{message_id}", json={"text": "x"})
    assert reason in refused(answer, 409, "MESSAGE_NOT_EDITABLE")["message"]
    assert await commands(site) == []


async def test_a_caption_keeps_its_limit_when_it_is_edited(site: Site, session_id: str, rows: Any) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), type="image", caption="Foto"))
    answer = await site.call("PATCH", f"/messages/{message_id}", json={"text": "x" * 4_097})
    refused(answer, 400, "VALIDATION_FAILED")


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  "}, {"text": "x", "caption": "y"}, []])
async def test_an_edit_without_words_is_refused(site: Site, session_id: str, rows: Any, body: Any) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id()))
    refused(await site.call("PATCH", f"/messages/{message_id}", json=body), 400, "VALIDATION_FAILED")


async def test_a_message_that_has_left_is_deleted_for_everybody(
    site: Site, session_id: str, rows: Any, status: Publisher
) -> None:
    row = left_just_now(site, session_id, new_message_id(), status="read")
    message_id = await kept(rows, row)
    deleting = asyncio.create_task(site.call("DELETE", f"/messages/{message_id}", headers={"Prefer": "wait=25"}))
    command = await until_command(site, ActOnMessage)
    assert command.action == Revoke(wa_id=row.wa_id, sender=None)
    await ended(site, rows, command)
    await rows.messages.update_one({"messageId": message_id}, {"$set": {"revokedAt": AT}})
    await status.message(session_id, "revoked", message_id=message_id)
    answer = await deleting
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["revokedAt"] == "2026-01-02T03:04:05.000Z"
    again = await site.call("DELETE", f"/messages/{message_id}")
    assert again.status_code == 200
    assert len(await commands(site)) == 1


async def test_an_admin_deletes_somebody_elses_message_in_a_group(site: Site, session_id: str, rows: Any) -> None:
    group = "120363021234567890@g.us"
    row = left_just_now(
        site, session_id, new_message_id(), direction="in", from_="628111111111", chat=group, chat_jid=group
    )
    assert (await site.call("DELETE", f"/messages/{await kept(rows, row)}")).status_code == 202
    (command,) = await commands(site)
    assert isinstance(command, ActOnMessage)
    assert command.action == Revoke(wa_id=row.wa_id, sender="628111111111@s.whatsapp.net")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"direction": "in", "from_": "628111111111"}, "not in a group", id="a person's"),
        pytest.param({"type": "reaction"}, "empty emoji", id="a reaction"),
        pytest.param({"sent_at": AT}, "60 hours", id="an old one"),
    ],
)
async def test_what_cannot_be_deleted_is_refused_with_the_reason(
    site: Site, session_id: str, rows: Any, change: dict[str, Any], reason: str
) -> None:
    message_id = await kept(rows, left_just_now(site, session_id, new_message_id(), **change))
    answer = await site.call("DELETE", f"/messages/{message_id}")
    assert reason in refused(answer, 409, "MESSAGE_NOT_DELETABLE")["message"]
    assert await commands(site) == []


# --- Marking as read -------------------------------------------------------------------------------------------------


async def test_a_message_is_marked_as_read_with_those_before_it_by_sender(
    site: Site, session_id: str, rows: Any
) -> None:
    group = "120363021234567890@g.us"
    people = ["628111111111", "628222222222", "628111111111", "628111111111"]
    made = [
        message_row(
            site,
            session_id,
            new_message_id(),
            direction="in",
            from_=person,
            chat=group,
            chat_jid=group,
            created_at=AT + timedelta(seconds=number),
        )
        for number, person in enumerate(people)
    ]
    elsewhere = message_row(site, session_id, new_message_id(), direction="in", from_="628111111111")
    await rows.messages.insert_many([to_document(row) for row in [*made, elsewhere]])
    answer = await site.call("POST", f"/messages/{made[2].message_id}/read")
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"] == {"messages": 3}
    told = [command.action for command in await commands(site) if isinstance(command, ActOnMessage)]
    assert {(action.sender, tuple(action.wa_ids)) for action in told if isinstance(action, Read)} == {
        ("628111111111@s.whatsapp.net", (made[2].wa_id, made[0].wa_id)),
        ("628222222222@s.whatsapp.net", (made[1].wa_id,)),
    }


async def test_a_read_mark_that_is_waited_for_tells_when_it_was_done(site: Site, session_id: str, rows: Any) -> None:
    message_id = await kept(rows, message_row(site, session_id, new_message_id(), direction="in", from_="62811"))
    waiting = {"Prefer": "wait=25"}
    marking = asyncio.create_task(site.call("POST", f"/messages/{message_id}/read", headers=waiting))
    command = await until_command(site, ActOnMessage)
    row = outbox_row(site, session_id, command.action_id, content=command.action, about=message_id, finished_at=AT)
    await rows.outbox.insert_one(to_document(row))
    assert (await marking).status_code == 200
    refused(await site.call("GET", f"/messages/{command.action_id}"), 404, "MESSAGE_NOT_FOUND")


async def test_our_own_message_is_not_marked_as_read(site: Site, session_id: str, rows: Any) -> None:
    message_id = await kept(rows, message_row(site, session_id, new_message_id()))
    refused(await site.call("POST", f"/messages/{message_id}/read"), 409, "MESSAGE_NOT_INCOMING")


@pytest.mark.parametrize(("method", "path"), [("PATCH", ""), ("DELETE", ""), ("POST", "/read"), ("POST", "/retry")])
async def test_another_customers_message_is_not_found(
    site: Site, session_id: str, rows: Any, method: str, path: str
) -> None:
    message_id = await kept(rows, message_row(site, session_id, new_message_id(), customer_id="cus_other"))
    body = {"json": {"text": "x"}} if method == "PATCH" else {}
    refused(await site.call(method, f"/messages/{message_id}{path}", **body), 404, "MESSAGE_NOT_FOUND")
