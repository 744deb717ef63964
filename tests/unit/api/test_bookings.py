"""What is written when a subscription is bought, extended, cancelled or paid."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from libs.contracts.errors import ApiError
from libs.contracts.records import Subscription
from services.api.accounts.records import Transaction
from services.api.billing import bookings
from services.api.billing.bookings import Booking, Books, Deal
from services.api.errors import Refusal
from tests.unit.api.builders import AT, account, plan, subscription

DAY = timedelta(days=1)
DEAL = Deal(cycles=2, by="usr_admin")


def books(*subscriptions: Subscription, pending: list[Transaction] | None = None, suspended: bool = False) -> Books:
    customer = replace(account().customer, suspended_at=AT if suspended else None)
    return Books(customer=customer, subscriptions=list(subscriptions), pending=pending or [])


def by_id(booking: Booking) -> dict[str, Subscription]:
    return {row.id: row for row in booking.subscriptions}


def asked_for() -> tuple[Books, Transaction]:
    """Books in which a customer's purchase waits for its payment."""
    booking = bookings.requested(books(), plan(is_offered=True), DEAL, AT - DAY)
    assert booking.payment is not None
    return books(*booking.subscriptions, pending=[booking.payment]), booking.payment


def refusal_of(rule: Callable[[], Any]) -> ApiError:
    with pytest.raises(Refusal) as caught:
        rule()
    return caught.value.code


# --- Buying ----------------------------------------------------------------------------------------------------------


def test_a_subscription_that_is_bought_runs_for_its_cycles_and_is_paid_in_full() -> None:
    booking = bookings.subscribed(books(), plan(), DEAL, AT)
    (new,) = booking.subscriptions
    assert (new.status, new.started_at, new.notice, new.notice_at) == ("active", AT, "changed", AT)
    assert new.ends_at == AT.replace(year=AT.year + 2)
    assert booking.payment is not None
    assert (booking.payment.amount, booking.payment.status) == (100_000, "success")
    assert (booking.payment.subscription_id, booking.payment.history[0].by) == (new.id, "usr_admin")


def test_the_terms_are_copied_so_that_a_plan_may_change() -> None:
    booking = bookings.subscribed(books(), plan(), DEAL, AT)
    assert booking.subscriptions[0].allowance == plan().allowance
    assert booking.payment is not None
    assert booking.payment.purchase is not None
    assert (booking.payment.purchase.plan_name, booking.payment.purchase.price) == ("Small", 50_000)


def test_one_that_is_given_away_costs_what_was_agreed_and_has_no_end() -> None:
    booking = bookings.subscribed(books(), plan(), replace(DEAL, cycles=None, amount=0), AT)
    assert booking.subscriptions[0].ends_at is None
    assert booking.payment is not None
    assert booking.payment.amount == 0


def test_another_plan_ends_what_runs_and_drops_what_was_to_follow() -> None:
    there = books(subscription(ends_at=AT + DAY), subscription(id="sub_2", started_at=AT + DAY))
    written = by_id(bookings.subscribed(there, plan(id="plan_2"), DEAL, AT))
    assert (written["sub_1"].ends_at, written["sub_1"].status) == (AT, "active")
    assert written["sub_2"].status == "cancelled"
    assert len(written) == 3


def test_more_of_the_same_changes_nothing_that_runs() -> None:
    booking = bookings.subscribed(books(subscription(ends_at=AT + DAY)), plan(), DEAL, AT)
    (new,) = booking.subscriptions
    assert new.started_at == AT + DAY


def test_a_plan_that_is_no_longer_sold_cannot_be_bought() -> None:
    assert refusal_of(lambda: bookings.subscribed(books(), plan(is_active=False), DEAL, AT)) is ApiError.NOT_POSSIBLE


# --- Requests and payments -------------------------------------------------------------------------------------------


def test_a_request_allows_nothing_until_it_is_paid() -> None:
    there, payment = asked_for()
    assert [row.status for row in there.subscriptions] == ["pending"]
    assert (payment.status, payment.amount) == ("pending", 100_000)


def test_the_same_request_twice_is_one() -> None:
    there, payment = asked_for()
    again = bookings.requested(there, plan(is_offered=True), DEAL, AT)
    assert (again.payment, again.subscriptions) == (payment, [])


def test_a_plan_that_is_not_offered_is_not_found() -> None:
    assert refusal_of(lambda: bookings.requested(books(), plan(), DEAL, AT)) is ApiError.NOT_FOUND


def test_only_so_many_requests_wait_at_a_time() -> None:
    pending = [replace(asked_for()[1], id=f"trx_{number}") for number in range(bookings.MOST_PENDING)]
    another = plan(id="plan_2", is_offered=True)
    assert refusal_of(lambda: bookings.requested(books(pending=pending), another, DEAL, AT)) is ApiError.NOT_POSSIBLE


def test_a_payment_that_is_confirmed_begins_what_it_is_for_now() -> None:
    there, payment = asked_for()
    booking = bookings.settled(there, payment.id, "success", AT, by="usr_admin", note="seen")
    (new,) = booking.subscriptions
    assert (new.status, new.started_at, new.ends_at) == ("active", AT, AT.replace(year=AT.year + 2))
    assert booking.payment is None
    assert booking.settlement is not None
    step = booking.settlement.step
    assert (step.status, step.by, step.note) == ("success", "usr_admin", "seen")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_payment_that_fails_ends_the_request(status: str) -> None:
    there, payment = asked_for()
    booking = bookings.settled(there, payment.id, status, AT, by="usr_admin", note=None)
    assert [row.status for row in booking.subscriptions] == ["cancelled"]


