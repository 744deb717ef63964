"""The platform's customers: created with an owner, renamed, suspended and resumed; and who may see them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.accounts import add_user, bearer
from tests.integration.api.edges import BASE, Site, believing, refused, until
from tests.integration.api.operators import PLATFORM, Operator, operator_of


async def test_a_new_customer_has_an_owner_who_can_sign_in(site: Site, operator: Operator) -> None:
    body = {"name": " Toko Kopi ", "email": "Kopi@Example.com", "ownerName": "Bu Sari", "timeZone": "Asia/Makassar"}
    made = await operator.ask("POST", "/customers", json=body)
    assert (made["customer"]["name"], made["customer"]["timeZone"]) == ("Toko Kopi", "Asia/Makassar")
    assert (made["owner"]["name"], made["owner"]["role"]) == ("Bu Sari", "owner")
    token = await site.sign_in("kopi@example.com", made["password"])
    me = (await site.client.get("/api/auth/me", headers=bearer(token))).json()
    assert me["data"]["customerId"] == made["customer"]["id"]
    assert "password" not in str(await operator.ask("GET", f"/customers/{made['customer']['id']}"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "kopi"}, "email"),
        ({"name": " "}, "name"),
        ({"timeZone": "Asia/Nowhere"}, "timeZone"),
        ({"timeZone": "../../etc/passwd"}, "timeZone"),
        ({"password": "short"}, "password"),
    ],
    ids=["email", "name", "time zone", "path", "password"],
)
async def test_a_customer_that_cannot_be_is_refused(operator: Operator, rows: Any, body: Any, field: str) -> None:
    answer = await operator.call("POST", "/customers", json={"name": "Kopi", "email": "kopi@example.com", **body})
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == field
    assert await rows.customers.count_documents({}) == 1


async def test_an_address_that_is_taken_makes_no_customer(site: Site, operator: Operator, rows: Any) -> None:
    answer = await operator.call("POST", "/customers", json={"name": "Kopi", "email": site.account.email})
    refused(answer, 400, "VALIDATION_FAILED")
    assert await rows.customers.count_documents({}) == 1


async def test_customers_are_listed_newest_first(operator: Operator) -> None:
    made = [(await operator.make_customer(name))["customer"] for name in ("Satu", "Dua", "Tiga")]
    answer = (await operator.call("GET", "/customers?limit=2")).json()
    assert [row["id"] for row in answer["data"]] == [made[2]["id"], made[1]["id"]]
    assert answer["pagination"] == {"total": 4, "limit": 2, "offset": 0, "hasMore": True}


async def test_customers_are_found_by_what_their_name_or_address_begins_with_and_by_their_id(
    operator: Operator,
) -> None:
    bodies = ({"name": "Café Satu", "email": "one@example.com"}, {"name": "Dua", "email": "caf+2@example.com"})
    satu, dua = [(await operator.ask("POST", "/customers", json=body))["customer"]["id"] for body in bodies]
    await operator.ask("POST", f"/customers/{dua}/suspend")
    for query, wanted in {
        "cafe": [satu],
        "CAF": [dua, satu],
        "CAF&suspended=true": [dua],
        "caf%2B2": [dua],
        satu: [satu],
        f"{satu}&suspended=true": [],
        "satu": [],
        "c.f": [],
    }.items():
        answer = (await operator.call("GET", f"/customers?q={query}")).json()
        assert [row["id"] for row in answer["data"]] == wanted, query
        assert answer["pagination"]["total"] == len(wanted), query


async def test_a_customer_is_renamed_and_moved_to_another_time_zone(site: Site, operator: Operator) -> None:
    customer_id = site.account.customer_id
    changed = await operator.ask("PATCH", f"/customers/{customer_id}", json={"name": "Kopi", "timeZone": "Asia/Tokyo"})
    assert (changed["name"], changed["timeZone"]) == ("Kopi", "Asia/Tokyo")
    assert (await site.call("GET", "//api/customer/account")).json()["data"]["timeZone"] == "Asia/Tokyo"
    own = await site.call("PATCH", "//api/customer/account", json={"timeZone": "Asia/Jakarta"})
    assert own.json()["data"]["timeZone"] == "Asia/Jakarta"
    refused(await operator.call("PATCH", f"/customers/{customer_id}", json={}), 400, "VALIDATION_FAILED")
    refused(await operator.call("PATCH", "/customers/cus_nobody", json={"name": "Kopi"}), 404, "NOT_FOUND")


async def test_a_suspended_customer_is_refused_everything_until_it_is_resumed(site: Site, operator: Operator) -> None:
    customer_id, token = site.account.customer_id, await site.sign_in()
    shown = await operator.ask("POST", f"/customers/{customer_id}/suspend", json={"reason": "complaints"})
    assert (shown["suspendedFor"], shown["subscription"]["status"]) == ("complaints", "INACTIVE")
    for headers in (bearer(token), bearer(site.account.api_key), {"X-API-Key": site.account.api_key}):
        refused(await site.client.get(f"{BASE}/sessions", headers=headers), 403, "CUSTOMER_SUSPENDED")
    public = f"/api/services/whatsapp/chat/any/{site.account.api_key}"
    refused(await site.client.post(public, json={"phone": "1", "message": "x"}), 403, "CUSTOMER_SUSPENDED")
    shown = await operator.ask("POST", f"/customers/{customer_id}/resume")
    assert (shown["suspendedAt"], shown["subscription"]["status"]) == (None, "ACTIVE")
    assert (await site.call("GET", "/sessions")).status_code == 200


async def test_a_suspension_reaches_the_other_edges_at_once(site: Site, operator: Operator, open_site: Any) -> None:
    async with open_site() as other:
        await believing(other)
        assert (await other.call("GET", "/sessions")).status_code == 200
        await operator.ask("POST", f"/customers/{site.account.customer_id}/suspend")

        async def is_refused() -> bool:
            return (await other.call("GET", "/sessions")).status_code == 403

        await until(is_refused)
        refused(await other.call("GET", "/sessions"), 403, "CUSTOMER_SUSPENDED")


async def test_what_is_done_stands_in_the_audit_log(operator: Operator, rows: Any) -> None:
    made = await operator.make_customer()
    await operator.ask("POST", f"/customers/{made['customer']['id']}/suspend")
    done = [row["action"] async for row in rows.audit.find({"customerId": made["customer"]["id"]}).sort("createdAt", 1)]
    assert done == ["customer.created", "customer.suspended"]


# --- Who may ---------------------------------------------------------------------------------------------------------

ROUTES = [
    ("GET", "/customers"),
    ("GET", "/plans"),
    ("GET", "/subscriptions"),
    ("GET", "/transactions"),
    ("GET", "/sessions"),
    ("GET", "/replicas"),
    ("GET", "/dead-letters"),
    ("GET", "/state"),
    ("POST", "/customers"),
    ("POST", "/plans"),
    ("POST", "/dead-letters/redrive"),
    ("POST", "/transactions/x/confirm"),
    ("POST", "/subscriptions/x/cancel"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_the_platform_is_for_its_own_users(site: Site, method: str, path: str) -> None:
    for headers in (bearer(await site.sign_in()), {}, bearer(site.account.api_key)):
        answer = await site.client.request(method, PLATFORM + path, headers=headers)
        assert answer.status_code in (401, 403), answer.text


async def test_support_reads_and_writes_nothing(site: Site, rows: Any) -> None:
    support = await operator_of(site, await add_user(rows, "support", None))
    for method, path in ROUTES:
        answer = await support.call(method, path, json=None if method == "GET" else {})
        assert answer.status_code == (200 if method == "GET" else 403), f"{method} {path}: {answer.text}"
