"""The plan's number of messages in a month: exact over all edges, and a repeat counts once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.api.times import now
from tests.integration.api.commands import commands
from tests.integration.api.edges import Site, refused
from tests.integration.api.messages import TEXT, send

LIMIT = 5


@pytest.fixture
async def limited(site: Site, rows: Any, session_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A session of a customer whose plan allows 5 messages in a month, which does not end during the test."""
    at = now()
    monkeypatch.setattr("services.api.billing.quotas.now", lambda: at)
    await rows.subscriptions.update_many({}, {"$set": {"allowance.monthlyMessages": LIMIT}})
    await site.edge.memory.drop(f"customer/{site.account.customer_id}")
    return session_id


async def test_the_number_is_exact_over_all_edges(site: Site, limited: str, open_site: Any) -> None:
    async with open_site() as other:
        sends = [send(edge, limited, {**TEXT, "text": f"{n}"}) for n in range(10) for edge in (site, other)]
        answers = await asyncio.gather(*sends)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [202] * LIMIT + [403] * (20 - LIMIT)
    body = refused(next(each for each in answers if each.status_code == 403), 403, "MESSAGE_LIMIT_REACHED")
    assert body["details"]["monthlyMessages"] == LIMIT
    assert len(await commands(site)) == LIMIT
    usage = (await site.call("GET", "/subscription")).json()["usage"]
    assert usage["monthly"] == {"limit": LIMIT, "accepted": LIMIT}


async def test_a_repeat_is_counted_once_and_answered_when_all_are_used_up(site: Site, limited: str) -> None:
    first = await send(site, limited, Idempotency_Key="one")
    again = await send(site, limited, Idempotency_Key="one")
    assert (again.status_code, again.json()["messageId"]) == (202, first.json()["messageId"])
    for number in range(LIMIT - 1):
        assert (await send(site, limited, Idempotency_Key=f"n{number}")).status_code == 202
    refused(await send(site, limited), 403, "MESSAGE_LIMIT_REACHED")
    refused(await send(site, limited, Idempotency_Key="new"), 403, "MESSAGE_LIMIT_REACHED")
    again = await send(site, limited, Idempotency_Key="one")
    assert (again.status_code, again.json()["messageId"]) == (202, first.json()["messageId"])


async def test_what_was_refused_under_a_key_is_accepted_under_it_later(site: Site, limited: str, rows: Any) -> None:
    await rows.subscriptions.update_many({}, {"$set": {"allowance.monthlyMessages": 0}})
    await site.edge.memory.drop(f"customer/{site.account.customer_id}")
    refused(await send(site, limited, Idempotency_Key="one"), 403, "MESSAGE_LIMIT_REACHED")
    await rows.subscriptions.update_many({}, {"$set": {"allowance.monthlyMessages": 1}})
    await site.edge.memory.drop(f"customer/{site.account.customer_id}")
    assert (await send(site, limited, Idempotency_Key="one")).status_code == 202
    refused(await send(site, limited, Idempotency_Key="two"), 403, "MESSAGE_LIMIT_REACHED")


async def test_a_reused_key_costs_nothing(site: Site, limited: str) -> None:
    await send(site, limited, Idempotency_Key="one")
    refused(await send(site, limited, {**TEXT, "text": "other"}, Idempotency_Key="one"), 422, "IDEMPOTENCY_KEY_REUSED")
    usage = (await site.call("GET", "/subscription")).json()["usage"]
    assert usage["monthly"]["accepted"] == 1


async def test_the_last_month_does_not_count(site: Site, limited: str, rows: Any) -> None:
    for number in range(LIMIT):
        assert (await send(site, limited, {**TEXT, "text": str(number)})).status_code == 202
    (month,) = await rows.months.find().to_list()
    await rows.months.delete_many({})
    await rows.months.insert_one({**month, "_id": f"{site.account.customer_id}/2020-01"})
    assert (await send(site, limited)).status_code == 202


async def test_a_plan_without_a_number_is_not_counted(site: Site, session_id: str, rows: Any) -> None:
    assert (await send(site, session_id)).status_code == 202
    assert await rows.months.count_documents({}) == 0
    assert "monthly" not in (await site.call("GET", "/subscription")).json()["usage"]
