"""Sign-up: closed by default; open, it makes a customer with an owner, and a trial where the settings name a plan."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from infra.bootstrap import PLAN_ID
from tests.integration.api.accounts import NEW_PASSWORD, bearer
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, Site, refused

SIGN_UP = "/api/auth/signup"
SARI = {"name": "Bu Sari", "email": "Sari@Example.com", "password": NEW_PASSWORD, "company": "Toko Kopi"}


async def test_sign_up_is_closed_unless_the_settings_open_it(site: Site, rows: Any) -> None:
    refused(await site.client.post(SIGN_UP, json=SARI), 403, "FORBIDDEN")
    assert await rows.customers.count_documents({}) == 1


async def test_who_signs_up_owns_a_new_customer(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(open_signup=True) as site:
        data = (await site.client.post(SIGN_UP, json=SARI)).json()["data"]
        assert (data["user"]["email"], data["user"]["role"]) == ("sari@example.com", "owner")
        token = bearer(data["token"])
        me = (await site.client.get("/api/auth/me", headers=token)).json()["data"]
        customer = await rows.customers.find_one({"_id": me["customerId"]})
        assert (customer["name"], customer["email"]) == ("Toko Kopi", "sari@example.com")
        key = (await site.client.get(f"{BASE}/apikey", headers=token)).json()["apiKey"]
        assert key != site.account.api_key
        shown = (await site.client.get(f"{BASE}/subscription", headers=token)).json()
        assert shown["data"]["hasActiveSubscription"] is False
        assert await rows.subscriptions.count_documents({"customerId": me["customerId"]}) == 0
        noted = (await site.client.get("/api/customer/audit", headers=token)).json()["data"]
        assert [entry["action"] for entry in noted][-1] == "customer.signed_up"


async def test_a_trial_runs_for_the_days_of_the_settings_and_costs_nothing(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(open_signup=True, signup_plan=PLAN_ID, signup_days=7) as site:
        token = bearer((await site.client.post(SIGN_UP, json=SARI)).json()["data"]["token"])
        shown = (await site.client.get(f"{BASE}/subscription", headers=token)).json()["data"]
        assert (shown["hasActiveSubscription"], shown["packageName"]) == (True, "Self-hosted")
        customer_id = (await site.client.get("/api/auth/me", headers=token)).json()["data"]["customerId"]
        row = await rows.subscriptions.find_one({"customerId": customer_id})
        assert row["endsAt"] - row["startedAt"] == timedelta(days=7)
        payment = await rows.transactions.find_one({"customerId": customer_id})
        assert (payment["amount"], payment["paymentMethod"], payment["status"]) == (0, "trial", "success")


async def test_a_trial_of_a_plan_that_is_not_there_keeps_nobody_out(open_site: SiteMaker) -> None:
    async with open_site(open_signup=True, signup_plan="plan_gone") as site:
        assert (await site.client.post(SIGN_UP, json=SARI)).status_code == 200


async def test_of_two_with_the_same_address_one_signs_up(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(open_signup=True) as site, open_site(open_signup=True) as other:
        answers = await asyncio.gather(*(edge.client.post(SIGN_UP, json=SARI) for edge in (site, other, site)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400]
        assert await rows.customers.count_documents({"email": "sari@example.com"}) == 1
        assert await rows.users.count_documents({"email": "sari@example.com"}) == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"email": "nonsense"}, "email"),
        ({"email": "owner@merpati.local"}, "email"),
        ({"password": "short"}, "password"),
        ({"name": ""}, "name"),
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
    ],
    ids=["no address", "taken", "short", "no name", "no zone"],
)
async def test_a_bad_sign_up_leaves_nothing(open_site: SiteMaker, rows: Any, fields: dict[str, str], path: str) -> None:
    async with open_site(open_signup=True) as site:
        answer = await site.client.post(SIGN_UP, json={**SARI, **fields})
        assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == path
        assert (await rows.customers.count_documents({}), await rows.users.count_documents({})) == (1, 2)


async def test_an_address_signs_up_so_often_and_no_more(open_site: SiteMaker) -> None:
    async with open_site(open_signup=True, signups_per_address=2) as site:
        bodies = [{**SARI, "email": f"user{number}@example.com"} for number in range(3)]
        answers = [await site.client.post(SIGN_UP, json=body) for body in bodies]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) > 800
