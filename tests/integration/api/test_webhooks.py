"""Webhooks over HTTP: made, shown, changed and deleted by those who may; deliveries as status leaves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.ids import CACHE_DROPPED
from libs.contracts.webhooks import VERSIONS_ID
from libs.runtime.mongo import to_document
from tests.integration.api.accounts import add_customer, bearer, new_key, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, Site, refused, until
from tests.integration.api.frames import Publisher
from tests.unit.status.deliveries import delivery

URL = "https://8.8.8.8/hook"
"""A public address, to which nothing is ever sent here."""


async def make(site: Site, **fields: Any) -> dict[str, Any]:
    answer = await site.call("POST", "/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_webhook_is_made_and_its_secret_shown_once(site: Site, rows: Any) -> None:
    made = await make(site, events=["message.*"], description="Orders")
    assert made["secret"].startswith("whsec_")
    webhook = made["data"]
    assert (webhook["url"], webhook["events"], webhook["sessions"], webhook["status"]) == (
        *(URL, ["message.*"], None, "working"),
    )
    for path in ("/webhooks", f"/webhooks/{webhook['id']}"):
        assert made["secret"] not in (await site.call("GET", path)).text
    stored = await rows.webhooks.find_one({"_id": webhook["id"]})
    assert made["secret"] not in str(stored)
    opened = site.edge.ring.open(stored["secrets"][0]["sealed"], about=webhook["id"]).decode()
    assert opened == made["secret"]
    entry = await rows.audit.find_one({"action": "webhook.created"})
    assert entry["target"] == webhook["id"]
    assert made["secret"] not in str(entry)


async def test_a_webhook_starts_where_the_log_ends(site: Site, rows: Any, status: Publisher, session_id: str) -> None:
    last = await status.session(session_id, "connected")
    made = await make(site)
    stored = await rows.webhooks.find_one({"_id": made["data"]["id"]})
    assert stored["start"]["since"] == last
    assert stored["start"]["number"] == 1
    assert stored["start"]["version"] == stored["version"] > 0


async def test_changes_have_one_counter_and_are_announced(site: Site, rows: Any) -> None:
    heard: list[bytes] = []

    async def hear(message: Any) -> None:
        heard.append(message.data)

    await site.edge.bus.nats.subscribe(CACHE_DROPPED, cb=hear)
    await site.edge.bus.nats.flush()
    first, second = (await make(site))["data"]["id"], (await make(site))["data"]["id"]
    await site.call("PUT", f"/webhooks/{first}", json={"description": "x"})
    versions = {row["_id"]: row["version"] async for row in rows.webhooks.find()}
    assert versions[first] == versions[second] + 1

    async def announced() -> bool:
        return heard.count(VERSIONS_ID.encode()) == 3

    await until(announced)


async def test_webhooks_are_listed_newest_first(site: Site) -> None:
    ids = [(await make(site, description=str(number)))["data"]["id"] for number in range(3)]
    page = (await site.call("GET", "/webhooks?limit=2")).json()
    assert [each["id"] for each in page["data"]] == ids[:0:-1]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 0, "hasMore": True}


async def test_a_customer_has_so_many_webhooks_and_no_more(open_site: SiteMaker) -> None:
    async with open_site(most_webhooks=2) as site:
        kept = [await make(site) for _ in range(2)]
        refused(await site.call("POST", "/webhooks", json={"url": URL}), 403, "WEBHOOK_LIMIT_REACHED")
        await site.call("DELETE", f"/webhooks/{kept[0]['data']['id']}")
        await make(site)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"url": "http://127.0.0.1:9000/"}, "url"),
        ({"url": "http://localhost/"}, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "gopher://8.8.8.8/"}, "url"),
        ({"url": "https://me:secret@8.8.8.8/"}, "url"),
        ({"url": "https://8.8.8.8/" + "a" * 2048}, "url"),
        ({}, "url"),
        ({"url": URL, "events": ["message.snet"]}, "events"),
        ({"url": URL, "events": ["x" * 65]}, "events[...]"),
        ({"url": URL, "description": "x" * 201}, "description"),
    ],
    ids=lambda each: str(each)[:40] if isinstance(each, str) else None,
)
async def test_what_makes_no_webhook_is_refused_with_its_field(site: Site, body: dict[str, Any], path: str) -> None:
    answer = refused(await site.call("POST", "/webhooks", json=body), 400, "VALIDATION_FAILED")
    assert answer["details"]["fields"][0]["path"].startswith(path.partition("[")[0])


async def test_private_addresses_are_taken_where_the_deployment_allows_them(open_site: SiteMaker) -> None:
    async with open_site(private_targets=True) as site:
        await make(site, url="http://127.0.0.1:9000/")
        refused(await site.call("POST", "/webhooks", json={"url": "http://169.254.169.254/"}), 400, "VALIDATION_FAILED")


async def test_a_webhook_of_sessions_names_them_by_id_or_name(site: Site, session_id: str) -> None:
    by_name = await make(site, sessions=["Sales", session_id])
    assert by_name["data"]["sessions"] == [session_id]
    refused(await site.call("POST", "/webhooks", json={"url": URL, "sessions": ["nobody"]}), 404, "SESSION_NOT_FOUND")


async def test_what_is_changed_is_changed_and_the_rest_stays(site: Site) -> None:
    webhook_id = (await make(site, events=["message.*"]))["data"]["id"]
    change = {"url": "https://8.8.4.4/new", "description": "new", "enabled": False}
    changed = (await site.call("PUT", f"/webhooks/{webhook_id}", json=change)).json()["data"]
    assert (changed["url"], changed["events"], changed["status"], changed["disabledReason"]) == (
        *("https://8.8.4.4/new", ["message.*"], "disabled", "SWITCHED_OFF"),
    )
    on = (await site.call("PUT", f"/webhooks/{webhook_id}", json={"enabled": True})).json()["data"]
    assert (on["status"], on["enabled"]) == ("working", True)
    refused(await site.call("PUT", f"/webhooks/{webhook_id}", json={}), 400, "VALIDATION_FAILED")
    refused(
        await site.call("PUT", f"/webhooks/{webhook_id}", json={"url": "http://10.0.0.1/"}), 400, "VALIDATION_FAILED"
    )


async def test_one_that_failed_for_too_long_says_so_and_is_switched_on_again(site: Site, rows: Any) -> None:
    webhook = (await make(site))["data"]
    at = datetime.now(UTC)
    await rows.webhook_health.insert_one(
        {
            "_id": webhook["id"],
            "customerId": site.account.customer_id,
            "failingSince": at - timedelta(days=6),
            "lastError": "the endpoint answered 500",
            "disabledAt": at,
            "disabledReason": "FAILING",
            "disabledStart": 1,
        }
    )
    shown = (await site.call("GET", f"/webhooks/{webhook['id']}")).json()["data"]
    assert (shown["status"], shown["disabledReason"], shown["enabled"]) == ("disabled", "FAILING", False)
    assert shown["lastError"] == "the endpoint answered 500"
    refused(await site.call("POST", f"/webhooks/{webhook['id']}/replay?since=a-1"), 409, "NOT_POSSIBLE")
    on = (await site.call("PUT", f"/webhooks/{webhook['id']}", json={"enabled": True})).json()["data"]
    assert on["enabled"] is True
    assert (await rows.webhooks.find_one({"_id": webhook["id"]}))["start"]["number"] == 2


async def test_a_secret_is_rotated_with_an_overlap(site: Site, rows: Any) -> None:
    made = await make(site)
    path = f"/webhooks/{made['data']['id']}"
    again = (await site.call("POST", f"{path}/rotate-secret")).json()
    assert again["secret"] != made["secret"]
    assert again["data"]["previousSecretUntil"] is not None
    assert len((await rows.webhooks.find_one({"_id": made["data"]["id"]}))["secrets"]) == 2


async def test_a_replay_needs_a_cursor_that_the_log_reaches(
    site: Site, rows: Any, status: Publisher, session_id: str
) -> None:
    webhook_id = (await make(site))["data"]["id"]
    last = await status.session(session_id, "connected")
    log = site.edge.hub.log
    answer = await site.call("POST", f"/webhooks/{webhook_id}/replay?since={log}-0")
    assert answer.status_code == 202, answer.text
    (replay,) = (await rows.webhooks.find_one({"_id": webhook_id}))["replays"]
    assert (replay["since"], replay["number"], replay["log"]) == (0, 2, log)
    assert replay["until"] == last
    for since in ("nonsense", "abc-1", f"{log}-999999"):
        answer = await site.call("POST", f"/webhooks/{webhook_id}/replay?since={since}")
        refused(answer, 400, "VALIDATION_FAILED")
    refused(await site.call("POST", f"/webhooks/{webhook_id}/replay"), 400, "VALIDATION_FAILED")


async def test_a_replay_since_a_time_begins_with_what_came_then(
    site: Site, rows: Any, status: Publisher, session_id: str
) -> None:
    webhook_id = (await make(site))["data"]["id"]
    before = await status.session(session_id, "connecting")
    between = datetime.now(UTC).isoformat()
    last = await status.session(session_id, "connected")
    for since, position in (("0001-01-02", 0), (between, before), ("2999-12-31T23:59:59+07:00", last)):
        answer = await site.call("POST", f"/webhooks/{webhook_id}/replay", params={"since": since})
        assert answer.status_code == 202, answer.text
        stored = await rows.webhooks.find_one({"_id": webhook_id})
        assert stored["replays"][-1]["since"] == position


async def test_a_deleted_webhook_is_gone(site: Site, rows: Any) -> None:
    webhook_id = (await make(site))["data"]["id"]
    assert (await site.call("DELETE", f"/webhooks/{webhook_id}")).status_code == 200
    for method, path in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/deliveries")]:
        answer = await site.call(method, f"/webhooks/{webhook_id}{path}", json={"description": "x"})
        refused(answer, 404, "NOT_FOUND")
    assert (await rows.webhooks.find_one({"_id": webhook_id}))["deletedAt"] is not None


async def test_while_nobody_holds_the_shard_a_test_is_refused_for_now(site: Site) -> None:
    webhook_id = (await make(site))["data"]["id"]
    answer = await site.call("POST", f"/webhooks/{webhook_id}/test")
    refused(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"]


# --- Deliveries ------------------------------------------------------------------------------------------------------


async def log_of(site: Site, rows: Any, webhook_id: str, number: int) -> None:
    """Deliveries as status leaves them."""
    at = datetime.now(UTC).replace(microsecond=0)
    made = [
        delivery(
            seq,
            webhook_id=webhook_id,
            customer_id=site.account.customer_id,
            created_at=at - timedelta(seconds=seq // 3),
            status="failed" if seq % 2 else "delivered",
        )
        for seq in range(number)
    ]
    await rows.deliveries.insert_many([to_document(row) for row in made])


async def test_the_log_is_paged_newest_first_and_filtered(site: Site, rows: Any) -> None:
    webhook_id = (await make(site))["data"]["id"]
    await log_of(site, rows, webhook_id, 10)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await site.call("GET", f"/webhooks/{webhook_id}/deliveries?limit=4&cursor={cursor}")).json()
        seen += [each["id"] for each in page["data"]]
        if not page["pagination"]["hasMore"]:
            break
        cursor = page["pagination"]["next"]
    assert len(seen) == len(set(seen)) == 10
    failed = (await site.call("GET", f"/webhooks/{webhook_id}/deliveries?status=failed")).json()["data"]
    assert {each["status"] for each in failed} == {"failed"}
    assert len(failed) == 5
    for query in ("status=odd", "limit=0", "limit=201", "cursor=%21"):
        refused(await site.call("GET", f"/webhooks/{webhook_id}/deliveries?{query}"), 400, "VALIDATION_FAILED")


@pytest.mark.parametrize("query", [{}, {"status": "failed"}], ids=["all", "status"])
async def test_the_log_reads_no_more_than_its_page(site: Site, rows: Any, query: dict[str, str]) -> None:
    from services.api.webhooks.store_webhooks import NEWEST_FIRST
    from services.status.webhooks.store import ensure_webhook_indexes

    await ensure_webhook_indexes(site.edge.database, log_days=14)
    webhook_id = (await make(site))["data"]["id"]
    await log_of(site, rows, webhook_id, 200)
    find = rows.deliveries.find({"customerId": site.account.customer_id, "webhookId": webhook_id, **query})
    stats = (await find.sort(NEWEST_FIRST).limit(11).explain())["executionStats"]
    assert (stats["nReturned"], stats["totalDocsExamined"], stats["totalKeysExamined"]) == (11, 11, 11)


async def test_a_delivery_is_shown_with_its_body_and_its_attempts(site: Site, rows: Any) -> None:
    webhook_id = (await make(site))["data"]["id"]
    attempt = {"at": datetime.now(UTC), "url": URL, "durationMs": 3, "status": 500, "error": "it", "response": "oops"}
    row = to_document(delivery(1, webhook_id=webhook_id, customer_id=site.account.customer_id, payload='{"a":1}'))
    await rows.deliveries.insert_one({**row, "log": [attempt], "attempts": 1, "failures": 1})
    shown = (await site.call("GET", f"/webhooks/deliveries/{webhook_id}.frm_1")).json()["data"]
    assert (shown["body"], shown["status"], shown["log"][0]["response"]) == ('{"a":1}', "pending", "oops")
    assert shown["nextAttemptAt"] is not None


# --- Who may ---------------------------------------------------------------------------------------------------------


async def test_another_customers_webhooks_are_not_found(site: Site, rows: Any) -> None:
    webhook_id = (await make(site))["data"]["id"]
    await log_of(site, rows, webhook_id, 2)
    await add_customer(rows, "stranger")
    stranger = await signed_in(site, "stranger@example.com")
    paths = [
        ("GET", f"/{webhook_id}"),
        ("PUT", f"/{webhook_id}"),
        ("DELETE", f"/{webhook_id}"),
        ("POST", f"/{webhook_id}/test"),
        ("POST", f"/{webhook_id}/rotate-secret"),
        ("POST", f"/{webhook_id}/replay?since=a-1"),
        ("GET", f"/{webhook_id}/deliveries"),
        ("GET", f"/deliveries/{webhook_id}.frm_1"),
        ("POST", f"/deliveries/{webhook_id}.frm_1/redeliver"),
    ]
    for method, path in paths:
        answer = await site.client.request(
            method, f"{BASE}/webhooks{path}", headers=stranger, json={"description": "mine now"}
        )
        refused(answer, 404, "NOT_FOUND")
    listed = await site.client.get(f"{BASE}/webhooks", headers=stranger)
    assert listed.json()["data"] == []
    assert (await rows.webhooks.find_one({"_id": webhook_id}))["description"] == ""


async def test_a_key_needs_the_scope_and_sees_the_webhooks_of_its_sessions_alone(site: Site, session_id: str) -> None:
    other = await site.make_session("Other")
    whole = (await make(site))["data"]["id"]
    own = (await make(site, sessions=[session_id]))["data"]["id"]
    both = (await make(site, sessions=[session_id, other]))["data"]["id"]
    reader = bearer((await new_key(site))["apiKey"])
    refused(await site.client.get(f"{BASE}/webhooks", headers=reader), 403, "FORBIDDEN")
    narrow = bearer((await new_key(site, scopes=["webhooks"], sessions=[session_id]))["apiKey"])
    listed = (await site.client.get(f"{BASE}/webhooks", headers=narrow)).json()
    assert [each["id"] for each in listed["data"]] == [own]
    assert listed["pagination"]["total"] == 1
    for hidden in (whole, both):
        refused(await site.client.get(f"{BASE}/webhooks/{hidden}", headers=narrow), 404, "NOT_FOUND")
    answer = await site.client.post(f"{BASE}/webhooks", headers=narrow, json={"url": URL})
    refused(answer, 400, "VALIDATION_FAILED")
    answer = await site.client.post(f"{BASE}/webhooks", headers=narrow, json={"url": URL, "sessions": [other]})
    refused(answer, 404, "SESSION_NOT_FOUND")
    answer = await site.client.post(f"{BASE}/webhooks", headers=narrow, json={"url": URL, "sessions": [session_id]})
    assert answer.status_code == 200
    answer = await site.client.put(f"{BASE}/webhooks/{own}", headers=narrow, json={"sessions": None})
    refused(answer, 400, "VALIDATION_FAILED")
