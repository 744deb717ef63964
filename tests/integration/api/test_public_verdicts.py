"""Public sends wait a moment for WhatsApp's word, and answer a refusal as one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from libs.contracts.commands import SendMessage
from libs.contracts.ids import new_message_id
from libs.runtime.mongo import to_document
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BOUND_S, Site, observe, refused
from tests.integration.api.frames import Publisher
from tests.integration.api.messages import message_row, outbox_row, until_command

FOREVER = {"public_wait_ms": 60_000}
"""Longer than a test: whoever answers has not waited."""
BODY = {"phone": "081234567890", "message": "Halo"}
FORM = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'

SENDS: dict[str, dict[str, Any]] = {
    "JSON": {"method": "POST", "json": BODY},
    "contentType": {"method": "POST", "json": {"phone": "081234567890", "contentType": "text", "content": "Halo"}},
    "type": {"method": "POST", "json": {"phone": "081234567890", "type": "text", "message": "Halo"}},
    "form": {
        "method": "POST",
        "content": "".join(FORM.format(*field) for field in BODY.items()) + "--x--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    },
    "path": {"method": "POST", "rest": "/081234567890/Halo"},
    "GET": {"method": "GET", "rest": "/081234567890/Halo"},
}


async def sent(site: Site, session_id: str, *, rest: str = "", method: str = "POST", **more: Any) -> httpx.Response:
    """A public send, answered within the bound."""
    url = f"/api/services/whatsapp/chat/{session_id}/{site.account.api_key}{rest}"
    return await asyncio.wait_for(site.client.request(method, url, timeout=BOUND_S, **more), BOUND_S)


async def opened(site: Site, rows: Any) -> str:
    """A session that is connected."""
    session_id = await site.make_session()
    await observe(rows, session_id, "connected")
    return session_id


@pytest.mark.parametrize("way", SENDS)
async def test_a_refusal_by_whatsapp_is_answered_as_one(
    open_site: SiteMaker, rows: Any, status: Publisher, way: str
) -> None:
    async with open_site(**FOREVER) as site:
        session_id = await opened(site, rows)
        sending = asyncio.create_task(sent(site, session_id, **SENDS[way]))
        command = await until_command(site, SendMessage)
        await status.message(session_id, "failed", message_id=command.message_id, code="NOT_ON_WHATSAPP")
        told = refused(await sending, 422, "NOT_ON_WHATSAPP")
    assert "It did not work" in told["message"]
    assert told["details"] == {"messageId": command.message_id, "status": "failed"}


@pytest.mark.parametrize("way", SENDS)
async def test_what_whatsapp_took_is_answered_as_sent(
    open_site: SiteMaker, rows: Any, status: Publisher, way: str
) -> None:
    async with open_site(**FOREVER) as site:
        session_id = await opened(site, rows)
        sending = asyncio.create_task(sent(site, session_id, **SENDS[way]))
        command = await until_command(site, SendMessage)
        await status.message(session_id, "sent", message_id=command.message_id)
        answer = await sending
    assert (answer.status_code, answer.json()["status"], answer.json()["message"]) == (200, "sent", "Message sent")


async def test_nothing_known_in_time_is_queued(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(public_wait_ms=300) as site:
        answer = await sent(site, await opened(site, rows), json=BODY)
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")


@pytest.mark.parametrize(("setting_ms", "prefer"), [(60_000, "wait=0"), (0, "")], ids=["asked for", "by setting"])
async def test_a_send_need_not_wait(open_site: SiteMaker, rows: Any, setting_ms: int, prefer: str) -> None:
    async with open_site(public_wait_ms=setting_ms) as site:
        answer = await sent(site, await opened(site, rows), json=BODY, headers={"Prefer": prefer})
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")


async def test_a_session_that_is_not_connected_keeps_nobody_waiting(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(**FOREVER) as site:
        session_id = await site.make_session()
        for state in (None, "stopped", "reconnecting", "qr_ready"):
            if state is not None:
                await observe(rows, session_id, state)
            answer = await sent(site, session_id, json=BODY)
            assert (answer.status_code, answer.json()["status"]) == (200, "queued")


async def test_a_message_that_is_held_keeps_nobody_waiting(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(**FOREVER) as site:
        session_id = await opened(site, rows)
        message_id = new_message_id()
        held = outbox_row(site, session_id, message_id, waiting_for="pace")
        await rows.outbox.insert_one(to_document(held))
        answer = await sent(site, session_id, json=BODY, headers={"Idempotency-Key": message_id})
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")


async def test_a_repeat_is_answered_alike(open_site: SiteMaker, rows: Any, status: Publisher) -> None:
    async with open_site(**FOREVER) as site:
        session_id = await opened(site, rows)
        key = {"Idempotency-Key": "order-21"}
        sending = asyncio.create_task(sent(site, session_id, json=BODY, headers=key))
        command = await until_command(site, SendMessage)
        await status.message(session_id, "failed", message_id=command.message_id, code="NOT_ON_WHATSAPP")
        first = refused(await sending, 422, "NOT_ON_WHATSAPP")
        row = message_row(site, session_id, command.message_id, status="failed", code="NOT_ON_WHATSAPP")
        await rows.messages.insert_one(to_document(row))
        answer = await sent(site, session_id, json=BODY, headers=key)
        second = refused(answer, 422, "NOT_ON_WHATSAPP")
    assert second["details"] == first["details"]
    assert answer.headers["Idempotent-Replayed"] == "true"


async def test_the_wait_is_two_seconds_by_default(site: Site, rows: Any) -> None:
    session_id = await opened(site, rows)
    began = time.monotonic()
    answer = await sent(site, session_id, json=BODY)
    assert answer.json()["status"] == "queued"
    assert time.monotonic() - began >= 2


async def test_a_repeat_that_does_not_wait_is_told_what_is_known(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(public_wait_ms=0) as site:
        session_id = await opened(site, rows)
        key = {"Idempotency-Key": "order-23", "Prefer": "wait=0"}
        first = (await sent(site, session_id, json=BODY, headers=key)).json()
        row = message_row(site, session_id, first["messageId"], status="failed", code="NOT_ON_WHATSAPP")
        await rows.messages.insert_one(to_document(row))
        answer = await sent(site, session_id, json=BODY, headers=key)
    refused(answer, 422, "NOT_ON_WHATSAPP")
