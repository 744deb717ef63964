"""What is booked for a message and for a grant, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.commands import GrantCredits
from libs.contracts.credits import LedgerEntry, price_of
from libs.contracts.records import Allowance, OutboxRow
from services.sender import rows
from services.sender.credits import Posting, posted, posting_of, posting_of_grant
from tests.unit.sender.builders import NOW, command, queued_row, sending_row

THRESHOLD = 10


def last(balance: int = 0, **fields: Any) -> LedgerEntry:
    """The customer's last row, after which the balance is this."""
    values: dict[str, Any] = {"number": 7, "kind": "topup", "amount": balance, "held": 0, "at": NOW, **fields}
    return LedgerEntry(id="before", customer_id="cus_1", balance=balance, **values)


def grant(amount: int, grant_id: str = "g1", reason: str = "topup") -> Posting:
    return posting_of_grant(
        GrantCredits(
            customer_id="cus_1",
            session_id="cus_1",
            grant_id=grant_id,
            reason=reason,
            amount=amount,
            by="usr_1",
            at=NOW,
        )
    )


def costing(price: int, **fields: Any) -> OutboxRow:
    return queued_row(credits=price, **fields)


def told(entries: list[LedgerEntry]) -> list[str]:
    return [fact["update"] for entry in entries for fact in entry.untold]


# --- What a message costs --------------------------------------------------------------------------------------------

METERED = Allowance(max_sessions=1, is_metered=True, prices={"image": 3, "reaction": 0, "default": 2})


@pytest.mark.parametrize(
    ("allowance", "message_type", "price"),
    [
        pytest.param(METERED, "image", 3, id="a named type"),
        pytest.param(METERED, "reaction", 0, id="a type that is free"),
        pytest.param(METERED, "text", 2, id="any other type"),
        pytest.param(Allowance(max_sessions=1, is_metered=True), "text", 1, id="without prices"),
        pytest.param(Allowance(max_sessions=1, prices={"text": 5}), "text", 0, id="not metered"),
    ],
)
def test_the_price_of_a_message(allowance: Allowance, message_type: str, price: int) -> None:
    assert price_of(allowance, message_type) == price


# --- What is due -----------------------------------------------------------------------------------------------------

FAILED = rows.failed(costing(5), "REFUSED", "no", NOW)
AGAIN = rows.queued_again(FAILED, order=9, now=NOW, credits=7)


@pytest.mark.parametrize(
    ("row", "posting_id", "amount", "hold"),
    [
        pytest.param(costing(5), "m1/0/reserve", -5, 5, id="queued"),
        pytest.param(rows.handing_over(costing(5)), "m1/0/reserve", -5, 5, id="sending"),
        pytest.param(rows.sent(rows.handing_over(costing(5)), NOW, NOW), "m1/0/charge", 0, -5, id="sent"),
        pytest.param(FAILED, "m1/0/refund", 5, -5, id="failed"),
        pytest.param(rows.cancelled(costing(5), NOW), "m1/0/refund", 5, -5, id="cancelled"),
        pytest.param(rows.at_deadline(costing(5, expires_at=NOW), NOW), "m1/0/refund", 5, -5, id="expired"),
        pytest.param(rows.sent(FAILED, NOW, NOW), "m1/0/rebook", -5, 0, id="failed and raised by a receipt"),
        pytest.param(AGAIN, "m1/1/reserve", -7, 7, id="queued again at another price"),
        pytest.param(rows.sent(rows.handing_over(AGAIN), NOW, NOW), "m1/1/charge", 0, -7, id="sent when queued again"),
    ],
)
def test_what_is_due_follows_from_the_row(row: OutboxRow, posting_id: str, amount: int, hold: int) -> None:
    due = posting_of(row)
    assert (due.id, due.amount, due.hold) == (posting_id, amount, hold)


def test_a_message_that_the_balance_does_not_cover_fails_and_nothing_is_given_back() -> None:
    row = rows.unpaid(costing(5), NOW)
    assert (row.status, row.code, row.credits) == ("failed", "CREDITS_EXHAUSTED", 0)
    assert row.content is not None, "it can be retried"


def test_a_message_of_a_free_type_is_stored_without_a_price() -> None:
    row = rows.new_row(command(), order=1, shard=1, epoch=1, now=NOW)
    assert row.credits == 0


# --- What is booked --------------------------------------------------------------------------------------------------


def test_the_first_row_of_a_ledger_begins_at_nothing() -> None:
    (entry,) = posted(None, [grant(5)], threshold=0, now=NOW)
    assert (entry.number, entry.amount, entry.balance, entry.held) == (1, 5, 5, 0)


def test_a_reservation_that_is_not_covered_becomes_a_row_that_changes_nothing() -> None:
    (entry,) = posted(last(4, held=3), [posting_of(costing(5))], threshold=0, now=NOW)
    assert (entry.id, entry.kind, entry.amount, entry.hold) == ("m1/0/reserve", "refused", 0, 0)
    assert (entry.number, entry.balance, entry.held) == (8, 4, 3)


