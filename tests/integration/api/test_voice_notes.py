"""Voice notes of what people have, and pictures that are looked at, before a message is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.contracts.content import Voice
from services.api.media.kinds import OPUS
from tests import media
from tests.integration.api.commands import commands, new_session, only_send
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import encoded, send
from tests.integration.api.pages import Pages, serving

TO = "081234567890"
NOTE = {"type": "voice", "to": TO}
BROKEN = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    async with serving() as opened:
        yield opened


async def uploaded(site: Site, file: bytes, **fields: str) -> Any:
    return await site.call("POST", "/media", files={"file": ("rekaman", file)}, data=fields)


def is_note(content: object, seconds: int) -> bool:
    assert isinstance(content, Voice)
    assert content.waveform is not None
    return (content.mimetype, content.seconds, len(content.waveform)) == (OPUS, seconds, 64)


async def test_sound_in_json_is_sent_as_a_voice_note(site: Site, session_id: str, rows: Any) -> None:
    answer = await send(site, session_id, {**NOTE, "data": encoded(media.sound("mp3", "libmp3lame", 2.0))})
    assert answer.status_code == 202, answer.text
    content = (await only_send(site)).content
    assert is_note(content, 2)
    assert isinstance(content, Voice)
    assert (await site.call("GET", f"/media/{content.media_id}")).content.startswith(b"OggS")
    assert await rows["media.files"].count_documents({}) == 1


async def test_sound_at_an_address_is_sent_as_a_voice_note(open_site: SiteMaker, pages: Pages) -> None:
    url = pages.page("/rekaman.m4a", media.branded(media.sound("mp4", "aac", 2.0), b"mp42"))
    async with open_site(private_targets=True) as site:
        session_id = await new_session(site)
        assert (await send(site, session_id, {**NOTE, "url": url})).status_code == 202
        assert is_note((await only_send(site)).content, 2)


async def test_an_uploaded_sound_is_converted_once_for_all_its_recipients(
    site: Site, session_id: str, rows: Any
) -> None:
    media_id = (await uploaded(site, media.wav(2.0))).json()["mediaId"]
    for _ in range(3):
        assert (await send(site, session_id, {**NOTE, "mediaId": media_id})).status_code == 202
    contents = [command.content for command in await commands(site)]
    assert all(is_note(content, 2) for content in contents)
    assert len({content.media_id for content in contents if isinstance(content, Voice)}) == 1
    assert await rows["media.files"].count_documents({}) == 2


async def test_an_upload_as_a_voice_note_is_converted_at_once(site: Site, session_id: str) -> None:
    answer = await uploaded(site, media.wav(2.0), contentType="voice")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["mimetype"] == OPUS
    assert (await send(site, session_id, {**NOTE, "mediaId": answer.json()["mediaId"]})).status_code == 202
    assert is_note((await only_send(site)).content, 2)


async def test_a_voice_note_is_sent_as_it_is_with_what_is_heard_in_it(site: Site, session_id: str) -> None:
    note = media.sound("ogg", "libopus", 2.0)
    assert (await send(site, session_id, {**NOTE, "data": encoded(note)})).status_code == 202
    content = (await only_send(site)).content
    assert is_note(content, 2)
    assert isinstance(content, Voice)
    assert (await site.call("GET", f"/media/{content.media_id}")).content == note


async def test_without_conversion_other_sound_is_refused(site: Site, session_id: str, rows: Any) -> None:
    body = {**NOTE, "data": encoded(media.wav()), "convert": False}
    told = refused(await send(site, session_id, body), 400, "INVALID_MEDIA")
    assert "its bytes are audio/x-wav; a voice note is Ogg with Opus" in told["message"]
    refused(await uploaded(site, media.wav(), contentType="voice", convert="false"), 400, "INVALID_MEDIA")
    refused(await uploaded(site, media.wav(), contentType="voice", convert="maybe"), 400, "VALIDATION_FAILED")
    assert await rows["media.files"].count_documents({}) == 0


@pytest.mark.parametrize("by_id", [True, False], ids=["by its id", "in JSON"])
async def test_a_repeat_is_the_same_message(site: Site, session_id: str, by_id: bool, rows: Any) -> None:
    file = media.wav(1.0)
    said = {"mediaId": (await uploaded(site, file)).json()["mediaId"]} if by_id else {"data": encoded(file)}
    answers = [await send(site, session_id, {**NOTE, **said}, Idempotency_Key="k") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202], answers[-1].text
    assert len({answer.json()["messageId"] for answer in answers}) == 1
    assert await rows["media.files"].count_documents({}) == (2 if by_id else 1)
    await only_send(site)
    other = {**NOTE, "data": encoded(media.wav(2.0))}
    refused(await send(site, session_id, other, Idempotency_Key="k"), 422, "IDEMPOTENCY_KEY_REUSED")


async def test_what_holds_no_sound_is_refused_in_both_languages(site: Site, session_id: str) -> None:
    body = {**NOTE, "data": encoded(b"OggS" + b"\0" * 40)}
    told = refused(await send(site, session_id, body), 400, "INVALID_MEDIA")
    assert "no voice note (Ogg with Opus) can be made of it: it cannot be decoded" in told["message"]
    told = refused(await send(site, session_id, body, Accept_Language="id"), 400, "INVALID_MEDIA")
    assert "tidak dapat dijadikan pesan suara" in told["message"]


async def test_a_picture_of_too_many_scans_is_refused_in_both_languages(site: Site, session_id: str, rows: Any) -> None:
    body = {"type": "image", "to": TO, "data": encoded(media.many_scans((8_000, 8_000), 5_000))}
    told = refused(await send(site, session_id, body), 400, "INVALID_MEDIA")
    assert "it has too many scans; save it anew, the limit is 100" in told["message"]
    told = refused(await send(site, session_id, body, Accept_Language="id"), 400, "INVALID_MEDIA")
    assert "pindaiannya (scan) terlalu banyak" in told["message"]
    assert await rows["media.files"].count_documents({}) == 0
    assert await commands(site) == []


@pytest.mark.parametrize("kind", ["image", "sticker"])
async def test_a_picture_that_cannot_be_decoded_is_refused(site: Site, session_id: str, rows: Any, kind: str) -> None:
    broken = BROKEN if kind == "image" else media.picture("WEBP", (300, 300))[:-30]
    body = {"type": kind, "to": TO}
    told = refused(await send(site, session_id, {**body, "data": encoded(broken)}), 400, "INVALID_MEDIA")
    assert "it cannot be decoded" in told["message"]
    refused(await uploaded(site, broken, contentType=kind), 400, "INVALID_MEDIA")
    assert await rows["media.files"].count_documents({}) == 0
    media_id = (await uploaded(site, broken)).json()["mediaId"]  # a document may be anything
    refused(await send(site, session_id, {**body, "mediaId": media_id}), 400, "INVALID_MEDIA")
    assert await commands(site) == []


async def test_a_picture_in_several_chunks_is_decoded_and_looked_at_once(
    site: Site, session_id: str, rows: Any
) -> None:
    large = media.picture("PNG") + bytes(3 * 1024 * 1024)
    as_image = (await uploaded(site, large, contentType="image")).json()["mediaId"]
    assert (await site.call("GET", f"/media/{as_image}")).content == large
    media_id = (await uploaded(site, large)).json()["mediaId"]
    body = {"type": "image", "to": TO, "mediaId": media_id}
    assert (await send(site, session_id, body)).status_code == 202
    assert (await rows["media.files"].find_one({"_id": media_id}))["metadata"]["looked"] is not None
    assert (await send(site, session_id, body)).status_code == 202


async def test_texts_go_on_while_files_are_decoded(site: Site, session_id: str) -> None:
    note = {**NOTE, "data": encoded(media.wav(60.0, 8_000))}
    sounds = [asyncio.create_task(send(site, session_id, note)) for _ in range(3)]
    first = asyncio.create_task(send(site, session_id))
    done, _ = await asyncio.wait([first, *sounds], return_when=asyncio.FIRST_COMPLETED)
    assert first in done
    assert [(await sound).status_code for sound in sounds] == [202, 202, 202]