@pytest.mark.parametrize("fields", [None, {"status": "cancelled"}], ids=["gone", "cancelled"])
def test_a_payment_for_what_is_no_longer_wanted_begins_nothing(fields: dict[str, Any] | None) -> None:
    there, payment = asked_for()
    left = [] if fields is None else [replace(there.subscriptions[0], **fields)]
    booking = bookings.settled(replace(there, subscriptions=left), payment.id, "success", AT, by="u", note=None)
    assert booking.subscriptions == []
    assert booking.settlement is not None


def test_a_payment_ends_once() -> None:
    assert (
        refusal_of(lambda: bookings.settled(books(), "trx_1", "success", AT, by="usr_admin", note=None))
        is ApiError.NOT_POSSIBLE
    )


# --- What runs already -----------------------------------------------------------------------------------------------


def test_an_extension_goes_on_from_the_end_by_the_terms_that_were_agreed() -> None:
    there = books(subscription(ends_at=AT + DAY, price=1_000))
    booking = bookings.extended(there, "sub_1", DEAL, AT, ends_at=None)
    (row,) = booking.subscriptions
    assert row.ends_at == (AT + DAY).replace(year=AT.year + 2)
    assert (row.notice, row.notice_at) == ("changed", AT)
    assert booking.payment is not None
    assert booking.payment.amount == 2_000


def test_one_that_is_over_goes_on_from_now() -> None:
    there = books(subscription(started_at=AT - 9 * DAY, ends_at=AT - DAY))
    (row,) = bookings.extended(there, "sub_1", DEAL, AT, ends_at=None).subscriptions
    assert row.ends_at == AT.replace(year=AT.year + 2)


@pytest.mark.parametrize(
    ("fields", "ends_at", "code"),
    [
        ({"ends_at": None}, None, ApiError.NOT_POSSIBLE),
        ({"status": "cancelled", "ends_at": AT + DAY}, None, ApiError.NOT_POSSIBLE),
        ({"status": "pending", "ends_at": AT + DAY}, None, ApiError.NOT_POSSIBLE),
        ({"ends_at": AT + 2 * DAY}, AT + DAY, ApiError.VALIDATION_FAILED),
        ({"started_at": AT - 9 * DAY, "ends_at": AT - 2 * DAY}, AT - DAY, ApiError.VALIDATION_FAILED),
        ({"id": "sub_of_another", "ends_at": AT + DAY}, None, ApiError.NOT_FOUND),
    ],
    ids=["endless", "cancelled", "not paid", "an earlier end", "an end in the past", "not this customer's"],
)
def test_what_cannot_be_extended_is_refused(fields: dict[str, Any], ends_at: Any, code: ApiError) -> None:
    there = books(subscription(**fields))
    assert refusal_of(lambda: bookings.extended(there, "sub_1", DEAL, AT, ends_at=ends_at)) is code


def test_one_that_another_follows_is_not_extended_into_it() -> None:
    there = books(subscription(ends_at=AT + DAY), subscription(id="sub_2", started_at=AT + DAY, ends_at=AT + 9 * DAY))
    assert refusal_of(lambda: bookings.extended(there, "sub_1", DEAL, AT, ends_at=None)) is ApiError.NOT_POSSIBLE
    assert bookings.extended(there, "sub_2", DEAL, AT, ends_at=None).subscriptions


def test_a_cancelled_one_allows_nothing_from_now_on() -> None:
    (row,) = bookings.cancelled(books(subscription()), "sub_1", AT, by="usr_admin", note=None).subscriptions
    assert (row.status, row.ends_at) == ("cancelled", AT)


def test_cancelling_one_that_is_not_paid_cancels_its_payment() -> None:
    there, payment = asked_for()
    booking = bookings.cancelled(there, there.subscriptions[0].id, AT, by="usr_admin", note=None)
    assert booking.settlement is not None
    assert (booking.settlement.transaction_id, booking.settlement.step.status) == (payment.id, "cancelled")


@pytest.mark.parametrize("fields", [{"status": "cancelled"}, {"ends_at": AT}], ids=["cancelled", "over"])
def test_what_allows_nothing_is_not_cancelled_again(fields: dict[str, Any]) -> None:
    there = books(subscription(**fields))
    assert refusal_of(lambda: bookings.cancelled(there, "sub_1", AT, by="u", note=None)) is ApiError.NOT_POSSIBLE


# --- Suspension ------------------------------------------------------------------------------------------------------


def test_a_suspension_holds_what_runs_and_its_end_lets_it_go_on() -> None:
    there = books(subscription(), subscription(id="sub_2", status="cancelled"))
    held = bookings.suspended(there, AT, reason="abuse")
    assert [(row.id, row.held) for row in held.subscriptions] == [("sub_1", True)]
    assert held.customer is not None
    assert (held.customer.suspended_at, held.customer.suspended_for) == (AT, "abuse")
    after = bookings.resumed(replace(there, customer=held.customer, subscriptions=held.subscriptions))
    assert [(row.id, row.held) for row in after.subscriptions] == [("sub_1", False)]
    assert after.customer is not None
    assert after.customer.suspended_at is None


def test_nothing_begins_for_a_customer_that_is_suspended() -> None:
    assert refusal_of(lambda: bookings.subscribed(books(suspended=True), plan(), DEAL, AT)) is ApiError.NOT_POSSIBLE
    there, payment = asked_for()
    there = replace(there, customer=replace(there.customer, suspended_at=AT))
    assert (
        refusal_of(lambda: bookings.settled(there, payment.id, "success", AT, by="u", note=None))
        is ApiError.NOT_POSSIBLE
    )
