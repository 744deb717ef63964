"""The QR code of a session in its four formats; the test itself is the owner that brings the code."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.sessions import linking, store_sessions
from tests.integration.api.edges import BOUND_S, SOON, Site, observe, refused, soon, wanted_state

CODE = "2@" + "q" * 120


async def test_a_stopped_session_begins_its_link_and_waits_for_the_first_code(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    request = asyncio.create_task(site.call("GET", f"/sessions/{session_id}/qr?wait=25"))
    wanted = await wanted_state(rows, session_id, lambda row: row["running"])
    assert wanted["starts"] == 1
    await observe(rows, session_id, "starting")
    assert not request.done()
    await observe(rows, session_id, "qr_ready", qr=CODE, expiresAt=soon())
    answer = await asyncio.wait_for(request, BOUND_S)
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body["qr"] == body["data"]["qr"]
    assert base64.b64decode(body["qr"].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert body["data"]["hasQR"] is True
    assert body["data"]["status"] == "qr_generated"
    assert SOON.seconds - 60 <= body["data"]["expiresIn"] <= SOON.seconds
    assert body["data"]["sessionName"] == "Sales"


async def test_two_that_saw_the_same_begin_one_link(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    seen = await store_sessions.seen_session(site.edge.database, site.account.customer_id, session_id)
    assert seen is not None
    for _ in range(2):
        begun = await linking.begun(site.edge, seen)
        assert (begun.record.running, begun.record.starts) == (True, 1)
    await site.call("GET", f"/sessions/{session_id}/qr?wait=0")
    assert (await rows.sessions.find_one({"_id": session_id}))["starts"] == 1


@pytest.mark.parametrize(
    ("image", "kind", "begin"),
    [("png", "image/png", b"\x89PNG"), ("svg", "image/svg+xml", b"<?xml"), ("raw", "text/plain", CODE.encode())],
)
async def test_the_code_in_other_formats(site: Site, rows: Any, image: str, kind: str, begin: bytes) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "qr_ready", qr=CODE, expiresAt=soon())
    answer = await site.call("GET", f"/sessions/{session_id}/qr?format={image}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(begin)


async def test_without_a_code_in_time_json_says_so(site: Site) -> None:
    session_id = await site.make_session()
    answer = await site.call("GET", f"/sessions/{session_id}/qr?wait=0.1")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["qr"], body["data"]["hasQR"]) == (None, False)
    assert body["message"] == "QR code is not ready yet, try again"


UNREACHED = {"reason": "connect_failed", "cause": "proxy_refused"}


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "WhatsApp cannot be reached: the proxy refused the connection"),
        ("id", "WhatsApp tidak dapat dihubungi: proksi menolak koneksi"),
    ],
)
async def test_a_network_out_of_reach_is_told_as_soon_as_it_is_known(
    site: Site, rows: Any, language: str, says: str
) -> None:
    session_id, said = await site.make_session(), {"Accept-Language": language}
    asking = asyncio.create_task(site.call("GET", f"/sessions/{session_id}/qr?wait=60", headers=said))
    await wanted_state(rows, session_id, lambda row: row["starts"] == 1)
    await observe(rows, session_id, "starting", **UNREACHED)
    answer = await asyncio.wait_for(asking, BOUND_S)
    body = answer.json()
    assert (answer.status_code, body["qr"], body["message"]) == (200, None, says)
    data = body["data"]
    assert (data["reason"], data["cause"], data["stage"]) == ("connect_failed", "proxy_refused", "reaching")
    session = (await site.call("GET", f"/sessions/{session_id}", headers=said)).json()["data"]
    assert (session["message"], session["cause"], session["stage"]) == (says, "proxy_refused", "reaching")
    health = (await site.call("GET", f"/sessions/{session_id}/health", headers=said)).json()["data"]
    assert (health["message"], health["cause"]) == (says, "proxy_refused")


async def test_asking_later_tries_again_at_once(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "starting", **UNREACHED, updatedAt=datetime.now(UTC) - timedelta(minutes=1))
    asking = asyncio.create_task(site.call("GET", f"/sessions/{session_id}/qr?wait=60"))
    await wanted_state(rows, session_id, lambda row: row["starts"] == 1)
    await observe(rows, session_id, "qr_ready", qr=CODE, expiresAt=soon())
    body = (await asyncio.wait_for(asking, BOUND_S)).json()
    assert (body["data"]["hasQR"], body["data"]["stage"]) == (True, "code")


@pytest.mark.parametrize("image", ["png", "svg", "raw"])
async def test_the_pictures_of_a_network_out_of_reach_say_why_there_are_none(site: Site, rows: Any, image: str) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "starting", **UNREACHED)
    answer = await site.call("GET", f"/sessions/{session_id}/qr?format={image}")
    assert "the proxy refused the connection" in refused(answer, 404, "QR_NOT_AVAILABLE")["message"]


@pytest.mark.parametrize("image", ["png", "svg", "raw"])
async def test_without_a_code_the_pictures_are_not_found(site: Site, image: str) -> None:
    session_id = await site.make_session()
    answer = await site.call("GET", f"/sessions/{session_id}/qr?wait=0&format={image}")
    refused(answer, 404, "QR_NOT_AVAILABLE")


@pytest.mark.parametrize("status", ["connected", "restricted"])
async def test_a_connected_session_needs_no_code(site: Site, rows: Any, status: str) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, status)
    answer = await site.call("GET", f"/sessions/{session_id}/qr")
    assert answer.status_code == 200
    assert answer.json()["qr"] is None
    assert "already connected" in answer.json()["message"]
    assert (await rows.sessions.find_one({"_id": session_id}))["starts"] == 0


async def test_a_banned_session_is_a_conflict_with_its_reason(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "banned", reason="banned for 24 hours")
    body = refused(await site.call("GET", f"/sessions/{session_id}/qr"), 409, "SESSION_BANNED")
    assert "banned for 24 hours" in body["message"]


async def test_a_code_that_is_over_is_not_shown(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "qr_ready", qr=CODE, expiresAt=datetime.now(UTC) - timedelta(seconds=1))
    assert (await site.call("GET", f"/sessions/{session_id}/qr?wait=0")).json()["qr"] is None


@pytest.mark.parametrize("query", ["wait=-1", "wait=nan", "wait=abc", "format=gif"])
async def test_a_bad_query_is_refused(site: Site, query: str) -> None:
    session_id = await site.make_session()
    refused(await site.call("GET", f"/sessions/{session_id}/qr?{query}"), 400, "VALIDATION_FAILED")
