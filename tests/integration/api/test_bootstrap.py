"""The first rows: made once, however often and however many at a time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from infra.bootstrap import BootstrapSettings, bootstrap
from libs.runtime.crypto import KeyRing
from libs.runtime.mongo import database
from services.api.access.passwords import Passwords
from tests.conftest import with_database
from tests.integration.api.conftest import FAST_HASHER
from tests.integration.api.edges import RING
from tests.servers import client_of

PASSWORD = "first password"
COUNTS = {"customers": 1, "users": 2, "keys": 1, "plans": 1, "subscriptions": 1, "transactions": 1}


@pytest.fixture
async def empty(shared_mongodb: str, request: pytest.FixtureRequest) -> Any:
    """A database without anything in it."""
    url = with_database(shared_mongodb, f"test_bootstrap_{abs(hash(request.node.nodeid)):x}")
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        yield url, client.get_default_database()
        await client.drop_database(client.get_default_database().name)


async def run(url: str, *, password: str = PASSWORD) -> Any:
    settings = BootstrapSettings(mongodb_url=url, secret_keys=RING, admin_password=password, customer_password=password)
    async with client_of(url) as client:
        passwords = Passwords(at_once=2, queue=8, hasher=FAST_HASHER)
        return await bootstrap(database(client), settings, KeyRing.parse(RING), passwords)


async def counts(rows: Any) -> dict[str, int]:
    return {name: await rows[name].count_documents({}) for name in COUNTS}


async def test_it_may_run_twice_and_at_the_same_time(empty: Any) -> None:
    url, rows = empty
    answers = await asyncio.gather(*(run(url) for _ in range(4)))
    answers.append(await run(url))
    assert len({(answer.customer_id, answer.api_key) for answer in answers}) == 1
    assert await counts(rows) == COUNTS


async def test_ones_own_password_stays_until_another_one_is_given(empty: Any) -> None:
    url, rows = empty
    await run(url)
    await rows.users.update_one({"role": "owner"}, {"$set": {"passwordHash": FAST_HASHER.hash("own password")}})
    await run(url)
    assert FAST_HASHER.verify((await rows.users.find_one({"role": "owner"}))["passwordHash"], "own password")
    await run(url, password="second password")
    assert FAST_HASHER.verify((await rows.users.find_one({"role": "owner"}))["passwordHash"], "second password")


async def test_every_polled_read_has_an_index(empty: Any) -> None:
    url, rows = empty
    await run(url)
    wanted = {"customerId": "c", "live": True}
    for query, sort in (
        ({"$or": [{**wanted, "_id": "x"}, {**wanted, "name": "x"}]}, None),
        (wanted, {"createdAt": -1, "_id": -1}),
        (wanted, {"isDefault": -1, "createdAt": 1}),
    ):
        command: dict[str, Any] = {"find": "sessions", "filter": query} | ({"sort": sort} if sort else {})
        plan = json.dumps(
            (await rows.command("explain", command, verbosity="queryPlanner"))["queryPlanner"]["winningPlan"]
        )
        assert '"COLLSCAN"' not in plan
        assert '"SORT"' not in plan


async def test_the_command_prints_one_line_and_refuses_to_run_without_keys(empty: Any, repository: Path) -> None:
    url, _ = empty
    given = {
        "MONGODB_URL": url,
        "MERPATI_SECRET_KEYS": RING,
        "MERPATI_ADMIN_PASSWORD": "a-password",
        "MERPATI_CUSTOMER_PASSWORD": "b-password",
        "MERPATI_CUSTOMER_EMAIL": "Shop@Example.com",
    }

    def command(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "infra.bootstrap"],
            cwd=repository,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = await asyncio.to_thread(command, given)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"customerId", "email", "apiKey", "adminEmail"}
    without = await asyncio.to_thread(command, {**given, "MERPATI_SECRET_KEYS": ""})
    assert without.returncode == 2
    assert "MERPATI_SECRET_KEYS" in without.stderr
