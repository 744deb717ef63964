"""Media of messages that came in: downloaded when first read, once, and served as nothing that runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gridfs.asynchronous import AsyncGridFSBucket
from gridfs.errors import FileExists

from libs.contracts.calls import AskFailed, FetchMedia, MediaFetched
from libs.contracts.content import Image
from libs.contracts.ids import incoming_media_id, new_message_id
from libs.runtime.mongo import to_document
from services.api.errors import MEGABYTE
from tests.integration.api.commands import only_send
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import AT, PNG, message_row, send
from tests.integration.api.owner import owner


@pytest.fixture
async def media_id(site: Site, session_id: str, rows: Any) -> str:
    """Of an image that came in and that nobody has read yet."""
    message_id = new_message_id()
    row = message_row(
        site,
        session_id,
        message_id,
        direction="in",
        from_="628111111111",
        type="image",
        mimetype="image/png",
        file_name="foto.png",
        media_bytes=len(PNG),
        media_ref=b"ref",
    )
    await rows.messages.insert_one(to_document(row))
    told = (await site.call("GET", f"/messages/{message_id}")).json()["data"]
    assert told["media"]["mediaId"] == incoming_media_id(message_id)
    return told["media"]["mediaId"]


@pytest.fixture
async def engine(rows: Any, streams: str) -> AsyncIterator[list[Any]]:
    """The session's owner, which writes the image as the engine does, with no more metadata than it is given."""

    async def write(ask: Any) -> MediaFetched:
        metadata = {"customerId": ask.customer_id, "mimetype": ask.mimetype}
        bucket = AsyncGridFSBucket(rows, "media")
        with contextlib.suppress(FileExists):
            await bucket.upload_from_stream_with_id(ask.media_id, ask.media_id, PNG, metadata=metadata)
        return MediaFetched(bytes=len(PNG), sha256="")

    async with owner(streams, write) as asked:
        yield asked


async def test_an_incoming_medium_is_downloaded_when_first_read(
    site: Site, session_id: str, media_id: str, rows: Any, engine: list[Any]
) -> None:
    for _ in range(2):
        read = await site.call("GET", f"/media/{media_id}")
        assert read.status_code == 200, read.text
        assert read.content == PNG
        assert read.headers["content-type"] == "image/png"
        assert read.headers["content-disposition"] == "attachment; filename*=UTF-8''foto.png"
        assert read.headers["x-content-type-options"] == "nosniff"
    assert engine == [
        FetchMedia(
            session_id=session_id,
            customer_id=site.account.customer_id,
            media_id=media_id,
            mimetype="image/png",
            ref=b"ref",
            most_bytes=site.edge.settings.document_bytes,
        )
    ]
    file = await rows["media.files"].find_one({"_id": media_id})
    assert file["metadata"]["keepUntil"] > datetime.now(UTC) + timedelta(days=29)


async def test_an_incoming_medium_is_sent_on_without_having_been_read(
    site: Site, session_id: str, media_id: str, engine: list[Any]
) -> None:
    answer = await send(site, session_id, {"type": "image", "to": "081234567890", "mediaId": media_id})
    assert answer.status_code == 202, answer.text
    content = (await only_send(site)).content
    assert isinstance(content, Image)
    assert (content.media_id, content.mimetype) == (media_id, "image/png")
    assert len(engine) == 1


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("GONE", 404, "MEDIA_GONE"),
        ("NOT_CONNECTED", 409, "SESSION_NOT_CONNECTED"),
        ("TOO_LARGE", 413, "PAYLOAD_TOO_LARGE"),
    ],
)
async def test_a_medium_that_cannot_be_downloaded_says_why(
    site: Site, media_id: str, streams: str, code: str, status: int, error: str
) -> None:
    async with owner(streams, AskFailed(code=code, detail="No.")):
        refused(await site.call("GET", f"/media/{media_id}"), status, error)


LARGE = 100 * MEGABYTE


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "The medium is larger than the limit of 100 MB; it has 131.5 MB."),
        ("id", "Ukuran media melebihi batas 100 MB; ukurannya 131,5 MB."),
    ],
)
async def test_a_medium_that_is_larger_than_what_is_taken_tells_its_size_and_the_limit(
    site: Site, media_id: str, rows: Any, language: str, said: str
) -> None:
    size = int(131.5 * MEGABYTE)
    await rows.messages.update_one({"messageId": media_id.removeprefix("in_")}, {"$set": {"mediaBytes": size}})
    answer = await site.call("GET", f"/media/{media_id}", headers={"Accept-Language": language})
    told = refused(answer, 413, "PAYLOAD_TOO_LARGE")
    assert told["message"] == said
    assert told["details"] == {"limitBytes": LARGE, "sizeBytes": size}


async def test_a_medium_that_turns_out_larger_than_what_is_taken_tells_the_limit(
    site: Site, media_id: str, streams: str
) -> None:
    async with owner(streams, AskFailed(code="TOO_LARGE", detail="No.")):
        told = refused(await site.call("GET", f"/media/{media_id}"), 413, "PAYLOAD_TOO_LARGE")
    assert told["message"] == "The medium is larger than the limit of 100 MB."
    assert told["details"] == {"limitBytes": LARGE}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"customerId": "cus_other"}, id="of another customer"),
        pytest.param({"revokedAt": AT}, id="of a message that was deleted"),
        pytest.param({"mediaRef": None}, id="without a reference"),
    ],
)
async def test_a_medium_that_is_not_to_be_read_is_not_found(
    site: Site, media_id: str, rows: Any, engine: list[Any], change: dict[str, Any]
) -> None:
    await site.call("GET", f"/media/{media_id}")
    await rows.messages.update_one({"messageId": media_id.removeprefix("in_")}, {"$set": change})
    refused(await site.call("GET", f"/media/{media_id}"), 404, "MEDIA_NOT_FOUND")


async def test_a_key_of_another_session_does_not_read_it(
    site: Site, media_id: str, rows: Any, engine: list[Any]
) -> None:
    await rows.keys.update_many({}, {"$set": {"sessionIds": ["another"]}})
    await site.edge.memory.drop(f"key/primary/{site.account.customer_id}")
    refused(await site.call("GET", f"/media/{media_id}"), 404, "MEDIA_NOT_FOUND")
    assert engine == []


@pytest.mark.parametrize(
    ("mimetype", "served"),
    [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("text/html; charset=utf-8", "application/octet-stream"),
        ("image/png\r\nX-Evil: 1", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("audio/ogg; codecs=opus", "audio/ogg"),
        ("application/pdf", "application/pdf"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", None),
    ],
)
async def test_what_a_stranger_calls_it_never_runs_in_a_browser(
    site: Site, media_id: str, rows: Any, engine: list[Any], mimetype: str, served: str | None
) -> None:
    await rows.messages.update_one({"messageId": media_id.removeprefix("in_")}, {"$set": {"mimetype": mimetype}})
    read = await site.call("GET", f"/media/{media_id}")
    assert read.status_code == 200
    assert read.headers["content-type"] == (served or mimetype)
    assert read.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in read.headers["content-security-policy"]
    assert "x-evil" not in read.headers
