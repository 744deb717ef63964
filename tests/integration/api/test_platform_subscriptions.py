"""Plans, subscriptions and payments: what an operator books, what a customer asks for, and what that allows."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from services.api.times import now
from tests.integration.api.accounts import signed_in
from tests.integration.api.edges import BASE, Site, believing, observe, refused, until
from tests.integration.api.operators import Operator, ended, moment

DAY = timedelta(days=1)


async def test_a_plan_that_changes_changes_nothing_that_was_bought(operator: Operator) -> None:
    customer_id = (await operator.make_customer())["customer"]["id"]
    plan_id = await operator.make_plan()
    booked = await operator.subscribe(customer_id, plan_id, cycles=2)
    assert (booked["transaction"]["amount"], booked["transaction"]["status"]) == (200, "SUCCESS")
    await operator.ask(
        "PATCH", f"/plans/{plan_id}", json={"name": "Other", "price": 9, "allowance": {"maxSessions": 1}}
    )
    (row,) = await operator.ask("GET", f"/subscriptions?customer={customer_id}")
    assert (row["packageName"], row["price"], row["allowance"]["maxSessions"]) == ("Warung", 100, 3)
    (payment,) = await operator.ask("GET", f"/transactions?customer={customer_id}")
    assert (payment["packageName"], payment["amount"]) == ("Warung", 200)


async def test_the_same_request_under_one_key_is_booked_once(operator: Operator) -> None:
    customer_id, plan_id = (await operator.make_customer())["customer"]["id"], await operator.make_plan()
    calls = [
        operator.call(
            "POST",
            f"/customers/{customer_id}/subscriptions",
            json={"planId": plan_id},
            headers={"Idempotency-Key": "once"},
        )
        for _ in range(5)
    ]
    answers = [answer.json()["data"] for answer in await asyncio.gather(*calls)]
    assert len({answer["transaction"]["id"] for answer in answers}) == 1
    assert len({answer["subscription"]["id"] for answer in answers}) == 1
    assert len(await operator.ask("GET", f"/transactions?customer={customer_id}")) == 1


async def test_subscriptions_of_one_customer_follow_one_another_however_many_are_booked_at_once(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = now()
    monkeypatch.setattr("services.api.billing.subscribing.now", lambda: at)  # in the very same millisecond
    monkeypatch.setattr("services.api.routes.platform_subscriptions.now", lambda: at)
    customer_id, plan_id = (await operator.make_customer())["customer"]["id"], await operator.make_plan()
    await asyncio.gather(*(operator.subscribe(customer_id, plan_id) for _ in range(6)))
    rows = await operator.ask("GET", f"/subscriptions?customer={customer_id}")
    spans = sorted((moment(row["startDate"]), moment(row["endDate"])) for row in rows)
    assert len(spans) == 6
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    shown = (await operator.ask("GET", f"/customers/{customer_id}"))["subscription"]
    assert moment(shown["endDate"]) == spans[-1][1]


async def test_an_extension_moves_the_end_and_is_paid_for(operator: Operator) -> None:
    customer_id = (await operator.make_customer())["customer"]["id"]
    row = (await operator.subscribe(customer_id, await operator.make_plan()))["subscription"]
    longer = await operator.ask("POST", f"/subscriptions/{row['id']}/extend", json={"cycles": 2})
    assert moment(longer["subscription"]["endDate"]) - moment(row["endDate"]) > 50 * DAY
    assert longer["transaction"]["amount"] == 200
    gift = {"endsAt": (moment(longer["subscription"]["endDate"]) + DAY).isoformat()}
    longest = await operator.ask("POST", f"/subscriptions/{row['id']}/extend", json=gift)
    assert moment(longest["subscription"]["endDate"]) == moment(longer["subscription"]["endDate"]) + DAY
    assert longest["transaction"]["amount"] == 0
    both = {"cycles": 1, **gift}
    refused(await operator.call("POST", f"/subscriptions/{row['id']}/extend", json=both), 400, "VALIDATION_FAILED")


async def test_those_that_end_soon_are_listed_by_their_end(operator: Operator) -> None:
    plan_id = await operator.make_plan()
    customers = [(await operator.make_customer())["customer"]["id"] for _ in range(3)]
    for cycles, customer_id in zip((3, 1, 2), customers, strict=True):
        await operator.subscribe(customer_id, plan_id, cycles=cycles)
    rows = await operator.ask("GET", "/subscriptions?endsBefore=2999-01-01T00:00:00Z")
    assert [row["customerId"] for row in rows] == [customers[1], customers[2], customers[0]]
    assert await operator.ask("GET", "/subscriptions?endsBefore=2020-01-01T00:00:00Z") == []
    assert len(await operator.ask("GET", "/subscriptions?status=active")) == 4
    assert await operator.ask("GET", "/subscriptions?status=expired") == []


# --- What a customer asks for ----------------------------------------------------------------------------------------


async def test_what_a_customer_asks_for_begins_when_its_payment_is_confirmed(
    site: Site, operator: Operator, rows: Any
) -> None:
    await rows.subscriptions.delete_many({})
    plan_id, hidden = await operator.make_plan(), await operator.make_plan(isOffered=False)
    assert [plan["id"] for plan in (await site.call("GET", "/plans")).json()["data"]] == [plan_id]
    refused(await site.call("POST", "/purchases", json={"planId": hidden}), 404, "NOT_FOUND")
    asked = (await site.call("POST", "/purchases", json={"planId": plan_id, "cycles": 3})).json()["data"]
    again = (await site.call("POST", "/purchases", json={"planId": plan_id, "cycles": 3})).json()["data"]
    payment = asked["transaction"]
    assert (payment["status"], payment["amount"], again["transaction"]["id"]) == ("PENDING", 300, payment["id"])
    body = (await site.call("GET", "/subscription")).json()
    assert (body["subscription"]["status"], body["data"]["hasActiveSubscription"]) == ("PENDING", False)
    refused(await site.call("POST", "/sessions", json={"name": "one"}), 403, "SESSION_LIMIT_REACHED")
    booked = await operator.ask("POST", f"/transactions/{payment['id']}/confirm", json={"note": "BCA 7"})
    assert (booked["transaction"]["status"], booked["subscription"]["status"]) == ("SUCCESS", "ACTIVE")
    assert [(step["status"], step["note"]) for step in booked["transaction"]["history"]] == [
        ("PENDING", None),
        ("SUCCESS", "BCA 7"),
    ]
    assert (await site.call("GET", "/subscription")).json()["subscription"]["status"] == "ACTIVE"
    assert (await site.call("POST", "/sessions", json={"name": "one"})).status_code == 200
    listed = (await site.call("GET", "/transactions")).json()
    assert listed["data"]["transactions"][0]["subscriptionStatus"] == "active"
    assert listed["data"]["transactions"][0]["duration"] == 3


async def test_a_payment_is_settled_once_whoever_does_it(site: Site, operator: Operator, rows: Any) -> None:
    plan_id = await operator.make_plan()
    asked = (await site.call("POST", "/purchases", json={"planId": plan_id})).json()["data"]["transaction"]
    path = f"/transactions/{asked['id']}"
    answers = await asyncio.gather(
        operator.call("POST", f"{path}/confirm"),
        operator.call("POST", f"{path}/confirm"),
        operator.call("POST", f"{path}/reject"),
        site.call("POST", f"{path}/cancel"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    stored = await rows.transactions.find_one({"_id": asked["id"]})
    assert [step["status"] for step in stored["history"]] == ["pending", stored["status"]]
    assert stored["amount"] == asked["amount"]


async def test_a_customer_takes_a_purchase_back(site: Site, operator: Operator) -> None:
    plan_id = await operator.make_plan()
    asked = (await site.call("POST", "/purchases", json={"planId": plan_id})).json()["data"]["transaction"]
    done = (await site.call("POST", f"/transactions/{asked['id']}/cancel")).json()["data"]
    assert (done["transaction"]["status"], done["subscription"]["isCancelled"]) == ("CANCELLED", True)
    refused(await operator.call("POST", f"/transactions/{asked['id']}/confirm"), 409, "NOT_POSSIBLE")


async def test_another_customers_payment_is_not_there(site: Site, operator: Operator) -> None:
    other = await operator.make_customer()
    headers = await signed_in(site)
    mine = (await operator.subscribe(other["customer"]["id"], await operator.make_plan()))["transaction"]["id"]
    refused(await site.client.get(f"{BASE}/transactions/{mine}", headers=headers), 404, "NOT_FOUND")
    refused(await site.client.post(f"{BASE}/transactions/{mine}/cancel", headers=headers), 404, "NOT_FOUND")


# --- When it is over -------------------------------------------------------------------------------------------------


async def test_when_a_subscription_is_over_sessions_stay_and_say_why_messages_wait(site: Site, rows: Any) -> None:
    linked, other = await site.make_session("linked"), await site.make_session("other")
    await site.call("POST", f"/sessions/{linked}/start")
    await observe(rows, linked, "connected", linked=True)
    await ended(rows, site.account.customer_id)
    await site.edge.memory.drop(f"customer/{site.account.customer_id}")
    body = (await site.call("GET", "/subscription")).json()
    assert (body["subscription"]["status"], body["data"]["maxSessions"]) == ("EXPIRED", 0)
    listed = (await site.call("GET", "/sessions")).json()
    assert listed["subscription"]["status"] == "EXPIRED"
    assert all("messages wait" in row["message"] for row in listed["sessions"])
    assert listed["sessions"][1]["status"] == "CONNECTED"
    health = (await site.call("GET", f"/sessions/{linked}/health")).json()["data"]
    assert (health["waitingFor"], health["state"]) == ("subscription", "connected")
    asked = {"headers": {"Accept-Language": "id"}}
    health = (await site.call("GET", f"/sessions/{linked}/health", **asked)).json()["data"]
    assert health["message"].startswith("Langganan telah berakhir: ")
    assert "pesan menunggu" in (await site.call("GET", "/sessions", **asked)).json()["sessions"][0]["message"]
    refused(await site.call("POST", "/sessions", json={"name": "third"}), 403, "SUBSCRIPTION_EXPIRED")
    for call in (("POST", "start"), ("POST", "restart"), ("GET", "qr?wait=0")):
        refused(await site.call(call[0], f"/sessions/{other}/{call[1]}"), 403, "SUBSCRIPTION_EXPIRED")
    refused(await site.call("PUT", f"/sessions/{other}", json={"status": "active"}), 403, "SUBSCRIPTION_EXPIRED")
    assert (await site.call("POST", f"/sessions/{linked}/restart")).status_code == 202
    assert (await site.call("POST", f"/sessions/{linked}/stop")).status_code == 202
    assert (await rows.sessions.find_one({"_id": linked}))["running"] is False


async def test_messages_are_still_accepted_when_it_is_over(site: Site, rows: Any) -> None:
    session_id = await site.make_session()
    await ended(rows, site.account.customer_id)
    await site.edge.memory.drop(f"customer/{site.account.customer_id}")
    body = {"type": "text", "to": "081234567890", "text": "Halo"}
    assert (await site.call("POST", f"/sessions/{session_id}/messages", json=body)).status_code == 202


@pytest.mark.parametrize("way", ["renewed", "cancelled"])
async def test_the_other_edges_hear_of_it_at_once(site: Site, operator: Operator, open_site: Any, way: str) -> None:
    customer_id = site.account.customer_id
    (row,) = await operator.ask("GET", f"/subscriptions?customer={customer_id}")
    await operator.ask("POST", f"/subscriptions/{row['id']}/cancel")
    session = {"name": "one"}
    async with open_site() as other:
        await believing(other)
        refused(await other.call("POST", "/sessions", json=session), 403, "SESSION_LIMIT_REACHED")
        if way == "renewed":
            await operator.subscribe(customer_id, row["planId"])

            async def is_made() -> bool:
                return (await other.call("POST", "/sessions", json=session)).status_code == 200

            await until(is_made)
