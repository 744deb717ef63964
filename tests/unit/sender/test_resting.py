"""A lane whose customer's subscription is over: its messages wait, visibly, and go on when there is one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from libs.contracts.records import Allowance, Subscription
from services.sender import lanes
from services.sender.customers import Customer, standing_of
from tests.processes import eventually
from tests.unit.sender.builders import NOW
from tests.unit.sender.desk import Desk, due_row, lane_with, script_of


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LOOK_FOR_SUBSCRIPTION_S", 0.01)


async def until_shown(desk: Desk, message_id: str, waiting_for: str | None) -> None:
    async def ask() -> bool:
        return message_id in desk.stored and desk.stored[message_id].waiting_for == waiting_for

    await eventually(ask, within_s=5, every_s=0.005)


@pytest.mark.usefixtures("looks_often")
async def test_messages_wait_visibly_while_the_subscription_is_over_and_go_on_with_the_next() -> None:
    desk = Desk(script_of())
    desk.subscribed = False
    lane = lane_with(desk, due_row("m1"), due_row("m2", order=2))
    await until_shown(desk, "m1", "subscription")
    await until_shown(desk, "m2", "subscription")
    assert desk.asked == []
    desk.subscribed = True
    await desk.until("m2", "sent")
    assert desk.asked == ["m1", "m2"]
    await lane.stop(0)


@pytest.mark.usefixtures("looks_often")
async def test_what_comes_while_a_lane_rests_shows_what_it_waits_for() -> None:
    desk = Desk(script_of())
    desk.subscribed = False
    lane = lane_with(desk, due_row("m1"))
    await until_shown(desk, "m1", "subscription")
    assert not lane.is_free("628@s.whatsapp.net", desk.now())
    lane.put(due_row("m2", order=2))
    await until_shown(desk, "m2", "subscription")
    await lane.stop(0)


@pytest.mark.usefixtures("looks_often")
async def test_a_session_that_connects_does_not_end_the_wait_for_a_subscription() -> None:
    desk = Desk(script_of())
    desk.subscribed = False
    lane = lane_with(desk, due_row("m1"))
    await until_shown(desk, "m1", "subscription")
    lane.connected(1)
    await asyncio.sleep(0.05)
    assert (desk.asked, desk.stored["m1"].waiting_for) == ([], "subscription")
    await lane.stop(0)


@pytest.mark.usefixtures("looks_often")
async def test_a_message_expires_while_it_waits_for_a_subscription() -> None:
    desk = Desk(script_of())
    desk.subscribed = False
    lane = lane_with(desk, due_row("m1", expires_at=desk.now() + timedelta(seconds=0.1)))
    await desk.until("m1", "expired")
    assert desk.asked == []
    await lane.stop(0)


async def test_an_attempt_that_was_stored_with_its_message_is_made() -> None:
    """Whether it may leave was asked a moment before it was stored."""
    desk = Desk(script_of())
    desk.subscribed = False
    lane = lane_with(desk)
    lane.put(due_row("m1", status="sending", handed_over=True, attempts=1), begun=True)
    await desk.until("m1", "sent")
    await lane.stop(0)


# --- What a customer's subscriptions come to -------------------------------------------------------------------------


def subscription(
    subscription_id: str = "sub_1", *, started: float = -10, ends: float | None = None, **fields: Any
) -> Subscription:
    values: dict[str, Any] = {
        "plan_id": "plan_1",
        "plan_name": "Basic",
        "allowance": Allowance(max_sessions=1, is_metered=True, prices={"text": 2}),
        "price": 1,
        "currency": "IDR",
        "billing_cycle": "monthly",
        "created_at": NOW,
        "started_at": NOW + timedelta(days=started),
        "ends_at": None if ends is None else NOW + timedelta(days=ends),
        **fields,
    }
    return Subscription(id=subscription_id, customer_id="cus_1", **values)


@pytest.mark.parametrize(
    ("customer", "may_send", "price"),
    [
        pytest.param(Customer(is_known=True, subscriptions=[subscription()]), True, 2, id="one that runs"),
        pytest.param(Customer(is_known=True, subscriptions=[subscription(ends=-1)]), False, 2, id="one that is over"),
        pytest.param(
            Customer(is_known=True, subscriptions=[subscription(status="cancelled")]),
            False,
            2,
            id="one that was cancelled",
        ),
        pytest.param(Customer(is_known=True, subscriptions=[subscription(held=True)]), False, 2, id="one that is held"),
        pytest.param(Customer(is_known=True), False, 0, id="none"),
        pytest.param(Customer(is_known=False), True, 0, id="a customer that api does not know"),
    ],
)
def test_who_may_send_and_at_what_price(customer: Customer, may_send: bool, price: int) -> None:
    standing = standing_of(customer, NOW)
    assert (standing.may_send, standing.price_of("text")) == (may_send, price)


def test_a_standing_ends_with_the_subscription() -> None:
    assert standing_of(Customer(is_known=True, subscriptions=[subscription(ends=3)]), NOW).until == NOW + timedelta(
        days=3
    )
