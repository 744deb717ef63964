"""What of the account needs a person: told when it does, and only then, with the place where it is mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.contracts.credits import LedgerEntry
from libs.contracts.records import Allowance, Subscription
from libs.contracts.webhooks import WebhookHealth
from services.api.billing.terms import Standing
from services.api.dashboard.attention import Concern, Funds, concerns_of, funds_of
from services.api.dashboard.endpoints import endpoint_of
from services.api.dashboard.rendering import Clock
from services.api.dashboard.words import saying
from services.api.figures.days import zone_of
from services.api.webhooks.store_webhooks import Kept
from tests.unit.status.deliveries import webhook

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = timedelta(days=1)
CLOCK = Clock(zone_of("Asia/Jakarta"), "en")
SAY = saying("en")
RUNNING = Standing(active=True, status="ACTIVE", package_name="Warung", max_sessions=3)


def concerns(standing: Standing = RUNNING, funds: Funds | None = None, kept: Kept | None = None) -> list[Concern]:
    endpoints = [] if kept is None else [endpoint_of(kept, {}, "en")]
    return concerns_of(standing, funds or Funds(), endpoints, AT, told_before=3 * DAY, say=SAY, clock=CLOCK)


def hook(*, enabled: bool = True, **health: Any) -> Kept:
    return Kept(
        webhook=webhook(is_enabled=enabled),
        health=WebhookHealth(id="whk_1", customer_id="cus_1", **health) if health else None,
    )


def test_an_account_that_is_well_needs_nobody() -> None:
    assert concerns(funds=Funds(credits=5, messages=1), kept=hook(last_success_at=AT)) == []


@pytest.mark.parametrize(
    ("ends_at", "told"),
    [(None, False), (AT + 3 * DAY, True), (AT + 3 * DAY + timedelta(seconds=1), False)],
    ids=["no end", "soon", "later"],
)
def test_the_end_of_a_subscription_is_told_in_time(ends_at: datetime | None, told: bool) -> None:
    standing = Standing(active=True, status="ACTIVE", package_name="Warung", ends_at=ends_at)
    found = concerns(standing)
    assert [each.path for each in found] == (["plan"] if told else [])
    assert all("Warung ends 23 Nov 15:00" in each.advice for each in found)


def test_without_a_subscription_only_that_is_told_and_no_empty_month() -> None:
    (only,) = concerns(Standing(), Funds(messages=0))
    assert only.id == "subscription"


@pytest.mark.parametrize(
    ("funds", "words"),
    [
        (Funds(credits=0, is_low=True), ["No credits are left"]),
        (Funds(credits=1_200, is_low=True), ["Only 1,200 credits are left"]),
        (Funds(credits=1_200), []),
        (Funds(messages=0), ["The messages of this month are used up"]),
        (Funds(credits=-3, messages=-1), ["No credits are left", "The messages of this month are used up"]),
    ],
    ids=["none", "low", "enough", "month", "both"],
)
def test_what_runs_out_is_told_once(funds: Funds, words: list[str]) -> None:
    found = concerns(funds=funds)
    assert len(found) == len(words)
    assert all(each.advice.startswith(word) for each, word in zip(found, words, strict=True))


@pytest.mark.parametrize(
    ("kept", "status", "switched_on_by_a_click"),
    [
        (hook(failing_since=AT, last_error="the endpoint answered 500"), "failing", False),
        (hook(disabled_start=1, disabled_at=AT, disabled_reason="FAILING", failing_since=AT), "disabled", True),
        (hook(disabled_start=1, disabled_at=AT, disabled_reason="GONE"), "disabled", True),
    ],
    ids=["failing", "given up", "gone"],
)
def test_a_webhook_in_trouble_is_told_with_its_page(kept: Kept, status: str, switched_on_by_a_click: bool) -> None:
    (only,) = concerns(kept=kept)
    assert (only.title, only.status, only.path) == ("example.com", status, "webhooks/whk_1")
    assert bool(only.disabled_webhook) == switched_on_by_a_click
    assert only.advice


@pytest.mark.parametrize("kept", [hook(enabled=False), hook(enabled=False, failing_since=AT)], ids=["well", "failing"])
def test_a_webhook_that_a_person_has_switched_off_needs_nobody(kept: Kept) -> None:
    assert concerns(kept=kept) == []


@pytest.mark.parametrize(
    ("is_metered", "balance", "funds"),
    [
        (True, 7, Funds(credits=7, is_low=True, messages=4)),
        (True, None, Funds(credits=0, messages=4)),
        (False, 7, Funds(messages=4)),
    ],
    ids=["booked", "nothing booked", "free"],
)
def test_the_last_row_of_the_ledger_says_what_is_left(is_metered: bool, balance: int | None, funds: Funds) -> None:
    subscription = Subscription(
        id="sub_1",
        customer_id="cus_1",
        plan_id="plan_1",
        plan_name="Warung",
        allowance=Allowance(max_sessions=3, is_metered=is_metered),
        price=1,
        currency="IDR",
        billing_cycle="monthly",
        created_at=AT,
        started_at=AT,
    )
    last = None if balance is None else entry(balance)
    assert funds_of(Standing(active=True, subscription=subscription), last, 4) == funds


def entry(balance: int) -> LedgerEntry:
    return LedgerEntry(
        id="m/0/reserve",
        customer_id="cus_1",
        number=9,
        kind="reserve",
        amount=-1,
        balance=balance,
        held=1,
        warned_low=True,
        at=AT,
    )
