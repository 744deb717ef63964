"""Messages of section 5: sending, waiting for the outcome, and what happens while something is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import nats
import pytest

from infra.bootstrap import Bootstrapped
from libs.contracts.commands import SendMessage
from libs.contracts.content import Document, Image
from libs.contracts.ids import whatsapp_id
from libs.runtime import topology
from libs.runtime.mongo import to_document
from services.api.messages.new_messages import AnyNewMessage
from services.api.settings import Settings
from tests.integration.api.commands import commands, new_session, only_send
from tests.integration.api.conftest import make_first_rows, running_site
from tests.integration.api.edges import BOUND_S, RING, Site, refused
from tests.integration.api.frames import Publisher
from tests.integration.api.messages import AT, PDF, PNG, TEXT, encoded, message_row, outbox_row, send, until_command
from tests.servers import MongoServer, NatsServer

# --- Sending ---------------------------------------------------------------------------------------------------------


async def test_a_text_is_accepted_with_its_message_object(site: Site, session_id: str) -> None:
    answer = await send(site, session_id)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    command = await only_send(site)
    assert told["success"] is True
    assert told["messageId"] == command.message_id
    assert told["status"] == "queued"
    assert told["data"] == {
        "messageId": command.message_id,
        "waId": whatsapp_id(command.message_id),
        "sessionId": session_id,
        "direction": "out",
        "type": "text",
        "status": "queued",
        "to": "6281234567890",
        "from": None,
        "chat": "6281234567890",
        "text": "Halo",
        "caption": None,
        "fileName": None,
        "media": None,
        "waitingFor": None,
        "resumeAt": None,
        "error": None,
        "attempts": 0,
        "createdAt": told["timestamp"],
        "sentAt": None,
        "deliveredAt": None,
        "readAt": None,
        "replyTo": None,
        "mentions": [],
        "details": None,
        "editedAt": None,
        "revokedAt": None,
        "reactions": [],
        "votes": [],
    }


@pytest.mark.parametrize("to", ["120363021234567890@g.us", "123456789012345@lid"])
async def test_a_group_or_a_lid_may_be_the_recipient(site: Site, session_id: str, to: str) -> None:
    assert (await send(site, session_id, {**TEXT, "to": to})).status_code == 202
    assert (await only_send(site)).to == to


async def test_a_message_with_a_ttl_expires(site: Site, session_id: str) -> None:
    await send(site, session_id, {**TEXT, "ttl": 60})
    command = await only_send(site)
    assert command.expires_at == command.accepted_at + timedelta(seconds=60)


async def test_an_uploaded_medium_is_sent_by_its_id_and_kept_longer(site: Site, session_id: str, rows: Any) -> None:
    uploaded = await site.call("POST", "/media", files={"file": ("a.png", PNG, "text/plain")})
    assert uploaded.status_code == 200, uploaded.text
    media_id = uploaded.json()["mediaId"]
    soon = datetime.now(UTC) + timedelta(hours=1)
    await rows["media.files"].update_one({"_id": media_id}, {"$set": {"metadata.keepUntil": soon}})
    answer = await send(
        site, session_id, {"type": "image", "to": "081234567890", "mediaId": media_id, "caption": "Foto"}
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["media"] == {"mediaId": media_id, "mimetype": "image/png", "bytes": None}
    content = (await only_send(site)).content
    assert content == Image(media_id=media_id, mimetype="image/png", caption="Foto", file_name="a.png")
    file = await rows["media.files"].find_one({"_id": media_id})
    assert file["metadata"]["keepUntil"] > datetime.now(UTC) + timedelta(days=29)


async def test_a_medium_may_come_along(site: Site, session_id: str) -> None:
    body = {"type": "document", "to": "081234567890", "data": encoded(PDF), "fileName": "offer.pdf"}
    assert (await send(site, session_id, body)).status_code == 202
    content = (await only_send(site)).content
    assert isinstance(content, Document)
    downloaded = await site.call("GET", f"/media/{content.media_id}")
    assert downloaded.content == PDF
    assert downloaded.headers["content-type"] == "application/pdf"
    assert downloaded.headers["x-content-type-options"] == "nosniff"
    assert downloaded.headers["content-disposition"] == "attachment; filename*=UTF-8''offer.pdf"


async def test_a_medium_of_another_customer_is_not_found(site: Site, session_id: str, rows: Any) -> None:
    uploaded = await site.call("POST", "/media", files={"file": ("a.png", PNG)})
    media_id = uploaded.json()["mediaId"]
    await rows["media.files"].update_one({"_id": media_id}, {"$set": {"metadata.customerId": "cus_other"}})
    refused(await site.call("GET", f"/media/{media_id}"), 404, "MEDIA_NOT_FOUND")
    body = {"type": "image", "to": "081234567890", "mediaId": media_id}
    refused(await send(site, session_id, body), 404, "MEDIA_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param({"type": "text", "to": "081234567890"}, "text", id="a text without text"),
        pytest.param({"type": "text", "text": "Halo"}, "to", id="no recipient"),
        pytest.param({"type": "image", "to": "081234567890"}, "mediaId", id="an image without one"),
        pytest.param({"type": "image", "to": "081234567890", "mediaId": "a", "data": "b"}, "mediaId", id="two media"),
        pytest.param({**TEXT, "colour": "red"}, "colour", id="a field that is not taken"),
        pytest.param({"type": "poem", "to": "081234567890"}, "type", id="an unknown type"),
        pytest.param({**TEXT, "ttl": 0}, "ttl", id="no time to live"),
        pytest.param({**TEXT, "text": "x" * 65_537}, "text", id="a long text"),
    ],
)
async def test_a_wrong_message_is_refused_naming_the_field(
    site: Site, session_id: str, body: dict[str, Any], field: str
) -> None:
    told = refused(await send(site, session_id, body), 400, "VALIDATION_FAILED")
    assert field in str(told["details"]["fields"])
    assert await commands(site) == []


@pytest.mark.parametrize("body", [{"type": "poem", "to": "081234567890"}, {"text": "Halo"}], ids=["unknown", "none"])
async def test_a_message_without_a_known_type_is_told_the_types_that_there_are(
    site: Site, session_id: str, body: dict[str, Any]
) -> None:
    told = refused(await send(site, session_id, body), 400, "VALIDATION_FAILED")
    (field,) = told["details"]["fields"]
    assert field["path"] == "type"
    assert f"one of {', '.join(each.__struct_config__.tag for each in get_args(AnyNewMessage))}" in field["reason"]
    assert "reaction" in told["message"]


# --- While something is away ------------------------------------------------------------------------------------------


async def test_without_nats_a_send_is_refused_and_with_it_accepted_again(
    nats_server: NatsServer, mongodb_url: str, bootstrapped: Bootstrapped
) -> None:
    client = await nats.connect(nats_server.url)
    await topology.apply(client.jetstream())
    await client.close()
    settings = Settings(
        nats_url=nats_server.url,
        mongodb_url=mongodb_url,
        secret_keys=RING,
        port=0,
        engines="scripted",
        default_engine="scripted",
    )
    async with running_site(settings, bootstrapped) as site:
        session_id = await new_session(site)
        nats_server.kill()
        async with asyncio.timeout(BOUND_S):
            while site.edge.bus.connected:  # noqa: ASYNC110 - the bus tells it by this property only
                await asyncio.sleep(0.01)
        answer = await send(site, session_id)
        refused(answer, 503, "SERVICE_UNAVAILABLE")
        assert answer.headers["retry-after"]
        await asyncio.to_thread(nats_server.start)
        await site.until_ready()
        assert (await send(site, session_id)).status_code == 202
        await only_send(site)


async def test_without_mongodb_a_send_is_refused_and_with_it_accepted_again(
    mongo_server: MongoServer, streams: str
) -> None:
    account = await make_first_rows(mongo_server.url())
    settings = Settings(
        nats_url=streams,
        mongodb_url=mongo_server.url(),
        secret_keys=RING,
        port=0,
        engines="scripted",
        default_engine="scripted",
        cache_s=0.0,
        database_timeout_ms=3_000,
    )
    async with running_site(settings, account) as site:
        session_id = await new_session(site)
        mongo_server.kill()
        refused(await send(site, session_id), 503, "SERVICE_UNAVAILABLE")
        await asyncio.to_thread(mongo_server.start)
        await site.until_ready()
        assert (await send(site, session_id)).status_code == 202
        await only_send(site)


# --- Waiting for the outcome -----------------------------------------------------------------------------------------


async def when_published(site: Site) -> SendMessage:
    """The message, as soon as it is in COMMANDS."""
    return await until_command(site, SendMessage)


async def test_a_send_that_waits_tells_that_it_was_sent(site: Site, session_id: str, status: Publisher) -> None:
    sending = asyncio.create_task(send(site, session_id, Prefer="wait=25"))
    command = await when_published(site)
    await status.message(session_id, "sending", message_id=command.message_id)
    await status.message(session_id, "sent")
    await status.message(session_id, "sent", message_id=command.message_id)
    answer = await sending
    assert answer.status_code == 200
    assert answer.json()["status"] == "sent"
    assert answer.json()["data"]["messageId"] == command.message_id


async def test_a_send_that_waits_tells_why_it_failed(site: Site, session_id: str, status: Publisher) -> None:
    sending = asyncio.create_task(send(site, session_id, Prefer="wait=25"))
    command = await when_published(site)
    await status.message(session_id, "failed", message_id=command.message_id, code="NOT_ON_WHATSAPP")
    told = refused(await sending, 422, "NOT_ON_WHATSAPP")
    assert told["details"] == {"messageId": command.message_id, "status": "failed"}


async def test_a_send_that_waits_in_vain_is_queued(site: Site, session_id: str) -> None:
    answer = await send(site, session_id, Prefer="respond-async, wait=1")
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"


async def test_a_repeat_that_waits_tells_what_has_happened_before(site: Site, session_id: str, rows: Any) -> None:
    first = await send(site, session_id, Idempotency_Key="order-21")
    await rows.messages.insert_one(to_document(message_row(site, session_id, first.json()["messageId"])))
    second = await send(site, session_id, Idempotency_Key="order-21", Prefer="wait=25")
    assert second.status_code == 200
    assert second.json()["status"] == "sent"


@pytest.mark.parametrize("waiting_for", ["lookup", "restriction"])
@pytest.mark.parametrize("of", ["status", "sender"])
async def test_a_wait_without_an_outcome_tells_what_is_waited_for(
    site: Site, session_id: str, rows: Any, waiting_for: str, of: str
) -> None:
    sending = asyncio.create_task(send(site, session_id, Prefer="wait=2"))
    command = await until_command(site, SendMessage)
    values = {"status": "queued", "waiting_for": waiting_for, "resume_at": AT}
    if of == "status":
        await rows.messages.insert_one(to_document(message_row(site, session_id, command.message_id, **values)))
    else:
        await rows.outbox.insert_one(to_document(outbox_row(site, session_id, command.message_id, **values)))
    answer = await sending
    assert answer.status_code == 202, answer.text
    shown = answer.json()["data"]
    assert (shown["waitingFor"], shown["resumeAt"]) == (waiting_for, "2026-01-02T03:04:05.000Z")


async def test_an_outcome_whose_frame_is_late_is_answered(site: Site, session_id: str, rows: Any) -> None:
    sending = asyncio.create_task(send(site, session_id, Prefer="wait=2"))
    command = await until_command(site, SendMessage)
    await rows.messages.insert_one(to_document(message_row(site, session_id, command.message_id, status="sent")))
    answer = await sending
    assert (answer.status_code, answer.json()["status"]) == (200, "sent")
