"""Sessions over HTTP, in both dialects; the test itself is the owner that writes the observed state."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import nats
import pytest

from libs.contracts.ids import COMMANDS, session_subject, shard_of
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import Site, observe, refused

KEYS = {
    "id",
    "sessionId",
    "name",
    "sessionName",
    "status",
    "phone",
    "qr",
    "message",
    "engine",
    "createdAt",
    "updatedAt",
    "connectedAt",
    "lastSeenAt",
    "aiConfig",
    "isNotification",
}


async def test_a_created_session_has_all_keys_in_both_dialects(site: Site) -> None:
    body = (await site.call("POST", "/sessions", json={"sessionName": "  Sales  ", "extra": 1})).json()
    assert body["success"] is True
    assert body["message"]
    for half, status in (("session", "DISCONNECTED"), ("data", "disconnected")):
        assert set(body[half]) >= KEYS
        assert (body[half]["name"], body[half]["sessionName"], body[half]["status"]) == ("Sales", "Sales", status)
        assert body[half]["id"] == body[half]["sessionId"]
        assert body[half]["engine"] == "scripted"
        assert body[half]["createdAt"].endswith("Z")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": " ab "}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": "x" * 300}, "name"),
        ({"name": "a\tbc"}, "name"),
        ({"name": 123}, "name"),
        ({"name": "Good", "engine": "telegraph"}, "engine"),
    ],
    ids=["none", "short", "short when trimmed", "long", "very long", "tab", "number", "unknown engine"],
)
async def test_a_bad_new_session_is_refused_with_its_field(site: Site, body: dict[str, Any], field: str) -> None:
    answer = refused(await site.call("POST", "/sessions", json=body), 400, "VALIDATION_FAILED")
    assert [one["path"] for one in answer["details"]["fields"]] == [field]
    assert answer["details"]["fields"][0]["reason"]


async def test_a_known_engine_that_does_not_run_is_unavailable(site: Site) -> None:
    answer = await site.call("POST", "/sessions", json={"name": "Good", "engine": "whatsapp"})
    assert "scripted, simulator" in refused(answer, 503, "ENGINE_UNAVAILABLE")["message"]


async def test_a_name_is_taken_until_its_session_is_deleted(site: Site) -> None:
    session_id = await site.make_session("Sales")
    refused(await site.call("POST", "/sessions", json={"name": "Sales"}), 409, "SESSION_NAME_TAKEN")
    deleted = await site.call("DELETE", f"/sessions/{session_id}")
    assert deleted.status_code == 200
    assert deleted.json()["message"]
    assert await site.make_session("Sales") != session_id


async def test_the_list_is_newest_first_and_pages(site: Site) -> None:
    for name in ("one", "two", "three"):
        await site.make_session(name)
    body = (await site.call("GET", "/sessions?limit=2&offset=0")).json()
    assert [one["name"] for one in body["sessions"]] == ["three", "two"]
    assert [one["name"] for one in body["data"]] == ["three", "two"]
    assert body["pagination"] == {"total": 3, "limit": 2, "offset": 0, "hasMore": True}
    assert body["sessionQuota"] == {"used": 3, "max": 1000, "canCreateMore": True}
    assert body["package"]["name"] == "Self-hosted"
    assert body["package"]["maxSessions"] == 1000
    assert body["subscription"]["currentSessions"] == 3
    rest = (await site.call("GET", "/sessions?limit=2&offset=2")).json()
    assert [one["name"] for one in rest["sessions"]] == ["one"]
    assert rest["pagination"]["hasMore"] is False


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("CONNECTED", ["busy"]),
        ("connected", ["busy"]),
        ("disconnected", ["fresh"]),
        ("all", ["fresh", "busy"]),
        ("", ["fresh", "busy"]),
        ("error", []),
    ],
)
async def test_the_list_filters_by_either_dialect(site: Site, rows: Any, status: str, names: list[str]) -> None:
    await observe(rows, await site.make_session("busy"), "connected", phone="628110001")
    await site.make_session("fresh")
    body = (await site.call("GET", "/sessions", params={"status": status})).json()
    assert [one["name"] for one in body["sessions"]] == names
    assert body["pagination"]["total"] == len(names)


@pytest.mark.parametrize(
    "query", ["status=nonsense", "limit=0", "limit=abc", "offset=-1", f"offset={10**40}", "limit=100000"]
)
async def test_a_bad_query_is_refused(site: Site, query: str) -> None:
    refused(await site.call("GET", f"/sessions?{query}"), 400, "VALIDATION_FAILED")


async def test_without_a_subscription_the_list_is_empty_and_no_error(site: Site, rows: Any) -> None:
    await rows.subscriptions.delete_many({})
    body = (await site.call("GET", "/sessions")).json()
    assert body["success"] is True
    assert body["sessions"] == []
    assert body["sessionQuota"] == {"used": 0, "max": 0, "canCreateMore": False}


async def test_a_session_is_found_by_id_and_by_name(site: Site) -> None:
    session_id = await site.make_session("My shop & co")
    for ref in (session_id, "My%20shop%20%26%20co"):
        assert (await site.call("GET", f"/sessions/{ref}")).json()["session"]["id"] == session_id
    refused(await site.call("GET", "/sessions/nobody"), 404, "SESSION_NOT_FOUND")


async def test_an_id_wins_over_a_name(site: Site, rows: Any) -> None:
    """Former versions took such names."""
    first, second = await site.make_session("first"), await site.make_session("second")
    await rows.sessions.update_one({"_id": second}, {"$set": {"name": first}})
    assert (await site.call("GET", f"/sessions/{first}")).json()["session"]["name"] == "first"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/start"),
        ("POST", "/stop"),
        ("POST", "/restart"),
        ("POST", "/logout"),
        ("GET", "/qr"),
        ("GET", "/health"),
    ],
)
async def test_another_customers_session_is_not_found(site: Site, rows: Any, method: str, path: str) -> None:
    session_id = await site.make_session()
    await rows.sessions.update_one({"_id": session_id}, {"$set": {"customerId": "cus_other"}})
    before = await rows.sessions.find_one({"_id": session_id})
    answer = await site.call(
        method, f"/sessions/{session_id}{path}", json={"name": "Mine"} if method == "PUT" else None
    )
    refused(answer, 404, "SESSION_NOT_FOUND")
    assert await rows.sessions.find_one({"_id": session_id}) == before


async def test_the_observed_state_is_shown(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    await observe(rows, session_id, "connected", phone="628110001", connectedAt=at, lastSeenAt=at)
    body = (await site.call("GET", f"/sessions/{session_id}")).json()
    assert body["session"]["status"] == "CONNECTED"
    assert body["data"]["status"] == "connected"
    assert body["data"]["phone"] == "628110001"
    assert body["data"]["connectedAt"] == body["data"]["lastSeenAt"] == "2026-01-02T03:04:05.678Z"


# --- Changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "Renamed"}, {"name": "Renamed", "version": 2, "running": False, "starts": 0}),
        ({"sessionName": "Renamed"}, {"name": "Renamed", "version": 2}),
        ({"status": "active"}, {"running": True, "starts": 1, "version": 1}),
        ({"status": "inactive"}, {"running": False, "starts": 0}),
        ({"isDefault": True}, {"isDefault": True, "version": 2}),
        ({"isNotification": True, "other": 1}, {"isNotification": True, "version": 2}),
    ],
)
async def test_an_update_changes_what_is_wanted(
    site: Site, rows: Any, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    session_id = await site.make_session()
    answer = await site.call("PUT", f"/sessions/{session_id}", json=body)
    assert answer.status_code == 200
    assert set(answer.json()) == {"success", "session", "data", "message"}
    wanted = await rows.sessions.find_one({"_id": session_id})
    assert {name: wanted[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "VALIDATION_FAILED"),
        ({"name": "x"}, 400, "VALIDATION_FAILED"),
        ({"status": "asleep"}, 400, "VALIDATION_FAILED"),
        ({"name": "Taken"}, 409, "SESSION_NAME_TAKEN"),
    ],
)
async def test_a_bad_update_changes_nothing(
    site: Site, rows: Any, body: dict[str, Any], status: int, code: str
) -> None:
    await site.make_session("Taken")
    session_id = await site.make_session("Mine")
    before = await rows.sessions.find_one({"_id": session_id})
    refused(await site.call("PUT", f"/sessions/{session_id}", json=body), status, code)
    assert await rows.sessions.find_one({"_id": session_id}) == before


async def test_one_session_is_the_default(site: Site, rows: Any) -> None:
    for name in ("one", "two"):
        session_id = await site.make_session(name)
        await site.call("PUT", f"/sessions/{session_id}", json={"isDefault": True})
    flagged = [row["name"] async for row in rows.sessions.find({"isDefault": True})]
    assert flagged == ["two"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("start", {"running": True, "starts": 1, "restarts": 0, "logouts": 0}),
        ("stop", {"running": False, "starts": 0, "restarts": 0, "logouts": 0}),
        ("restart", {"running": True, "starts": 1, "restarts": 1, "logouts": 0}),
        ("logout", {"running": False, "starts": 0, "restarts": 0, "logouts": 1}),
    ],
)
async def test_an_action_is_accepted_and_wanted(site: Site, rows: Any, action: str, expected: dict[str, Any]) -> None:
    session_id = await site.make_session()
    answer = await site.call("POST", f"/sessions/{session_id}/{action}")
    assert answer.status_code == 202
    assert set(answer.json()) == {"success", "session", "data", "message"}
    wanted = await rows.sessions.find_one({"_id": session_id})
    assert {name: wanted[name] for name in expected} == expected


async def test_each_change_pokes_the_owner(site: Site, streams: str) -> None:
    session_id = await site.make_session()
    await site.call("POST", f"/sessions/{session_id}/start", headers={"X-Request-ID": "my-request"})
    client = await nats.connect(streams)
    jetstream = client.jetstream()
    last = await jetstream.get_last_msg(COMMANDS, session_subject("scripted", session_id, 32))
    assert msgspec.json.decode(last.data or b"") == {
        "kind": "ReconcileSession",
        "customerId": site.account.customer_id,
        "sessionId": session_id,
    }
    assert (last.headers or {})["Request-Id"] == "my-request"
    assert (await jetstream.stream_info(COMMANDS)).state.messages == 2
    await client.close()


async def test_a_deleted_session_is_gone_but_its_row_tells_the_owner(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    await site.call("POST", f"/sessions/{session_id}/start")
    await site.call("DELETE", f"/sessions/{session_id}")
    refused(await site.call("DELETE", f"/sessions/{session_id}"), 404, "SESSION_NOT_FOUND")
    body = (await site.call("GET", "/sessions")).json()
    assert (body["sessions"], body["sessionQuota"]["used"]) == ([], 0)
    row = await rows.sessions.find_one({"_id": session_id})
    assert (row["live"], row["running"], row["shard"]) == (False, False, shard_of(session_id, 32))
    assert row["deletedAt"] is not None


# --- The limit -------------------------------------------------------------------------------------------------------


async def test_the_plans_limit_holds_under_a_rush(site: Site, rows: Any, open_site: SiteMaker) -> None:
    await rows.subscriptions.update_many({}, {"$set": {"allowance.maxSessions": 5}})
    async with open_site() as other:
        calls = [
            edge.call("POST", "/sessions", json={"name": f"Rush {number}"})
            for number in range(10)
            for edge in (site, other)
        ]
        answers = await asyncio.gather(*calls)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) == 5
    assert set(statuses[5:]) <= {403, 409}
    assert await rows.sessions.count_documents({"live": True}) == 5
    full = {"packageName": "Self-hosted", "maxSessions": 5, "currentSessions": 5}
    answers.append(await site.call("POST", "/sessions", json={"name": "One more"}))
    for answer in answers:
        if answer.status_code == 403:
            assert refused(answer, 403, "SESSION_LIMIT_REACHED")["details"] == full


async def test_a_deleted_session_frees_its_place_once(site: Site, rows: Any) -> None:
    await rows.subscriptions.update_many({}, {"$set": {"allowance.maxSessions": 1}})
    session_id = await site.make_session("one")
    refused(await site.call("POST", "/sessions", json={"name": "two"}), 403, "SESSION_LIMIT_REACHED")
    answers = await asyncio.gather(*(site.call("DELETE", f"/sessions/{session_id}") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404, 404]
    await site.make_session("two")
    refused(await site.call("POST", "/sessions", json={"name": "three"}), 403, "SESSION_LIMIT_REACHED")


async def test_a_name_that_is_taken_costs_no_place(site: Site, rows: Any) -> None:
    await rows.subscriptions.update_many({}, {"$set": {"allowance.maxSessions": 2}})
    await site.make_session("one")
    refused(await site.call("POST", "/sessions", json={"name": "one"}), 409, "SESSION_NAME_TAKEN")
    await site.make_session("two")


# --- Health ----------------------------------------------------------------------------------------------------------


async def test_health_shows_the_evidence(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    at = datetime.now(UTC)
    await observe(
        rows,
        session_id,
        "restricted",
        reason="RESTRICTED",
        resumeAt=at,
        lastAckAt=at,
        lastSeenAt=at,
        reconnectedAt=[at],
        degraded=True,
    )
    noted = {"_id": session_id, "customerId": site.account.customer_id, "open": 1, "oldestQueuedAt": at}
    await rows.queue_depths.insert_one(noted)
    data = (await site.call("GET", f"/sessions/{session_id}/health")).json()["data"]
    assert (data["status"], data["state"], data["degraded"], data["queueDepth"]) == ("connected", "restricted", True, 1)
    assert data["reconnectsLastHour"] == 1
    assert data["restriction"]["resumeAt"] == data["oldestQueuedAt"] == data["lastAckAt"] == data["lastSeenAt"]
    assert (data["reason"], data["resumeAt"]) == ("RESTRICTED", data["lastAckAt"])


@pytest.mark.parametrize(
    ("waits", "undecided", "waiting_for", "english", "indonesian"),
    [
        pytest.param(["lookup", "restriction"], 2, "restriction", "holds them back", "sedang menahannya", id="held"),
        pytest.param(["upload"], 2, "former_number", "2 messages", "2 pesan", id="a former number"),
        pytest.param(["upload", "lookup"], 0, "lookup", "Some messages wait", "Sebagian pesan", id="a look-up"),
        pytest.param(["upload"], 0, "upload", "their files", "berkasnya", id="an upload"),
        pytest.param(["pace"], 0, None, None, None, id="the usual pace"),
    ],
)
async def test_health_says_what_messages_wait_for_in_both_languages(
    site: Site,
    rows: Any,
    waits: list[str],
    undecided: int,
    waiting_for: str | None,
    english: str | None,
    indonesian: str | None,
) -> None:
    session_id = await site.make_session()
    await observe(rows, session_id, "connected")
    told = [{"reason": each, "messages": 1, "resumeAt": None} for each in waits]
    noted = {"_id": session_id, "customerId": site.account.customer_id, "open": 3}
    await rows.queue_depths.insert_one({**noted, "waits": told, "undecided": undecided})
    for language, words in (("en", english), ("id", indonesian)):
        answer = await site.call("GET", f"/sessions/{session_id}/health", headers={"Accept-Language": language})
        data = answer.json()["data"]
        assert data["waitingFor"] == waiting_for
        assert words is None or words in data["message"]
