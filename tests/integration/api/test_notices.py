"""What customers are told of their subscriptions: changes, the coming end and the end, each as one fact."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.events import CustomerNotified
from libs.contracts.ids import EVENTS
from services.api.billing import notices
from services.api.billing.notices import tell_what_is_due
from tests.integration.api.commands import everything
from tests.integration.api.edges import Site
from tests.integration.api.operators import Operator, moment

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def told_by_the_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge also looks by itself, 10 s after its start at the earliest: a slow test met it, and found all told."""
    monkeypatch.setattr(notices, "EVERY_S", 3_600.0)


async def told(site: Site) -> list[CustomerNotified]:
    """The facts in EVENTS, in order."""
    stored = await everything(site.edge.bus, EVENTS, "fact.notice.>")
    return [msgspec.json.decode(message.data, type=CustomerNotified) for message in stored]


async def test_who_buys_extends_or_cancels_is_told_at_once(site: Site, operator: Operator) -> None:
    customer_id = (await operator.make_customer())["customer"]["id"]
    row = (await operator.subscribe(customer_id, await operator.make_plan()))["subscription"]
    await operator.ask("POST", f"/subscriptions/{row['id']}/extend", json={"cycles": 1})
    await operator.ask("POST", f"/subscriptions/{row['id']}/cancel")
    facts = await told(site)
    assert [fact.update for fact in facts] == ["subscription.changed"] * 3
    assert {(fact.customer_id, fact.session_id) for fact in facts} == {(customer_id, customer_id)}
    assert [fact.data["status"] for fact in facts] == ["ACTIVE", "ACTIVE", "INACTIVE"]
    assert len({fact.id for fact in facts}) == 3
    assert moment(facts[1].data["endDate"]) > moment(facts[0].data["endDate"])


async def test_the_end_is_told_before_it_comes_and_when_it_has_come(site: Site, operator: Operator, rows: Any) -> None:
    customer_id = (await operator.make_customer())["customer"]["id"]
    await operator.subscribe(customer_id, await operator.make_plan())
    stored = await rows.subscriptions.find_one({"customerId": customer_id})
    assert (stored["notice"], stored["endsAt"] - stored["noticeAt"]) == ("expiring", 3 * DAY)
    await rows.subscriptions.update_one({"_id": stored["_id"]}, {"$set": {"noticeAt": datetime.now(UTC)}})
    await tell_what_is_due(site.edge)
    stored = await rows.subscriptions.find_one({"customerId": customer_id})
    assert (stored["notice"], stored["noticeAt"]) == ("expired", stored["endsAt"])
    over = {"endsAt": datetime.now(UTC), "noticeAt": datetime.now(UTC)}
    await rows.subscriptions.update_one({"_id": stored["_id"]}, {"$set": over})
    await tell_what_is_due(site.edge)
    facts = await told(site)
    assert [fact.update for fact in facts] == [f"subscription.{each}" for each in ("changed", "expiring", "expired")]
    assert facts[-1].data["status"] == "EXPIRED"
    stored = await rows.subscriptions.find_one({"customerId": customer_id})
    assert (stored["notice"], stored["noticeAt"]) == (None, None)


async def test_every_edge_may_tell_it_under_the_same_id(site: Site, open_site: Any, rows: Any) -> None:
    soon = {"endsAt": datetime.now(UTC) + DAY, "notice": "expiring", "noticeAt": datetime.now(UTC)}
    await rows.subscriptions.update_many({}, {"$set": soon})
    async with open_site() as other:
        await asyncio.gather(tell_what_is_due(site.edge), tell_what_is_due(other.edge))
    facts = await told(site)
    assert {fact.update for fact in facts} == {"subscription.expiring"}
    assert len({fact.id for fact in facts}) == 1


async def test_a_notice_that_was_not_noted_is_told_again_under_its_id(site: Site, rows: Any, monkeypatch: Any) -> None:
    """As it is when an edge dies between the publish and the note."""
    soon = {"endsAt": datetime.now(UTC) + DAY, "notice": "expiring", "noticeAt": datetime.now(UTC)}
    await rows.subscriptions.update_many({}, {"$set": soon})
    (due,) = await notices.store_plans.subscriptions_with_news(site.edge.database, datetime.now(UTC), most=10)

    async def dies(*_: Any) -> bool:
        raise ConnectionError("the edge dies here")

    with monkeypatch.context() as patched:
        patched.setattr(notices.store_plans, "notice_is_told", dies)
        with contextlib.suppress(ConnectionError):
            await notices.tell(site.edge, due)
    assert await tell_what_is_due(site.edge) == 1
    assert len({fact.id for fact in await told(site)}) == 1
    assert await tell_what_is_due(site.edge) == 0


async def test_of_an_end_that_something_follows_nothing_is_told(site: Site, operator: Operator, rows: Any) -> None:
    customer_id, plan_id = (await operator.make_customer())["customer"]["id"], await operator.make_plan()
    first = (await operator.subscribe(customer_id, plan_id))["subscription"]
    await operator.subscribe(customer_id, plan_id)
    await rows.subscriptions.update_one({"_id": first["id"]}, {"$set": {"noticeAt": datetime.now(UTC)}})
    await tell_what_is_due(site.edge)
    assert [fact.update for fact in await told(site)] == ["subscription.changed"] * 2
