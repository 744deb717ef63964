"""Rates of API keys: the same over all edges, told in headers, counted without asking MongoDB for each request."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from services.api.access import limiting
from services.api.access.limiting import Limiter
from tests.integration.api.accounts import bearer, new_key, sessions_with, signed_in
from tests.integration.api.conftest import SiteMaker
from tests.integration.api.edges import BASE, Site, refused
from tests.integration.api.messages import TEXT

SPELLINGS = {"ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}


class Minutes:
    """A clock that stands still within a minute until the test lets the next one begin.

    It is one to come: MongoDB, which looks once a minute, removes windows that are over.
    """

    def __init__(self, *sites: Site) -> None:
        self.at = 4_099_999_990.0  # ten seconds into a minute
        for site in sites:
            site.edge.limiter = Limiter(site.edge.database, clock=lambda: self.at)


def told(answer: httpx.Response) -> tuple[str, str]:
    return answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]


async def spent(sites: list[Site], api_key: str, times: int) -> list[int]:
    """The statuses of so many requests, eight at a time, turn by turn at each edge."""
    gate = asyncio.Semaphore(8)

    async def one(number: int) -> int:
        async with gate:
            return (await sessions_with(sites[number % len(sites)], api_key)).status_code

    return await asyncio.gather(*(one(number) for number in range(times)))


# --- Over all edges --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, 60])
async def test_two_edges_let_through_exactly_the_limit(site: Site, open_site: SiteMaker, limit: int) -> None:
    key = (await new_key(site, requestsPerMinute=limit))["apiKey"]
    async with open_site() as other:
        Minutes(site, other)
        statuses = await spent([site, other], key, 2 * limit + 10)
    assert (statuses.count(200), statuses.count(429)) == (limit, limit + 10)


async def test_an_edge_cannot_use_what_the_other_has_used(site: Site, open_site: SiteMaker) -> None:
    key = (await new_key(site, requestsPerMinute=20))["apiKey"]
    async with open_site() as other:
        Minutes(site, other)
        assert (await spent([site], key, 25)).count(200) == 20
        assert (await sessions_with(other, key)).status_code == 429


async def test_the_next_minute_begins_anew(site: Site) -> None:
    key = (await new_key(site, requestsPerMinute=3))["apiKey"]
    minutes = Minutes(site)
    assert sorted(await spent([site], key, 4)) == [200, 200, 200, 429]
    minutes.at += 49.9
    assert (await sessions_with(site, key)).status_code == 429
    minutes.at += 0.1
    assert (await sessions_with(site, key)).status_code == 200


async def test_most_requests_ask_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (await new_key(site, requestsPerMinute=1_000))["apiKey"]
    looks: list[str] = []
    take_share = limiting.take_share

    async def watched(database: Any, subject: str, **more: Any) -> tuple[int, int]:
        looks.append(subject)
        return await take_share(database, subject, **more)

    monkeypatch.setattr(limiting, "take_share", watched)
    Minutes(site)
    assert (await spent([site], key, 150)).count(200) == 150
    assert len(looks) == 2


async def test_what_was_used_up_is_refused_without_a_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    key = (await new_key(site, requestsPerMinute=2))["apiKey"]
    Minutes(site)
    await spent([site], key, 2)

    async def forbidden(*_: Any, **__: Any) -> tuple[int, int]:
        raise AssertionError("a look")

    monkeypatch.setattr(limiting, "take_share", forbidden)
    assert await spent([site], key, 5) == [429] * 5


# --- What is told ----------------------------------------------------------------------------------------------------


async def test_every_answer_tells_the_rate_in_both_spellings(site: Site) -> None:
    key = (await new_key(site, requestsPerMinute=10))["apiKey"]
    Minutes(site)
    for remaining in ("9", "8"):
        answer = await sessions_with(site, key)
        assert answer.headers["ratelimit-policy"] == '"requests";q=10;w=60'
        assert answer.headers["ratelimit"] == f'"requests";r={remaining};t=50'
        assert (*told(answer), answer.headers["ratelimit-reset"]) == ("10", remaining, "50")
    assert told(await site.client.get(f"{BASE}/sessions/nothing", headers=bearer(key))) == ("10", "7")


async def test_the_refusal_says_when_to_come_back(site: Site) -> None:
    key = (await new_key(site, requestsPerMinute=1))["apiKey"]
    Minutes(site)
    await sessions_with(site, key)
    answer = await sessions_with(site, key)
    body = refused(answer, 429, "RATE_LIMITED")
    assert body["details"] == {"limit": 1, "of": "requests", "windowS": 60, "resetsInS": 50}
    assert (answer.headers["retry-after"], answer.headers["ratelimit-remaining"]) == ("50", "0")


async def test_a_page_of_another_origin_may_read_it(site: Site) -> None:
    answer = await site.client.get(f"{BASE}/sessions", headers={"Origin": "https://shop.example"})
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= SPELLINGS


async def test_without_a_limit_nothing_is_told(site: Site) -> None:
    for headers in (bearer(site.account.api_key), await signed_in(site)):
        answer = await site.client.get(f"{BASE}/sessions", headers=headers)
        assert answer.status_code == 200
        assert not SPELLINGS & set(answer.headers)


# --- Messages --------------------------------------------------------------------------------------------------------


async def test_messages_have_a_rate_of_their_own(site: Site, session_id: str) -> None:
    key = (await new_key(site, requestsPerMinute=100, messagesPerMinute=2))["apiKey"]
    Minutes(site)
    chat = f"/api/services/whatsapp/chat/{session_id}/{key}"

    async def send() -> httpx.Response:
        return await site.client.post(f"{BASE}/sessions/{session_id}/messages", headers=bearer(key), json=TEXT)

    first = await send()
    assert first.status_code == 202
    assert first.headers["ratelimit"] == '"requests";r=99;t=50, "messages";r=1;t=50'
    assert told(first) == ("2", "1")
    assert (await site.client.post(chat, json={"phone": "081234567890", "message": "Halo"})).status_code == 200
    assert refused(await send(), 429, "RATE_LIMITED")["details"]["of"] == "messages"
    refused(await site.client.get(f"{chat}/081234567890/Halo"), 429, "RATE_LIMITED")
    assert (await site.client.get(f"{chat}/081234567890/test")).status_code == 200
    assert (await sessions_with(site, key)).status_code == 200


async def test_what_is_not_valid_is_not_counted_as_a_message(site: Site, session_id: str) -> None:
    key = (await new_key(site, messagesPerMinute=1))["apiKey"]
    Minutes(site)
    path = f"{BASE}/sessions/{session_id}/messages"
    for _ in range(3):
        refused(await site.client.post(path, headers=bearer(key), json={**TEXT, "to": "1"}), 400, "INVALID_PHONE")
    assert (await site.client.post(path, headers=bearer(key), json=TEXT)).status_code == 202


# --- The deployment's limit ------------------------------------------------------------------------------------------


async def test_the_deployments_limit_holds_for_keys_without_one_and_bounds_the_others(open_site: SiteMaker) -> None:
    async with open_site(key_requests_per_minute=5) as site:
        Minutes(site)
        owner, admin = await signed_in(site), await signed_in(site, "admin")
        plain, own = await new_key(site, owner), await new_key(site, owner, requestsPerMinute=2)
        assert (await spent([site], plain["apiKey"], 8)).count(200) == 5
        assert (await spent([site], own["apiKey"], 8)).count(200) == 2
        path = f"{BASE}/keys/{plain['data']['id']}"
        for above in (6, 0):
            answer = await site.client.patch(path, headers=owner, json={"requestsPerMinute": above})
            assert refused(answer, 400, "VALIDATION_FAILED")["details"]["fields"][0]["path"] == "requestsPerMinute"
        acting = f"{path}?customer={site.account.customer_id}"
        assert (await site.client.patch(acting, headers=admin, json={"requestsPerMinute": 0})).status_code == 200
        assert (await spent([site], plain["apiKey"], 8)).count(200) == 8
