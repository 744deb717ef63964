"""What is refused without a subscription, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from libs.contracts.errors import ApiError
from libs.contracts.events import SessionStatus
from services.api.billing.standings import refusal_without
from services.api.billing.terms import brief_view, standing_of, why_waiting
from services.api.errors import envelope
from services.api.sessions.views import session_object
from tests.unit.api.builders import AT, HOUR, account, seen, subscription


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, None),
        ({"ends_at": AT}, ApiError.SUBSCRIPTION_EXPIRED),
        ({"status": "pending"}, ApiError.NO_SUBSCRIPTION),
        ({"status": "cancelled"}, ApiError.NO_SUBSCRIPTION),
        ({"status": "cancelled", "ends_at": AT}, ApiError.NO_SUBSCRIPTION),
        ({"held": True}, ApiError.NO_SUBSCRIPTION),
        (None, ApiError.NO_SUBSCRIPTION),
    ],
    ids=["active", "over", "not paid", "cancelled", "cancelled and over", "held", "none"],
)
def test_without_an_active_subscription_a_session_is_refused_with_the_reason(
    fields: dict[str, Any] | None, code: ApiError | None
) -> None:
    bought = [] if fields is None else [subscription(**fields)]
    standing = standing_of(account(*bought, used=2), AT)
    refusal = refusal_without(standing)
    assert (None if refusal is None else refusal.code) == code
    assert (why_waiting(standing) is None) == (code is None)
    if refusal is not None:
        assert refusal.status == 403
        assert refusal.details is not None
        assert (refusal.details["currentSessions"], refusal.details["maxSessions"]) == (2, 0)


def test_the_refusal_names_the_day_on_which_it_ended() -> None:
    refusal = refusal_without(standing_of(account(subscription(ends_at=AT)), AT + HOUR))
    assert refusal is not None
    assert "2026-03-04" in envelope(refusal, language="en")["message"]
    assert "2026-03-04" in envelope(refusal, language="id")["message"]


def test_a_session_says_that_its_messages_wait_unless_it_has_a_reason_of_its_own() -> None:
    waiting = why_waiting(standing_of(account(subscription(ends_at=AT)), AT))
    assert session_object(seen(SessionStatus.CONNECTED), "upper", waiting=waiting).message == str(waiting)
    banned = seen(SessionStatus.BANNED, reason="TEMPORARY_BAN")
    assert session_object(banned, "upper", waiting=waiting).message == "TEMPORARY_BAN"
    assert session_object(seen(SessionStatus.CONNECTED), "upper").message is None


def test_the_list_of_sessions_says_that_the_subscription_is_over() -> None:
    view = brief_view(standing_of(account(subscription(ends_at=AT)), AT + HOUR))
    assert (view.status, view.max_sessions, view.end_date) == ("EXPIRED", 0, "2026-03-04T05:06:07.089Z")
