"""The public sends: every dialect, the raw path, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from libs.contracts.content import Audio, Document, Image, Text, Video
from services.api.media import store_media
from tests import media
from tests.integration.api.commands import commands, new_session, only_send
from tests.integration.api.edges import Site, refused

PNG = media.picture()
PDF = b"%PDF-1.7\n" + b"\0" * 64
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64
OGG = b"OggS" + b"\0" * 64
MEGABYTE = 1024 * 1024


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def chat(site: Site, session: str, rest: str = "", *, key: str | None = None) -> str:
    return f"/api/services/whatsapp/chat/{session}/{key or site.account.api_key}{rest}"


async def stored_bytes(site: Site, media_id: str) -> bytes:
    return b"".join([piece async for piece in store_media.pieces(site.edge.database, media_id)])


# --- Texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"phone": "081234567890", "message": "Halo"}, id="phone and message"),
        pytest.param(
            {"phone": "6281234567890", "contentType": "text", "content": "Halo"}, id="contentType and content"
        ),
        pytest.param({"phone": "+62 812-3456-7890", "type": "text", "message": "Halo"}, id="type and message"),
        pytest.param({"phone": 6281234567890, "message": "Halo"}, id="a number as phone"),
        pytest.param({"phone": "81234567890", "message": "Halo", "unknown": 1}, id="an unknown field"),
    ],
)
async def test_a_text_in_each_dialect_is_accepted(site: Site, body: dict[str, Any]) -> None:
    session_id = await new_session(site)
    answer = await site.client.post(chat(site, session_id), json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told == {
        "success": True,
        "messageId": told["messageId"],
        "status": "queued",
        "timestamp": told["timestamp"],
        "message": "Message queued",
        "data": {
            "sessionId": session_id,
            "recipient": "6281234567890",
            "contentType": "text",
            "content": "Halo",
            "fileName": None,
            "caption": None,
            "timestamp": told["timestamp"],
            "messageId": told["messageId"],
            "status": "queued",
        },
    }
    command = await only_send(site)
    assert command.message_id == told["messageId"]
    assert command.to == "6281234567890@s.whatsapp.net"
    assert command.content == Text(text="Halo")
    assert command.session_id == session_id
    assert command.customer_id == site.account.customer_id
    assert command.engine == "scripted"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("segment", "text"),
    [
        pytest.param("Halo", "Halo", id="plain"),
        pytest.param("50%25%20off%2Fon%3Fyes%23now%0Anew%20line", "50% off/on?yes#now\nnew line", id="escapes"),
        pytest.param("%F0%9F%95%8A%EF%B8%8F%20merpati", "🕊️ merpati", id="emoji"),
        pytest.param("a%252Fb", "a%2Fb", id="decoded once"),
        pytest.param("a+b", "a+b", id="a plus stays"),
        pytest.param("testing", "testing", id="begins with test"),
    ],
)
async def test_a_text_in_the_path_arrives_as_it_was_written(site: Site, method: str, segment: str, text: str) -> None:
    session_id = await new_session(site)
    answer = await site.client.request(method, chat(site, session_id, f"/081234567890/{segment}"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["content"] == text
    assert (await only_send(site)).content == Text(text=text)


async def test_a_get_that_ends_in_test_sends_nothing(site: Site) -> None:
    session_id = await new_session(site)
    answer = await site.client.get(chat(site, session_id, "/081234567890/test"))
    assert answer.status_code == 200
    assert answer.json()["data"] == {
        "sessionId": session_id,
        "sessionName": "Sales",
        "status": "disconnected",
        "ready": False,
    }
    assert await commands(site) == []


async def test_a_post_of_the_word_test_sends_it(site: Site) -> None:
    session_id = await new_session(site)
    await site.client.post(chat(site, session_id, "/081234567890/test"))
    assert (await only_send(site)).content == Text(text="test")


async def test_the_session_may_be_named(site: Site) -> None:
    session_id = await new_session(site, "My Sales")
    answer = await site.client.get(chat(site, "My%20Sales", "/081234567890/Halo"))
    assert answer.json()["data"]["sessionId"] == session_id


async def test_the_status_tells_what_was_sent(site: Site, rows: Any) -> None:
    session_id = await new_session(site)
    row = {"customerId": site.account.customer_id, "sessionId": session_id, "direction": "out"}
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    later = {"status": "edit_failed", "at": at + timedelta(hours=1), "factSeq": 2}
    history = [{"status": "failed", "at": at, "factSeq": 1}, later]
    await rows.messages.insert_many(
        [
            {**row, "status": "sent", "createdAt": at, "sentAt": at},
            {**row, "status": "read", "createdAt": at, "sentAt": at},
            {**row, "status": "failed", "createdAt": at, "history": history},
            {**row, "status": "queued", "createdAt": at},
        ]
    )
    answer = (await site.client.get(chat(site, session_id))).json()
    assert answer["data"]["stats"] == {
        "totalMessagesSent": 2,
        "totalMessagesFailed": 1,
        "lastMessageSentAt": "2026-01-02T03:04:05.000Z",
        "lastMessageFailedAt": "2026-01-02T03:04:05.000Z",
    }
    assert answer["data"]["ready"] is False


# --- Media -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "data", "name"),
    [
        pytest.param(
            {"contentType": "image", "content": f"data:image/png;base64,{encoded(PNG)}", "caption": "Foto"},
            Image, PNG, None, id="an image as content",
        ),
        pytest.param(
            {"contentType": "document", "content": encoded(PDF), "fileName": "offer.pdf"},
            Document, PDF, "offer.pdf", id="a document as bare base64",
        ),
        pytest.param({"type": "image", "image": encoded(PNG)}, Image, PNG, None, id="an image in its own field"),
        pytest.param(
            {"type": "document", "document": encoded(PDF), "filename": "offer.pdf", "caption": "Ini"},
            Document, PDF, "offer.pdf", id="a document in its own field",
        ),
        pytest.param({"contentType": "video", "content": encoded(MP4)}, Video, MP4, None, id="a video"),
        pytest.param({"contentType": "audio", "content": encoded(OGG)}, Audio, OGG, None, id="an audio file"),
        pytest.param(
            {"contentType": "document", "content": encoded(b"<svg/>"), "fileName": "logo.svg"},
            Document, b"<svg/>", "logo.svg", id="an SVG goes as a document",
        ),
    ],
)  # fmt: skip
async def test_a_medium_in_each_dialect_is_stored_and_accepted(
    site: Site, body: dict[str, Any], kind: type, data: bytes, name: str | None
) -> None:
    session_id = await new_session(site)
    answer = await site.client.post(chat(site, session_id), json={"phone": "081234567890", **body})
    assert answer.status_code == 200, answer.text
    told = answer.json()["data"]
    assert told["content"] is None
    assert told["fileName"] == name
    assert told["caption"] == body.get("caption")
    content = (await only_send(site)).content
    assert isinstance(content, kind)
    assert not isinstance(content, Text)
    assert await stored_bytes(site, content.media_id) == data


async def test_a_form_with_a_file_is_stored_and_accepted(site: Site) -> None:
    session_id = await new_session(site)
    large = PDF + bytes(range(256)) * 4 * 1024 * 10  # 10 MB, in many pieces
    answer = await site.client.post(
        chat(site, session_id),
        data={"phone": "081234567890", "contentType": "document", "caption": "Besar"},
        files={"file": ("../../besar.pdf", large, "application/pdf")},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["fileName"] == "besar.pdf"
    content = (await only_send(site)).content
    assert isinstance(content, Document)
    assert content.caption == "Besar"
    assert content.mimetype == "application/pdf"
    assert await stored_bytes(site, content.media_id) == large


@pytest.mark.parametrize(
    ("kind", "size", "limit"),
    [
        pytest.param("image", 17 * MEGABYTE, "16 MB", id="an image of 17 MB"),
        pytest.param("document", 21 * MEGABYTE, "20 MB", id="a document of 21 MB"),
        pytest.param("document", 40 * MEGABYTE, "30 MB", id="a body of 53 MB"),
    ],
)
async def test_a_medium_that_is_too_large_is_refused_naming_the_limit(
    site: Site, kind: str, size: int, limit: str
) -> None:
    session_id = await new_session(site)
    head = PNG if kind == "image" else PDF
    content = encoded(head + b"\0" * (size - len(head)))
    answer = await site.client.post(
        chat(site, session_id), json={"phone": "081234567890", "contentType": kind, "content": content}
    )
    body = refused(answer, 413, "PAYLOAD_TOO_LARGE")
    assert limit in body["message"]
    assert await commands(site) == []


async def test_a_file_of_a_form_that_is_too_large_is_refused_and_not_kept(site: Site, rows: Any) -> None:
    session_id = await new_session(site)
    answer = await site.client.post(
        chat(site, session_id),
        data={"phone": "081234567890", "contentType": "image"},
        files={"file": ("big.png", PNG + b"\0" * 17 * MEGABYTE, "image/png")},
    )
    assert "16 MB" in refused(answer, 413, "PAYLOAD_TOO_LARGE")["message"]
    assert await rows["media.files"].count_documents({}) == 0
    assert await rows["media.chunks"].count_documents({}) == 0


# --- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param({"message": "Halo"}, 400, "VALIDATION_FAILED", id="no phone"),
        pytest.param({"phone": "0812x", "message": "Halo"}, 400, "INVALID_PHONE", id="a letter in the phone"),
        pytest.param({"phone": "12", "message": "Halo"}, 400, "INVALID_PHONE", id="a short phone"),
        pytest.param({"phone": "081234567890"}, 400, "VALIDATION_FAILED", id="nothing to say"),
        pytest.param({"phone": "081234567890", "message": " "}, 400, "VALIDATION_FAILED", id="an empty text"),
        pytest.param({"phone": "081234567890", "message": "x" * 65_537}, 400, "VALIDATION_FAILED", id="a long text"),
        pytest.param({"phone": "081234567890", "contentType": "gif"}, 400, "VALIDATION_FAILED", id="an unknown type"),
        pytest.param({"phone": ["081"], "message": "x"}, 400, "VALIDATION_FAILED", id="a list as phone"),
        pytest.param(
            {"phone": "081234567890", "contentType": "image", "content": "not base64!"},
            400, "INVALID_MEDIA", id="no base64",
        ),
        pytest.param(
            {"phone": "081234567890", "contentType": "image", "content": encoded(PDF)},
            400, "INVALID_MEDIA", id="a PDF as an image",
        ),
        pytest.param(
            {"phone": "081234567890", "contentType": "image", "content": encoded(b"<svg/>")},
            400, "INVALID_MEDIA", id="an SVG as an image",
        ),
        pytest.param(
            {"phone": "081234567890", "contentType": "image", "content": "https://example.org/a.png"},
            400, "INVALID_MEDIA", id="an address",
        ),
        pytest.param(
            {"phone": "081234567890", "contentType": "image", "content": ""},
            400, "VALIDATION_FAILED", id="an empty medium",
        ),
        pytest.param(
            {"phone": "081234567890", "contentType": "image", "mediaId": "med_none"},
            404, "MEDIA_NOT_FOUND", id="an unknown medium",
        ),
    ],
)  # fmt: skip
async def test_a_wrong_message_is_refused_and_nothing_is_sent(
    site: Site, body: dict[str, Any], status: int, code: str
) -> None:
    session_id = await new_session(site)
    refused(await site.client.post(chat(site, session_id), json=body), status, code)
    assert await commands(site) == []


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        pytest.param(b'{"phone": ', "application/json", "MALFORMED_JSON", id="half a body"),
        pytest.param(b"", "application/json", "MALFORMED_JSON", id="no body"),
        pytest.param(b"\xff\xfe", "application/json", "MALFORMED_JSON", id="no UTF-8"),
        pytest.param(b'["a"]', "application/json", "VALIDATION_FAILED", id="a list"),
        pytest.param(b"nonsense", "multipart/form-data; boundary=x", "VALIDATION_FAILED", id="no form"),
        pytest.param(b"--x\r\n", "multipart/form-data; boundary=x", "VALIDATION_FAILED", id="half a form"),
        pytest.param(b"--x--\r\n", "multipart/form-data", "VALIDATION_FAILED", id="no boundary"),
    ],
)
async def test_a_malformed_body_is_refused(site: Site, body: bytes, content_type: str, code: str) -> None:
    session_id = await new_session(site)
    answer = await site.client.post(chat(site, session_id), content=body, headers={"Content-Type": content_type})
    refused(answer, 400, code)


@pytest.mark.parametrize("segment", ["50%", "%zz", "%FF"])
async def test_a_path_that_cannot_be_decoded_is_refused(site: Site, segment: str) -> None:
    session_id = await new_session(site)
    address = urlsplit(site.url)

    def ask() -> int:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        with contextlib.closing(connection):
            connection.putrequest("GET", chat(site, session_id, f"/081234567890/{segment}"))
            connection.endheaders()
            return connection.getresponse().status

    assert await asyncio.to_thread(ask) == 400
    assert await commands(site) == []


async def test_a_wrong_key_is_refused(site: Site) -> None:
    session_id = await new_session(site)
    url = chat(site, session_id, key="gf_wrong")
    body = refused(
        await site.client.post(url, json={"phone": "081234567890", "message": "Halo"}), 401, "INVALID_API_KEY"
    )
    assert body["message"] == "Invalid API key"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_session_is_not_found(site: Site, method: str) -> None:
    body = {"phone": "081234567890", "message": "Halo"} if method == "POST" else None
    refused(await site.client.request(method, chat(site, "nobody"), json=body), 404, "SESSION_NOT_FOUND")


async def test_an_unknown_bearer_is_ignored(site: Site) -> None:
    session_id = await new_session(site)
    headers = {"Authorization": "Bearer something-else"}
    body = {"phone": "081234567890", "message": "Halo"}
    assert (await site.client.post(chat(site, session_id), json=body, headers=headers)).status_code == 200


async def test_a_session_that_must_be_connected_refuses_when_it_is_not(site: Site) -> None:
    session_id = await new_session(site)
    body = {"phone": "081234567890", "message": "Halo"}
    refused(
        await site.client.post(chat(site, session_id, "?requireConnected=1"), json=body), 409, "SESSION_NOT_CONNECTED"
    )
    assert await commands(site) == []


async def test_a_full_queue_refuses(site: Site, rows: Any) -> None:
    session_id = await new_session(site)
    await rows.queue_depths.insert_one({"_id": session_id, "open": 10_000})
    body = {"phone": "081234567890", "message": "Halo"}
    answer = await site.client.post(chat(site, session_id), json=body)
    refused(answer, 429, "QUEUE_FULL")
    assert answer.headers["retry-after"]
    assert await commands(site) == []
