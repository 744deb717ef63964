"""Credits at the edge: 402, the ledger in pages, grants by the platform, and who may see what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from libs.contracts.commands import GrantCredits
from libs.contracts.credits import LedgerEntry
from libs.runtime.mongo import to_document
from services.api.billing import granting
from services.sender import ledger
from tests.integration.api.accounts import add_customer, add_user, bearer, signed_in
from tests.integration.api.commands import commands, only_send
from tests.integration.api.edges import BASE, Site, refused
from tests.integration.sender.books import subscription_row

TEXT = {"type": "text", "to": "6281234567890", "text": "Halo"}


@pytest.fixture
async def metered(site: Site, rows: Any) -> str:
    """The default customer, whose texts cost 2 credits; returns its id."""
    customer = site.account.customer_id
    await ledger.ensure_indexes(rows)
    await rows.subscriptions.delete_many({"customerId": customer})
    await rows.subscriptions.insert_one(subscription_row(customer))
    return customer


async def book(rows: Any, customer: str, *amounts: int) -> None:
    """Act as sender: so many gifts and messages."""
    balance, number = 0, await rows.ledger.count_documents({"customerId": customer})
    for amount in amounts:
        number, balance = number + 1, balance + amount
        entry = LedgerEntry(
            id=f"m{number}/0/reserve" if amount < 0 else f"{customer}/g{number}/grant",
            customer_id=customer,
            number=number,
            kind="reserve" if amount < 0 else "gift",
            amount=amount,
            hold=-min(amount, 0),
            balance=balance,
            held=0,
            at=datetime.now(UTC),
            message_id=f"m{number}" if amount < 0 else None,
        )
        await rows.ledger.insert_one(to_document(entry))


async def test_what_the_credits_do_not_cover_is_402_and_not_stored(site: Site, rows: Any, metered: str) -> None:
    session = await site.make_session()
    await book(rows, metered, 1)
    body = refused(await site.call("POST", f"/sessions/{session}/messages", json=TEXT), 402, "CREDITS_EXHAUSTED")
    assert body["details"] == {"balance": 1, "price": 2}
    assert await commands(site) == []


async def test_what_the_credits_cover_is_accepted(site: Site, rows: Any, metered: str) -> None:
    session = await site.make_session()
    await book(rows, metered, 2)
    answer = await site.call("POST", f"/sessions/{session}/messages", json=TEXT)
    assert answer.status_code == 202, answer.text
    assert (await only_send(site)).session_id == session


async def test_a_repeat_of_what_was_accepted_is_answered_when_the_credits_are_used_up(
    site: Site, rows: Any, metered: str
) -> None:
    session = await site.make_session()
    await book(rows, metered, 2)
    headers = {"Idempotency-Key": "once"}
    first = await site.call("POST", f"/sessions/{session}/messages", json=TEXT, headers=headers)
    await book(rows, metered, -2)
    await site.edge.memory.drop(f"customer/{metered}")
    again = await site.call("POST", f"/sessions/{session}/messages", json=TEXT, headers=headers)
    assert again.status_code == 202, again.text
    assert again.json()["messageId"] == first.json()["messageId"]
    another = await site.call("POST", f"/sessions/{session}/messages", json=TEXT, headers={"Idempotency-Key": "other"})
    refused(another, 402, "CREDITS_EXHAUSTED")


async def test_who_is_not_metered_needs_no_credits(site: Site) -> None:
    session = await site.make_session()
    answer = await site.call("POST", f"/sessions/{session}/messages", json=TEXT)
    assert answer.status_code == 202, answer.text
    shown = (await site.client.get(f"{BASE}/credits", headers=await signed_in(site))).json()["data"]
    assert (shown["isMetered"], shown["balance"]) == (False, 0)


async def test_the_ledger_is_read_in_pages_newest_first(site: Site, rows: Any, metered: str) -> None:
    await book(rows, metered, 10, -2, -2, -1)
    headers = await signed_in(site)
    numbers: list[int] = []
    query: dict[str, Any] = {"limit": 3}
    for _ in range(2):
        body = (await site.client.get(f"{BASE}/credits/ledger", headers=headers, params=query)).json()
        numbers += [row["number"] for row in body["data"]]
        query["cursor"] = body["pagination"]["next"]
    assert numbers == [4, 3, 2, 1]
    assert body["pagination"] == {"limit": 3, "next": None, "hasMore": False}
    of_one = await site.client.get(f"{BASE}/credits/ledger", headers=headers, params={"message": "m3"})
    assert [row["number"] for row in of_one.json()["data"]] == [3]


@pytest.mark.parametrize("query", [{"customerId": "cus_1", "number": {"$lt": 9}}, {"customerId": "cus_1"}], ids=str)
@pytest.mark.usefixtures("metered")
async def test_a_page_of_the_ledger_is_read_by_its_index(rows: Any, query: dict[str, Any]) -> None:
    plan = await rows.ledger.find(query).sort([("number", -1)]).limit(50).explain()
    assert "'indexName': 'of_customer'" in str(plan["queryPlanner"]["winningPlan"])
    assert "'stage': 'SORT'" not in str(plan["queryPlanner"]["winningPlan"])


async def test_a_member_sees_no_credits(site: Site, rows: Any) -> None:
    email = await add_user(rows, "member", site.account.customer_id)
    headers = await signed_in(site, email)
    for path in ("/credits", "/credits/ledger"):
        refused(await site.client.get(BASE + path, headers=headers), 403, "FORBIDDEN")


async def test_another_customers_ledger_is_not_seen(site: Site, rows: Any, metered: str) -> None:
    await book(rows, metered, 10, -2)
    await add_customer(rows, "other")
    headers = await signed_in(site, "other@example.com")
    body = (await site.client.get(f"{BASE}/credits/ledger", headers=headers)).json()
    assert body["data"] == []
    of_message = await site.client.get(f"{BASE}/credits/ledger", headers=headers, params={"message": "m2"})
    assert of_message.json()["data"] == []


# --- The platform ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def admin(site: Site, rows: Any) -> dict[str, str]:
    """The headers of an administrator of the platform."""
    return bearer(await site.sign_in(await add_user(rows, "admin", None, name="chief")))


async def grant(site: Site, headers: dict[str, str], customer: str, **body: Any) -> Any:
    path = f"/api/platform/customers/{customer}/credits"
    return await site.client.post(path, headers=headers, json={"amount": 10, **body})


async def test_a_grant_that_is_not_booked_yet_is_accepted(
    site: Site, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(granting, "WAIT_S", 0.05)
    customer = site.account.customer_id
    for _ in range(2):
        answer = await grant(site, {**admin, "Idempotency-Key": "invoice-1"}, customer, note="Invoice 1")
        assert answer.status_code == 202, answer.text
        assert answer.json()["data"]["balance"] is None
    (command,) = await commands(site)
    assert isinstance(command, GrantCredits), "the stream keeps one of each key"
    assert (command.customer_id, command.amount, command.reason) == (customer, 10, "topup")
    assert command.by.startswith("usr_")


async def test_a_key_that_was_used_for_another_grant_is_422(
    site: Site, rows: Any, admin: dict[str, str], metered: str
) -> None:
    grant_id = granting.grant_id_of(metered, "invoice-1")
    await book(rows, metered, 10)
    await rows.ledger.delete_many({})
    entry = LedgerEntry(
        id=f"{metered}/{grant_id}/grant",
        customer_id=metered,
        number=1,
        kind="topup",
        amount=10,
        balance=10,
        held=0,
        at=datetime.now(UTC),
    )
    await rows.ledger.insert_one(to_document(entry))
    headers = {**admin, "Idempotency-Key": "invoice-1"}
    same = await grant(site, headers, metered)
    assert (same.status_code, same.json()["data"]["balance"]) == (200, 10)
    refused(await grant(site, headers, metered, amount=11), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"amount": 0}, id="nothing"),
        pytest.param({"amount": -5}, id="a top-up below zero"),
        pytest.param({"amount": 2_000_000_000}, id="too much"),
        pytest.param({"reason": "bribe"}, id="an unknown reason"),
        pytest.param({"reason": "gift", "payment": {"amount": 1, "currency": "IDR"}}, id="a gift that is paid for"),
    ],
)
async def test_a_grant_that_makes_no_sense_is_400(site: Site, admin: dict[str, str], body: dict[str, Any]) -> None:
    refused(await grant(site, admin, site.account.customer_id, **body), 400, "VALIDATION_FAILED")


async def test_credits_of_nobody_are_404(site: Site, admin: dict[str, str]) -> None:
    refused(await grant(site, admin, "cus_nobody"), 404, "NOT_FOUND")
    for path in ("credits", "credits/ledger"):
        refused(await site.client.get(f"/api/platform/customers/cus_nobody/{path}", headers=admin), 404, "NOT_FOUND")


async def test_only_the_platforms_administrators_grant_credits(site: Site, rows: Any) -> None:
    customer = site.account.customer_id
    refused(await grant(site, await signed_in(site), customer), 403, "FORBIDDEN")
    support = await signed_in(site, await add_user(rows, "support", None))
    refused(await grant(site, support, customer), 403, "FORBIDDEN")
    shown = await site.client.get(f"/api/platform/customers/{customer}/credits", headers=support)
    assert shown.status_code == 200, shown.text
    assert await commands(site) == []
