"""Every type of message through the API: what reaches sender, and what answers, quotes and schedules become."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.content import Context, Document, Image, LinkPreview, Quote, Reaction, Sticker, Voice
from libs.contracts.ids import new_message_id
from libs.contracts.times import iso
from libs.runtime.mongo import to_document
from services.api.media.kinds import OPUS
from tests import media
from tests.integration.api.commands import commands, new_session, only_send
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import PNG, TEXT, encoded, message_row, outbox_row, send
from tests.integration.api.pages import Pages, serving

TO = "081234567890"
OGG_OPUS = b"OggS\0\x02" + b"\0" * 22 + b"OpusHead" + b"\0" * 20
WEBP = media.picture("WEBP", (64, 64))


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    async with serving() as opened:
        yield opened


# --- Types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(
            {"type": "location", "latitude": -6.2, "longitude": 106.8, "name": "Monas"},
            {"text": "Monas", "details": {"latitude": -6.2, "longitude": 106.8, "name": "Monas"}},
            id="location",
        ),
        pytest.param(
            {"type": "poll", "question": "Kapan?", "options": ["Pagi", "Sore"]},
            {"text": "Kapan?", "details": {"question": "Kapan?", "options": ["Pagi", "Sore"]}},
            id="poll",
        ),
    ],
)
async def test_a_message_beyond_words_shows_its_fields(
    site: Site, session_id: str, body: dict[str, Any], shown: dict[str, Any]
) -> None:
    answer = await send(site, session_id, {"to": TO, **body})
    assert answer.status_code == 202, answer.text
    told = answer.json()["data"]
    assert told["type"] == body["type"]
    assert {name: told[name] for name in shown} == shown
    assert (await site.call("GET", f"/messages/{told['messageId']}")).json()["data"]["details"] == shown["details"]


async def test_a_voice_note_is_ogg_with_opus_and_a_sticker_webp(site: Site, session_id: str) -> None:
    assert (await send(site, session_id, {"type": "voice", "to": TO, "data": encoded(OGG_OPUS)})).status_code == 202
    assert (await send(site, session_id, {"type": "sticker", "to": TO, "data": encoded(WEBP)})).status_code == 202
    voice, sticker = [command.content for command in await commands(site)]
    assert isinstance(voice, Voice)
    assert voice.mimetype == OPUS
    assert isinstance(sticker, Sticker)
    told = refused(
        await send(site, session_id, {"type": "voice", "to": TO, "data": encoded(WEBP)}), 400, "INVALID_MEDIA"
    )
    assert "Ogg with Opus" in told["message"]


async def test_an_uploaded_voice_note_is_checked_as_one(site: Site, session_id: str) -> None:
    uploaded = await site.call("POST", "/media", files={"file": ("a.ogg", OGG_OPUS)}, data={"contentType": "voice"})
    assert uploaded.status_code == 200, uploaded.text
    body = {"type": "voice", "to": TO, "mediaId": uploaded.json()["mediaId"]}
    assert (await send(site, session_id, body)).status_code == 202


# --- Answers and reactions -------------------------------------------------------------------------------------------


async def test_an_answer_quotes_the_message_that_came_in(site: Site, session_id: str, rows: Any) -> None:
    message_id = new_message_id()
    came_in = message_row(site, session_id, message_id, direction="in", from_="6281234567890", text="Ada?" * 400)
    await rows.messages.insert_one(to_document(came_in))
    answer = await send(site, session_id, {**TEXT, "replyTo": message_id})
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["replyTo"] == came_in.wa_id
    quote = Quote(wa_id=came_in.wa_id, sender="6281234567890@s.whatsapp.net", text=("Ada?" * 400)[:1024])
    assert (await only_send(site)).context == Context(quote=quote)


async def test_an_answer_to_our_own_waiting_message_names_nobody(site: Site, session_id: str, rows: Any) -> None:
    message_id = new_message_id()
    row = outbox_row(site, session_id, message_id)
    await rows.outbox.insert_one(to_document(row))
    assert (await send(site, session_id, {**TEXT, "replyTo": message_id})).status_code == 202
    assert (await only_send(site)).context == Context(quote=Quote(wa_id=row.wa_id, sender=None, text="Halo"))


async def test_a_reaction_goes_to_the_chat_and_the_sender_of_its_message(
    site: Site, session_id: str, rows: Any
) -> None:
    message_id, group = new_message_id(), "120363021234567890@g.us"
    came_in = message_row(
        site, session_id, message_id, direction="in", from_="628111111111", chat=group, chat_jid=group
    )
    await rows.messages.insert_one(to_document(came_in))
    answer = await send(site, session_id, {"type": "reaction", "messageId": message_id, "emoji": "👍"})
    assert answer.status_code == 202, answer.text
    command = await only_send(site)
    assert command.to == group
    assert command.content == Reaction(wa_id=came_in.wa_id, sender="628111111111@s.whatsapp.net", emoji="👍")


async def test_a_message_refers_only_to_one_of_its_session_and_chat(site: Site, session_id: str, rows: Any) -> None:
    elsewhere, other, unknown = new_message_id(), new_message_id(), new_message_id()
    second = await new_session(site, "Second")
    await rows.messages.insert_one(to_document(message_row(site, second, elsewhere)))
    await rows.messages.insert_one(to_document(message_row(site, session_id, other, chat="628111111111")))
    for message_id in (elsewhere, unknown, "nonsense"):
        told = refused(await send(site, session_id, {**TEXT, "replyTo": message_id}), 404, "MESSAGE_NOT_FOUND")
        assert told["details"]["fields"][0]["path"] == "replyTo"
    told = refused(await send(site, session_id, {**TEXT, "replyTo": other}), 422, "OTHER_CHAT")
    assert "628111111111" in told["message"]
    body = {"type": "reaction", "messageId": other, "emoji": "👍", "to": TO}
    refused(await send(site, session_id, body), 422, "OTHER_CHAT")
    assert await commands(site) == []


# --- When ------------------------------------------------------------------------------------------------------------


async def test_a_scheduled_message_waits_for_its_time_and_has_its_whole_life_then(site: Site, session_id: str) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)
    answer = await send(site, session_id, {**TEXT, "sendAt": at.isoformat(), "ttl": 60, "priority": -3})
    assert answer.status_code == 202, answer.text
    told = answer.json()["data"]
    assert (told["status"], told["waitingFor"], told["resumeAt"]) == ("queued", "schedule", iso(at))
    command = await only_send(site)
    assert (command.not_before, command.expires_at, command.priority) == (at, at + timedelta(seconds=60), -3)


async def test_a_message_of_the_past_leaves_now(site: Site, session_id: str) -> None:
    answer = await send(site, session_id, {**TEXT, "sendAt": "2020-01-01T00:00:00+07:00"})
    assert answer.json()["data"]["waitingFor"] is None
    assert (await only_send(site)).not_before is None


@pytest.mark.parametrize(
    "change",
    [{"priority": 1}, {"sendAt": "2026-12-24T00:00:00Z"}, {"mentions": ["628111111111"]}, {"linkPreview": True}],
    ids=lambda change: next(iter(change)),
)
async def test_a_key_with_another_wish_is_refused(site: Site, session_id: str, change: dict[str, Any]) -> None:
    text = {**TEXT, "text": "http://127.0.0.1:1/"}
    assert (await send(site, session_id, text, Idempotency_Key="k")).status_code == 202
    refused(await send(site, session_id, {**text, **change}, Idempotency_Key="k"), 422, "IDEMPOTENCY_KEY_REUSED")


# --- By address ------------------------------------------------------------------------------------------------------


async def test_a_medium_is_fetched_from_its_address(open_site: SiteMaker, pages: Pages) -> None:
    url = pages.page("/files/foto.bin", PNG, kind="text/html")
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        answer = await send(site, session_id, {"type": "image", "to": TO, "url": url})
        assert answer.status_code == 202, answer.text
        content = (await only_send(site)).content
        assert isinstance(content, Image)
        assert (content.mimetype, content.file_name) == ("image/png", "foto.bin")
        assert (await site.call("GET", f"/media/{content.media_id}")).content == PNG


async def test_a_fetched_document_has_the_name_that_its_server_gives_it(open_site: SiteMaker, pages: Pages) -> None:
    head = "Content-Length: 9\r\nContent-Disposition: attachment; filename*=UTF-8''Daftar%20%E2%82%AC"
    url = pages.raw("/download.php", f"HTTP/1.1 200 X\r\n{head}\r\n\r\n%PDF-1.4\n".encode())
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        assert (await send(site, session_id, {"type": "document", "to": TO, "url": url})).status_code == 202
        content = (await only_send(site)).content
        assert isinstance(content, Document)
        assert (content.mimetype, content.file_name) == ("application/pdf", "Daftar €.pdf")


async def test_a_page_that_stands_where_a_pdf_was_is_refused(open_site: SiteMaker, pages: Pages, rows: Any) -> None:
    url = pages.page("/faktur.pdf", b"<!doctype html><title>Sign in</title>", kind="text/html")
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        told = refused(await send(site, session_id, {"type": "document", "to": TO, "url": url}), 400, "INVALID_MEDIA")
        assert "a web page, though it is called a PDF" in told["message"]
        assert await rows["media.files"].count_documents({}) == 0


async def test_a_repeat_by_address_is_the_same_message_whatever_is_there_now(
    open_site: SiteMaker, pages: Pages, rows: Any
) -> None:
    url = pages.page("/a.png", PNG)
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        body = {"type": "image", "to": TO, "url": url}
        first = await send(site, session_id, body, Idempotency_Key="k")
        pages.page("/a.png", PNG + b"changed")
        second = await send(site, session_id, body, Idempotency_Key="k")
        assert first.json() == second.json()
        assert await rows["media.files"].count_documents({}) == 1
        await only_send(site)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "found out on the way"])
async def test_a_medium_that_is_too_large_is_refused_while_it_comes(
    open_site: SiteMaker, pages: Pages, rows: Any, announced: bool
) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        length = f"Content-Length: {10**9}\r\n" if announced else ""
        writer.write(f"HTTP/1.1 200 X\r\n{length}\r\n".encode())
        while True:
            writer.write(b"\0" * 65_536)
            sent += 65_536
            await writer.drain()

    async with open_site(private_targets=True, document_bytes=1_000_000) as site:
        session_id = await new_session(site)
        body = {"type": "document", "to": TO, "url": pages.by("/a", endless)}
        refused(await send(site, session_id, body), 413, "PAYLOAD_TOO_LARGE")
        assert sent < 20_000_000
        assert await rows["media.chunks"].count_documents({}) == 0


async def test_what_cannot_be_fetched_says_why(open_site: SiteMaker, pages: Pages) -> None:
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        body = {"type": "document", "to": TO, "url": pages.page("/a", b"no", status=404)}
        told = refused(await send(site, session_id, body), 400, "INVALID_MEDIA")
        assert told["details"]["fields"] == [
            {"path": "url", "reason": "it could not be fetched: the server answered 404"}
        ]


async def test_a_customer_cannot_have_the_gateway_look_inside(site: Site, session_id: str, pages: Pages) -> None:
    body = {"type": "document", "to": TO, "url": pages.page("/a", b"secret")}
    told = refused(await send(site, session_id, body), 400, "VALIDATION_FAILED")
    assert told["details"]["fields"][0]["path"] == "url"
    assert pages.asked == []


async def test_a_links_preview_is_fetched_on_request(open_site: SiteMaker, pages: Pages) -> None:
    url = pages.page("/a", b"<title>Toko Kopi</title>", kind="text/html")
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        answer = await send(site, session_id, {**TEXT, "text": f"Lihat {url}!", "linkPreview": True})
        assert answer.status_code == 202, answer.text
        assert (await only_send(site)).context == Context(preview=LinkPreview(url=url, title="Toko Kopi"))
