"""Statistics: sums of what status has counted, by the clocks of the customer, and of nobody else's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from libs.contracts.counters import DAY, EVERY, QUARTER, QUARTER_S
from libs.runtime.mongo import Database
from libs.runtime.shard_rules import Timing
from libs.runtime.shards import Lease
from services.api.figures import store_stats
from services.api.figures.days import day_began, month_began
from services.api.figures.store_stats import Counted
from services.api.times import now
from services.status.counters.counting import DAY_S, Place, Tally
from services.status.counters.store import Addition, CounterStore, ensure_indexes
from tests.integration.api.commands import new_session
from tests.integration.api.edges import Site, refused

JAKARTA = ZoneInfo("Asia/Jakarta")
ZEROS = dict.fromkeys(
    ("queued", "sent", "delivered", "read", "failed", "cancelled", "expired", "received", "fromPhone"), 0
)
NONE = {"messages": 0, "meanMs": None, "p50Ms": None, "p95Ms": None}
Count = Callable[..., Coroutine[Any, Any, None]]


@pytest.fixture
async def count(site: Site, session_id: str, rows: Database) -> Count:
    """Count what happened at a time, as status does."""
    await ensure_indexes(rows, days=3_650)
    seqs, lease = itertools.count(1), Lease(7, 1, confirmed_at=0, timing=Timing())

    async def counted(
        at: str | datetime, *, session: str = session_id, customer: str = "", type: str = "text", **added: int
    ) -> None:
        when = utc(at) if isinstance(at, str) else at
        seconds, of = int(when.timestamp()), (customer or site.account.customer_id, 7)
        seq, counts = next(seqs), {name: number for name, number in added.items() if "After" not in name}
        paths = {name.replace("__", "."): number for name, number in added.items()}
        quarter = Tally(Place(*of, session, type, QUARTER, seconds // QUARTER_S), [(seq, paths)])
        day = Tally(Place(*of, EVERY, EVERY, DAY, seconds // DAY_S), [(seq, counts)])
        assert not await CounterStore(rows).add([Addition(each, lease) for each in (quarter, day)])

    return counted


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def stats(site: Site, **params: str) -> dict[str, Any]:
    answer = await site.call("GET", "/stats", params=params)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def above_zero(span: dict[str, Any]) -> dict[str, int]:
    return {name: span[name] for name in ZEROS if span[name]}


async def test_a_day_begins_at_midnight_where_the_customer_lives(site: Site, count: Count) -> None:
    await count("2026-03-01T16:59", sent=1)  # 23:59 in Jakarta
    await count("2026-03-01T17:00", sent=2, failed=1)
    await count("2026-03-02T16:59", sent=4)
    await count("2026-03-02T17:00", sent=8)
    data = await stats(site, **{"from": "2026-03-01T18:00:00Z", "to": "2026-03-02T10:00:00Z"})
    assert (data["bucket"], data["timeZone"]) == ("day", "Asia/Jakarta")
    assert (data["from"], data["to"]) == ("2026-03-01T17:00:00.000Z", "2026-03-02T17:00:00.000Z")
    (day,) = data["series"]
    assert day["at"] == data["from"]
    assert above_zero(day) == above_zero(data["total"]) == {"sent": 6, "failed": 1}


async def test_an_hour_begins_by_clocks_that_are_three_quarters_off(site: Site, count: Count, rows: Any) -> None:
    await rows.customers.update_one({"_id": site.account.customer_id}, {"$set": {"timeZone": "Asia/Kathmandu"}})
    for minute, sent in ((0, 1), (15, 2), (30, 4), (45, 8)):
        await count(f"2026-03-01T10:{minute:02d}", sent=sent)
    data = await stats(site, bucket="hour", **{"from": "2026-03-01T10:00:00Z", "to": "2026-03-01T11:00:00Z"})
    assert [(each["at"], each["sent"]) for each in data["series"]] == [
        ("2026-03-01T09:15:00.000Z", 1),
        ("2026-03-01T10:15:00.000Z", 14),
    ]


async def test_hours_without_anything_are_there(site: Site, count: Count) -> None:
    await count("2026-03-01T10:10", received=3)
    data = await stats(site, bucket="hour", **{"from": "2026-03-01T08:30:00Z", "to": "2026-03-01T12:00:00Z"})
    assert [each["received"] for each in data["series"]] == [0, 0, 3, 0]
    assert data["series"][0] == {
        "at": "2026-03-01T08:00:00.000Z",
        **ZEROS,
        "latency": {"sent": NONE, "delivered": NONE, "read": NONE},
    }


async def test_a_day_of_25_hours_is_one_day(site: Site, count: Count, rows: Any) -> None:
    await rows.customers.update_one({"_id": site.account.customer_id}, {"$set": {"timeZone": "Europe/Berlin"}})
    await count("2026-10-24T22:00", sent=1)
    await count("2026-10-25T22:59", sent=2)
    await count("2026-10-25T23:00", sent=4)
    await count("2026-10-26T22:59", sent=8)
    data = await stats(site, **{"from": "2026-10-24T12:00:00Z", "to": "2026-10-26T12:00:00Z"})
    assert [each["sent"] for each in data["series"]] == [0, 3, 12]


async def test_latencies_are_told_from_sums_and_parts(site: Site, count: Count) -> None:
    at = "2026-03-01T10:00"
    await count(at, sent=90, sentAfter__number=90, sentAfter__ms=9_000, sentAfter__parts__0=90)
    await count(at, sent=10, sentAfter__number=10, sentAfter__ms=91_000, sentAfter__parts__5=10)
    data = await stats(site, **{"from": "2026-03-01T10:00:00Z", "to": "2026-03-01T11:00:00Z"})
    assert data["total"]["latency"]["sent"] == {"messages": 100, "meanMs": 1_000, "p50Ms": 111, "p95Ms": 10_000}
    assert data["total"]["latency"]["read"]["p95Ms"] is None


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        pytest.param({}, 7, id="all"),
        pytest.param({"session": "Sales"}, 3, id="a session"),
        pytest.param({"type": "image"}, 2, id="a type"),
        pytest.param({"session": "Support", "type": "image"}, 0, id="both"),
    ],
)
async def test_statistics_are_of_what_is_asked_for(site: Site, count: Count, params: dict[str, str], sent: int) -> None:
    other = await new_session(site, "Support")
    await count("2026-03-01T10:00", sent=1)
    await count("2026-03-01T10:00", sent=2, type="image")
    await count("2026-03-01T10:00", sent=4, session=other)
    await count("2026-03-01T10:00", sent=100, session="theirs", customer="cus_other")
    data = await stats(site, **params, **{"from": "2026-03-01T10:00:00Z", "to": "2026-03-01T11:00:00Z"})
    assert data["total"]["sent"] == sent


async def test_today_and_this_month_are_the_customers(
    site: Site, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = now()
    monkeypatch.setattr("services.api.routes.stats.now", lambda: present)  # the day does not end during the test
    today, month = day_began(present, JAKARTA), month_began(present, JAKARTA)
    moment = timedelta(minutes=15)
    await count(month - moment, sent=1, failed=1)
    await count(month, sent=2)
    await count(today - moment, sent=4)
    await count(today, sent=8, received=5)
    await count(present, sent=16, failed=3)
    answer = (await site.call("GET", "/stats/summary")).json()["data"]
    yesterday = 4 if today - moment >= month else 0
    assert answer["timeZone"] == "Asia/Jakarta"
    assert above_zero(answer["today"])["sent"] == 24 + (2 if month == today else 0)
    assert answer["thisMonth"]["sent"] == 26 + yesterday
    assert (answer["today"]["received"], answer["today"]["failed"], answer["thisMonth"]["failed"]) == (5, 3, 3)
    sales = (await site.call("GET", "/stats/summary", params={"session": "Sales"})).json()["data"]
    assert sales == answer


async def test_the_dashboard_tells_what_was_sent_and_failed_this_month(
    site: Site, count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = now()
    monkeypatch.setattr("services.api.routes.billing.now", lambda: present)
    await count(present, sent=5, failed=2, received=9)
    headers = {"Authorization": f"Bearer {await site.sign_in()}"}
    answer = await site.client.get("/api/customer/dashboard", headers=headers)
    assert answer.json()["data"]["whatsappSummary"]["messageStats"] == {"sent": 5, "failed": 2}


async def test_a_month_of_many_sessions_is_read_off_an_index(site: Site, count: Count, rows: Database) -> None:
    began = utc("2026-03-01T00:00")
    for number in range(40):
        await count(began + timedelta(hours=12 * number), session=f"s{number % 4}", sent=1)
        await count(began + timedelta(hours=12 * number), session=f"s{number % 4}", customer="cus_other", sent=1)
    whose = Counted(customer_id=site.account.customer_id)
    sums = await store_stats.sums_since(rows, whose, utc("2026-02-28T17:00"))
    assert sums["sent"] == 40
    profile = await explained(rows, site.account.customer_id)
    assert profile["totalDocsExamined"] <= 40
    assert "COLLSCAN" not in str(profile)


async def explained(database: Database, customer: str) -> dict[str, Any]:
    """What reading a customer's days costs."""
    condition = {"customerId": customer, "span": DAY, "at": {"$gte": utc("2026-02-28T00:00")}}
    plan: dict[str, Any] = await database.counters.find(condition).explain()
    executed: dict[str, Any] = plan["executionStats"]
    return executed


@pytest.mark.parametrize(
    "params",
    [
        {"bucket": "week"},
        {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z", "bucket": "hour"},
        {"from": "2020-01-01T00:00:00Z"},
        {"from": "x"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"to": "0001-01-01T12:00:00Z"},
        {"from": "9999-12-31T23:00:00Z", "to": "9999-12-31T23:59:59Z"},
    ],
)
async def test_a_wrong_question_is_refused(site: Site, params: dict[str, str]) -> None:
    refused(await site.call("GET", "/stats", params=params), 400, "VALIDATION_FAILED")
