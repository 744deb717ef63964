"""Every list of the platform is served by an index, in the order it is shown in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.contracts.events import SessionStatus
from services.api.dashboard.pages.platform_overview import sessions_by_status
from tests.integration.api.edges import Site, believing
from tests.integration.api.operators import Operator

OURS = {"customers", "plans", "subscriptions", "transactions", "sessions"}


@pytest.fixture
async def profiled(site: Site, rows: Any) -> AsyncIterator[Any]:
    """The database, which writes down what it does for the edge."""
    await rows.command("profile", 2)
    yield rows
    await rows.command("profile", 0)
    await rows.drop_collection("system.profile")


async def test_no_list_reads_a_whole_collection_or_sorts(site: Site, operator: Operator, profiled: Any) -> None:
    customer, plan_id = site.account.customer_id, await operator.make_plan()
    await site.make_session()
    await site.call("POST", "/purchases", json={"planId": plan_id})
    for path in (
        *("/customers", "/customers?suspended=true", "/customers?q=t", "/plans"),
        *("/subscriptions", f"/subscriptions?customer={customer}", f"/subscriptions?plan={plan_id}"),
        *("/subscriptions?status=active", "/subscriptions?endsBefore=2099-01-01T00:00:00Z"),
        *("/transactions", f"/transactions?customer={customer}", "/transactions?status=PENDING"),
        *("/sessions", f"/sessions?customer={customer}", "/sessions?engine=scripted", "/sessions?status=CONNECTED"),
    ):
        await operator.ask("GET", path)
    for path in ("/subscription", "/transactions", "/transactions?status=paid", "/plans", "/sessions"):
        assert (await site.call("GET", path)).status_code == 200

    done = await profiled["system.profile"].find({"planSummary": {"$exists": True}}).to_list()
    mine = [op for op in done if op["ns"].partition(".")[2] in OURS]
    assert {op["ns"].partition(".")[2] for op in mine} == OURS
    assert [asked(op) for op in mine if "COLLSCAN" in op["planSummary"]] == []
    assert [asked(op) for op in mine if op.get("hasSortStage")] == []


async def test_all_who_look_at_the_overview_share_one_count_of_the_devices(site: Site, profiled: Any) -> None:
    await believing(site)
    await site.make_session()
    for _ in range(3):
        assert await sessions_by_status(site.edge) == {SessionStatus.CREATED: 1}
    [count] = await profiled["system.profile"].find({"ns": {"$regex": r"\.sessions$"}, "op": "command"}).to_list()
    assert (count["planSummary"], count["docsExamined"]) == ("IXSCAN { live: 1, createdAt: -1, _id: -1 }", 0)


def asked(op: Any) -> str:
    """What the edge asked, short enough to be read in a failure."""
    command = op["command"]
    return f"{op['ns']} {command.get('pipeline') or command.get('filter') or command}"[:300]
