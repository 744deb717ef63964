"""Idempotency keys: the same key gives the same message, whatever went wrong in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libs.contracts.content import Text
from libs.contracts.ids import new_message_id
from libs.runtime.bus import PublishUnclear
from libs.runtime.mongo import to_document
from tests.integration.api.commands import commands, only_send
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import PNG, TEXT, encoded, message_row, outbox_row, send


async def test_the_same_key_gives_the_same_message(site: Site, session_id: str) -> None:
    first = await send(site, session_id, Idempotency_Key="order-17")
    second = await send(site, session_id, Idempotency_Key="order-17")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    command = await only_send(site)
    assert command.message_id == first.json()["messageId"]


async def test_the_same_key_at_once_gives_one_message(site: Site, session_id: str) -> None:
    answers = await asyncio.gather(*(send(site, session_id, Idempotency_Key="order-18") for _ in range(10)))
    assert len({answer.json()["messageId"] for answer in answers}) == 1
    await only_send(site)


async def test_a_key_with_another_message_is_refused(site: Site, session_id: str) -> None:
    await send(site, session_id, Idempotency_Key="order-19")
    other = await send(site, session_id, {**TEXT, "text": "Lain"}, Idempotency_Key="order-19")
    refused(other, 422, "IDEMPOTENCY_KEY_REUSED")
    await only_send(site)


async def test_the_same_medium_under_the_same_key_is_stored_once(site: Site, session_id: str, rows: Any) -> None:
    body = {"type": "image", "to": "081234567890", "data": encoded(PNG)}
    first = await send(site, session_id, body, Idempotency_Key="order-20")
    second = await send(site, session_id, body, Idempotency_Key="order-20")
    assert first.json() == second.json()
    assert await rows["media.files"].count_documents({}) == 1
    other = await send(site, session_id, {**body, "data": encoded(PNG + b"1")}, Idempotency_Key="order-20")
    refused(other, 422, "IDEMPOTENCY_KEY_REUSED")
    assert await rows["media.files"].count_documents({}) == 1


async def test_a_wrong_key_is_refused(site: Site, session_id: str) -> None:
    refused(await send(site, session_id, Idempotency_Key="a b"), 400, "VALIDATION_FAILED")


async def test_an_unclear_publish_names_an_id_under_which_it_can_be_repeated(
    site: Site, session_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = site.edge.commands.publish

    async def unclear(subject: str, *args: Any, **more: Any) -> int:
        await publish(subject, *args, **more)  # stored, but the answer got lost
        raise PublishUnclear(subject)

    monkeypatch.setattr(site.edge.commands, "publish", unclear)
    told = refused(await send(site, session_id), 503, "OUTCOME_UNKNOWN")
    monkeypatch.undo()
    message_id = told["details"]["messageId"]
    again = await send(site, session_id, Idempotency_Key=message_id)
    assert again.status_code == 202
    assert again.json()["messageId"] == message_id
    assert {command.message_id for command in await commands(site)} == {message_id}


async def test_an_id_that_names_another_message_is_refused(site: Site, session_id: str, rows: Any) -> None:
    message_id = new_message_id()
    row = outbox_row(site, session_id, message_id, content=Text(text="Lain"))
    await rows.outbox.insert_one(to_document(row))
    refused(await send(site, session_id, Idempotency_Key=message_id), 422, "IDEMPOTENCY_KEY_REUSED")


async def test_an_id_of_another_customers_message_is_a_key_like_any_other(
    site: Site, session_id: str, rows: Any
) -> None:
    message_id = new_message_id()
    await rows.outbox.insert_one(to_document(outbox_row(site, session_id, message_id, customer_id="cus_other")))
    answer = await send(site, session_id, Idempotency_Key=message_id)
    assert answer.status_code == 202
    assert answer.json()["messageId"] != message_id


@pytest.mark.parametrize("outcome", ["failed", "sent"])
async def test_a_repeat_that_does_not_wait_gets_the_same_answer_whatever_has_happened(
    site: Site, session_id: str, rows: Any, outcome: str
) -> None:
    first = await send(site, session_id, Idempotency_Key="order-22")
    message_id = first.json()["messageId"]
    failure = {"code": "NOT_ON_WHATSAPP"} if outcome == "failed" else {}
    await rows.messages.insert_one(to_document(message_row(site, session_id, message_id, status=outcome, **failure)))
    second = await send(site, session_id, Idempotency_Key="order-22")
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.headers["idempotent-replayed"] == "true"
    assert (second.json()["messageId"], second.json()["status"]) == (message_id, "queued")
