"""One's own sign-ins and password: listed, ended, and limited where they can be guessed at."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.api.accounts import NEW_PASSWORD, add_user, bearer, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import OWNER_PASSWORD, Site, believing, refused, until

LOGINS = "/api/auth/logins"
WRONG = "wrong"


async def guess(site: Site, identifier: str, password: str = WRONG, **headers: str) -> httpx.Response:
    body = {"identifier": identifier, "password": password}
    return await site.client.post("/api/auth/signin", json=body, headers=headers)


# --- Listed and ended ------------------------------------------------------------------------------------------------


async def test_one_sees_where_one_is_signed_in(site: Site) -> None:
    agent = {"User-Agent": "Firefox on a till"}
    answer = await guess(site, site.account.email, OWNER_PASSWORD, **agent)
    first, second = bearer(answer.json()["data"]["token"]), await signed_in(site)
    listed = (await site.client.get(LOGINS, headers=second)).json()["data"]
    assert [one["isCurrent"] for one in listed] == [True, False]
    assert (listed[1]["userAgent"], listed[1]["address"]) == ("Firefox on a till", "127.0.0.1")
    ended = await site.client.delete(f"{LOGINS}/{listed[1]['id']}", headers=second)
    assert ended.status_code == 200
    refused(await site.client.get("/api/auth/me", headers=first), 401, "INVALID_TOKEN")
    assert (await site.client.get("/api/auth/me", headers=second)).status_code == 200
    refused(await site.client.delete(f"{LOGINS}/{listed[1]['id']}", headers=second), 404, "NOT_FOUND")


async def test_one_ends_no_one_elses_sign_in(site: Site, rows: Any) -> None:
    owner = await signed_in(site)
    member = await signed_in(site, await add_user(rows, "member", site.account.customer_id))
    theirs = (await site.client.get(LOGINS, headers=owner)).json()["data"][0]["id"]
    refused(await site.client.delete(f"{LOGINS}/{theirs}", headers=member), 404, "NOT_FOUND")
    assert (await site.client.get("/api/auth/me", headers=owner)).status_code == 200


async def test_one_ends_all_the_others(site: Site, open_site: SiteMaker) -> None:
    others = [await signed_in(site) for _ in range(3)]
    mine = await signed_in(site)
    async with open_site() as edge:
        await believing(edge)
        for one in others:
            assert (await edge.client.get("/api/auth/me", headers=one)).status_code == 200
        answer = await site.client.post(f"{LOGINS}/revoke-others", headers=mine)
        assert answer.json()["message"] == "3 other sign-ins have ended"

        async def all_out() -> bool:
            answers = [await edge.client.get("/api/auth/me", headers=one) for one in others]
            return all(answer.status_code == 401 for answer in answers)

        await until(all_out)
        assert (await edge.client.get("/api/auth/me", headers=mine)).status_code == 200


async def test_a_key_has_no_sign_ins(site: Site) -> None:
    refused(await site.client.get(LOGINS, headers=bearer(site.account.api_key)), 401, "INVALID_TOKEN")


# --- Another password ------------------------------------------------------------------------------------------------


async def test_another_password_ends_every_other_sign_in(site: Site) -> None:
    before, mine = await signed_in(site), await signed_in(site)
    body = {"currentPassword": OWNER_PASSWORD, "newPassword": NEW_PASSWORD}
    assert (await site.client.post("/api/auth/password", headers=mine, json=body)).status_code == 200
    refused(await site.client.get("/api/auth/me", headers=before), 401, "INVALID_TOKEN")
    assert (await site.client.get("/api/auth/me", headers=mine)).status_code == 200
    refused(await guess(site, site.account.email, OWNER_PASSWORD), 401, "INVALID_CREDENTIALS")
    assert (await guess(site, site.account.email, NEW_PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"currentPassword": "wrong", "newPassword": NEW_PASSWORD}, "currentPassword"),
        ({"currentPassword": OWNER_PASSWORD, "newPassword": "short"}, "newPassword"),
        ({"currentPassword": OWNER_PASSWORD, "newPassword": OWNER_PASSWORD}, "newPassword"),
        ({"newPassword": NEW_PASSWORD}, "currentPassword"),
    ],
    ids=["wrong", "short", "the same", "none"],
)
async def test_a_bad_change_of_password_is_refused(site: Site, body: dict[str, str], path: str) -> None:
    answer = await site.client.post("/api/auth/password", headers=await signed_in(site), json=body)
    assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == path
    assert (await guess(site, site.account.email, OWNER_PASSWORD)).status_code == 200


async def test_the_present_password_cannot_be_guessed_for_ever(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries=3) as site:
        mine = await signed_in(site)
        body = {"currentPassword": "wrong", "newPassword": NEW_PASSWORD}
        answers = [await site.client.post("/api/auth/password", headers=mine, json=body) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [400, 400, 400, 429, 429]


# --- Guessing --------------------------------------------------------------------------------------------------------


async def test_after_some_failures_even_the_right_password_waits_in_every_edge(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries=4) as site, open_site(sign_in_tries=4) as other:
        for edge in (site, other, site, other):
            refused(await guess(edge, site.account.email), 401, "INVALID_CREDENTIALS")
        for edge in (site, other):
            answer = await guess(edge, site.account.email, OWNER_PASSWORD)
            assert "15 min" in refused(answer, 429, "TOO_MANY_ATTEMPTS")["message"]
            assert 840 < int(answer.headers["retry-after"]) <= 900


async def test_the_window_ends(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(sign_in_tries=1) as site:
        await guess(site, site.account.email)
        refused(await guess(site, site.account.email, OWNER_PASSWORD), 429, "TOO_MANY_ATTEMPTS")
        await rows.attempts.update_many({}, {"$set": {"endsAt": datetime.now(UTC) - timedelta(seconds=1)}})
        assert (await guess(site, site.account.email, OWNER_PASSWORD)).status_code == 200


async def test_many_at_once_get_no_more_guesses_than_one_after_the_other(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries=3, password_queue=50) as site, open_site(sign_in_tries=3) as other:
        answers = await asyncio.gather(*(guess((site, other)[n % 2], site.account.email) for n in range(20)))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(401), statuses.count(429)) == (3, 17)


async def test_a_success_forgives_the_users_failures(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries=3) as site:
        for _ in range(3):
            for _ in range(2):
                refused(await guess(site, site.account.email), 401, "INVALID_CREDENTIALS")
            assert (await guess(site, site.account.email, OWNER_PASSWORD)).status_code == 200


async def test_the_names_of_one_user_count_together_and_those_of_others_do_not(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(sign_in_tries=2) as site:
        await guess(site, "admin")
        await guess(site, "admin@merpati.local")
        refused(await guess(site, "admin", OWNER_PASSWORD), 429, "TOO_MANY_ATTEMPTS")
        assert (await guess(site, site.account.email, OWNER_PASSWORD)).status_code == 200


async def test_a_name_that_nobody_has_is_locked_like_one_that_somebody_has(open_site: SiteMaker, rows: Any) -> None:
    async with open_site(sign_in_tries=2) as site:
        statuses = [(await guess(site, "nobody@example.com")).status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        assert "nobody@example.com" not in str(await rows.attempts.find().to_list())


async def test_an_address_is_limited_whatever_names_it_tries(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries_per_address=5, trusted_proxies="127.0.0.1") as site:
        there, elsewhere = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "198.51.100.1"}
        statuses = [(await guess(site, f"user{n}@example.com", **there)).status_code for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        refused(await guess(site, site.account.email, OWNER_PASSWORD, **there), 429, "TOO_MANY_ATTEMPTS")
        assert (await guess(site, site.account.email, OWNER_PASSWORD, **elsewhere)).status_code == 200


async def test_failures_at_one_address_lock_nobody_out_of_another(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries=2, sign_in_tries_per_user=4, trusted_proxies="127.0.0.1") as site:
        stranger, owner = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "198.51.100.1"}
        statuses = [(await guess(site, site.account.email, **stranger)).status_code for _ in range(8)]
        assert statuses == [401] * 2 + [429] * 6
        assert (await guess(site, site.account.email, OWNER_PASSWORD, **owner)).status_code == 200
        refused(await guess(site, site.account.email, OWNER_PASSWORD, **stranger), 429, "TOO_MANY_ATTEMPTS")


async def test_many_addresses_together_get_a_bounded_number_of_guesses(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries_per_user=4, trusted_proxies="127.0.0.1") as site:
        for n in range(4):
            await guess(site, site.account.email, **{"X-Forwarded-For": f"203.0.113.{n}"})
            if n < 3:  # the owner's success gives nobody else's guesses back
                owner = {"X-Forwarded-For": "198.51.100.1"}
                assert (await guess(site, site.account.email, OWNER_PASSWORD, **owner)).status_code == 200
        fifth = {"X-Forwarded-For": "203.0.113.200"}
        refused(await guess(site, site.account.email, OWNER_PASSWORD, **fifth), 429, "TOO_MANY_ATTEMPTS")


async def test_an_ipv6_address_counts_with_its_network(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries_per_address=2, trusted_proxies="127.0.0.1") as site:
        for n in range(2):
            await guess(site, f"user{n}@example.com", **{"X-Forwarded-For": f"2001:db8:1:2::{n + 1}"})
        near, far = {"X-Forwarded-For": "2001:db8:1:2:ffff::9"}, {"X-Forwarded-For": "2001:db8:1:3::1"}
        refused(await guess(site, site.account.email, OWNER_PASSWORD, **near), 429, "TOO_MANY_ATTEMPTS")
        assert (await guess(site, site.account.email, OWNER_PASSWORD, **far)).status_code == 200


async def test_sign_ins_that_succeed_do_not_use_up_the_addresss(open_site: SiteMaker) -> None:
    async with open_site(sign_in_tries_per_address=2) as site:
        for _ in range(5):
            assert (await guess(site, site.account.email, OWNER_PASSWORD)).status_code == 200
