"""Media: streamed in and out, kept for their time, refused when they are not what they should be."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.media import store_media
from tests import media
from tests.integration.api.edges import Site, refused

PNG = media.picture()
PDF = b"%PDF-1.7\n" + b"\0" * 64
MEGABYTE = 1024 * 1024


async def upload(site: Site, data: bytes, name: str = "a.bin", **fields: str) -> Any:
    return await site.call("POST", "/media", files={"file": (name, data, "text/html")}, data=fields)


async def test_an_upload_tells_what_the_file_is(site: Site) -> None:
    answer = await upload(site, PNG, "../Foto 1.png")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["data"] == {
        "mediaId": told["mediaId"],
        "mimetype": "image/png",
        "fileName": "Foto 1.png",
        "bytes": len(PNG),
        "sha256": hashlib.sha256(PNG).hexdigest(),
    }
    downloaded = await site.call("GET", f"/media/{told['mediaId']}")
    assert downloaded.content == PNG
    assert downloaded.headers["content-type"] == "image/png"
    assert downloaded.headers["content-length"] == str(len(PNG))
    assert downloaded.headers["content-disposition"] == "attachment; filename*=UTF-8''Foto%201.png"
    assert downloaded.headers["x-content-type-options"] == "nosniff"


async def test_a_part_of_a_file_is_read_over_the_edge_of_its_chunks(site: Site) -> None:
    edge = store_media.CHUNK_BYTES
    whole = PDF + bytes(number % 251 for number in range(2 * edge))
    media_id = (await upload(site, whole)).json()["mediaId"]
    for asked, first, last in ((f"{edge - 2}-{edge + 1}", edge - 2, edge + 1), ("-3", len(whole) - 3, len(whole) - 1)):
        answer = await site.call("GET", f"/media/{media_id}", headers={"Range": f"bytes={asked}"})
        assert answer.status_code == 206, answer.text
        assert answer.content == whole[first : last + 1]
        assert answer.headers["content-length"] == str(last - first + 1)
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
    for more in ({"Range": "bytes=0-1,3-4"}, {"Range": "bytes=0-1", "If-Range": '"another"'}):
        answer = await site.call("GET", f"/media/{media_id}", headers=more)
        assert (answer.status_code, answer.content) == (200, whole)


async def test_the_name_in_the_form_wins(site: Site) -> None:
    answer = await upload(site, PDF, "blob", fileName="offer.pdf")
    assert answer.json()["data"]["fileName"] == "offer.pdf"


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        pytest.param("filename*=UTF-8''Daftar%20harga%20%E2%82%AC.pdf", "Daftar harga €.pdf", id="extended"),
        pytest.param("filename=x.pdf; filename*=UTF-8''%E2%82%AC.pdf", "€.pdf", id="both"),
        pytest.param('filename="=?UTF-8?B?4oKsLnBkZg==?="', "€.pdf", id="an encoded word"),
        pytest.param('filename="Daftar%20harga"', "Daftar harga.pdf", id="percent escapes, no ending"),
        pytest.param('filename="€.pdf"', "€.pdf", id="raw UTF-8"),
    ],
)
async def test_the_name_of_an_upload_is_read_however_it_is_written(site: Site, parameters: str, name: str) -> None:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; {parameters}\r\n\r\n'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await site.call("POST", "/media", content=head + PDF + b"\r\n--b--\r\n", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["fileName"] == name


async def test_a_large_file_is_streamed_and_never_held_in_memory(site: Site) -> None:
    size, piece = 48 * MEGABYTE, bytes(range(256)) * 256
    boundary = "----merpati"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'.encode()

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(size // len(piece)):
            yield piece
        yield f"\r\n--{boundary}--\r\n".encode()

    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    tracemalloc.start()
    try:
        answer = await site.call("POST", "/media", content=body(), headers=headers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["bytes"] == size
    assert peak < 12 * MEGABYTE
    media_id, read = answer.json()["mediaId"], 0
    headers = {"Authorization": f"Bearer {site.account.api_key}"}
    async with site.client.stream("GET", f"/api/customer/whatsapp/media/{media_id}", headers=headers) as downloaded:
        async for part in downloaded.aiter_bytes():
            read += len(part)
    assert read == size


@pytest.mark.parametrize(
    ("data", "fields", "status", "code"),
    [
        pytest.param(b"", {}, 400, "INVALID_MEDIA", id="empty"),
        pytest.param(PDF, {"contentType": "image"}, 400, "INVALID_MEDIA", id="no image"),
        pytest.param(PDF, {"contentType": "gif"}, 400, "VALIDATION_FAILED", id="an unknown kind"),
        pytest.param(PNG + b"\0" * 17 * MEGABYTE, {"contentType": "image"}, 413, "PAYLOAD_TOO_LARGE", id="too large"),
        pytest.param(PDF + b"\0" * 101 * MEGABYTE, {}, 413, "PAYLOAD_TOO_LARGE", id="larger than any kind"),
    ],
)
async def test_a_wrong_file_is_refused_and_nothing_of_it_stays(
    site: Site, rows: Any, data: bytes, fields: dict[str, str], status: int, code: str
) -> None:
    refused(await upload(site, data, **fields), status, code)
    assert await rows["media.files"].count_documents({}) == 0
    assert await rows["media.chunks"].count_documents({}) == 0


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({"json": {"file": "x"}}, "VALIDATION_FAILED", id="JSON"),
        pytest.param({"files": {"other": (None, "x")}}, "VALIDATION_FAILED", id="no file"),
        pytest.param({"files": [("file", ("a", PNG)), ("file", ("b", PNG))]}, "VALIDATION_FAILED", id="two files"),
    ],
)
async def test_what_is_no_upload_is_refused(site: Site, rows: Any, more: dict[str, Any], code: str) -> None:
    refused(await site.call("POST", "/media", **more), 400, code)
    assert await rows["media.chunks"].count_documents({}) == 0


async def test_an_unknown_medium_is_not_found(site: Site) -> None:
    refused(await site.call("GET", "/media/med_none"), 404, "MEDIA_NOT_FOUND")


async def test_media_whose_time_is_over_are_removed_and_the_others_stay(site: Site, rows: Any) -> None:
    ids = [(await upload(site, PDF)).json()["mediaId"] for _ in range(3)]
    past = datetime.now(UTC) - timedelta(minutes=1)
    await rows["media.files"].update_many({"_id": {"$in": ids[:2]}}, {"$set": {"metadata.keepUntil": past}})
    assert await store_media.drop_media_past(site.edge.database, datetime.now(UTC), most=100) == 2
    assert await rows["media.files"].distinct("_id") == [ids[2]]
    assert await rows["media.chunks"].distinct("files_id") == [ids[2]]
    assert await store_media.drop_media_past(site.edge.database, datetime.now(UTC), most=100) == 0