def test_what_is_cheaper_is_still_covered_after_a_refusal() -> None:
    wanted = [posting_of(costing(price, id=f"m{price}")) for price in (3, 5, 2)]
    entries = posted(last(5), wanted, threshold=0, now=NOW)
    assert [entry.kind for entry in entries] == ["reserve", "refused", "reserve"]
    assert entries[-1].balance == 0


def test_a_receipt_may_take_a_balance_below_zero_and_sending_may_not() -> None:
    raised = rows.sent(FAILED, NOW, NOW)
    entries = posted(last(1), [posting_of(raised), posting_of(costing(1, id="m2"))], threshold=0, now=NOW)
    assert [(entry.kind, entry.balance) for entry in entries] == [("rebook", -4), ("refused", -4)]


STEPS = [
    posting_of(costing(5)),
    posting_of(rows.sent(sending_row(credits=5), NOW, NOW)),
    posting_of(FAILED),
    posting_of(AGAIN),
    posting_of(rows.sent(FAILED, NOW, NOW)),
    grant(20),
    grant(-8, reason="correction"),
]


@given(st.lists(st.sampled_from(STEPS), max_size=30), st.integers(0, 40))
def test_any_steps_leave_a_ledger_that_adds_up(steps: list[Posting], start: int) -> None:
    before = last(start)
    entries = posted(before, steps, threshold=THRESHOLD, now=NOW)
    assert [entry.number for entry in entries] == list(range(8, 8 + len(steps)))
    balance, held = start, 0
    for entry in entries:
        balance, held = balance + entry.amount, held + entry.hold
        assert (entry.balance, entry.held) == (balance, held)
        assert entry.kind != "reserve" or balance >= 0


@given(st.lists(st.sampled_from(STEPS), max_size=12), st.integers(0, 12), st.integers(0, 40))
def test_what_is_booked_in_two_parts_is_booked_as_in_one(steps: list[Posting], cut: int, start: int) -> None:
    """As after a death in the midst of an insert: the ledger ends earlier, and the rest follows."""
    whole = posted(last(start), steps, threshold=THRESHOLD, now=NOW)
    first = posted(last(start), steps[:cut], threshold=THRESHOLD, now=NOW)
    rest = posted(first[-1] if first else last(start), steps[cut:], threshold=THRESHOLD, now=NOW)
    assert first + rest == whole


# --- What is told ----------------------------------------------------------------------------------------------------


def reserve(number: int, price: int = 1) -> Posting:
    return posting_of(costing(price, id=f"n{number}"))


def test_a_balance_that_falls_below_the_threshold_is_told_once() -> None:
    entries = posted(last(12), [reserve(n) for n in range(6)], threshold=THRESHOLD, now=NOW)
    assert told(entries) == ["credits.low"]
    assert entries[2].untold[0]["data"]["balance"] == 9


def test_a_refund_arms_no_warning_and_a_grant_does() -> None:
    refund = posting_of(rows.failed(costing(1, id="n0"), "REFUSED", "no", NOW))
    crossed = posted(last(10), [reserve(0), refund, reserve(1)], threshold=THRESHOLD, now=NOW)
    assert told(crossed) == ["credits.low"]
    again = posted(crossed[-1], [grant(5), reserve(2, 6)], threshold=THRESHOLD, now=NOW)
    assert told(again) == ["credits.changed", "credits.low"]


def test_a_grant_that_lifts_too_little_arms_no_warning() -> None:
    entries = posted(last(3, warned_low=True), [grant(2), reserve(1)], threshold=THRESHOLD, now=NOW)
    assert told(entries) == ["credits.changed"]


def test_that_credits_are_used_up_is_told_once_until_something_is_granted() -> None:
    entries = posted(last(0), [reserve(1), reserve(2), grant(1), reserve(3), reserve(4)], threshold=0, now=NOW)
    assert told(entries) == ["credits.exhausted", "credits.changed", "credits.exhausted"]


def test_a_grant_tells_what_it_changed_and_why() -> None:
    (entry,) = posted(last(1), [grant(20, reason="gift")], threshold=THRESHOLD, now=NOW)
    (fact,) = entry.untold
    assert fact["data"] == {
        "balance": 21,
        "held": 0,
        "threshold": THRESHOLD,
        "change": 20,
        "reason": "gift",
        "grantId": "g1",
    }
    assert (fact["sessionId"], fact["customerId"]) == ("cus_1", "cus_1")


def test_each_fact_has_an_id_of_its_own() -> None:
    entries = posted(last(0), [reserve(1), grant(1), grant(2, "g2")], threshold=0, now=NOW)
    ids = [fact["id"] for entry in entries for fact in entry.untold]
    assert len(set(ids)) == len(ids) == 3
