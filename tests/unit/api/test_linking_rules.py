"""When a QR request begins a link, and when waiting for its code has an end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from libs.contracts.events import SessionStatus
from services.api.sessions.linking import is_settled, needs_start
from services.api.times import now
from tests.unit.api.builders import seen

S = SessionStatus
ASKED = {"running": True, "starts": 2}


@pytest.mark.parametrize(
    ("status", "wanted", "state", "starts"),
    [
        (None, {}, {}, True),
        (None, ASKED, {}, False),
        (S.CREATED, {}, {}, True),
        (S.STOPPED, {}, {}, True),
        (S.STOPPED, ASKED, {"seen_starts": 2}, True),
        (S.STOPPED, ASKED, {"seen_starts": 1}, False),
        (S.STOPPED, {"running": False, "starts": 2}, {"seen_starts": 1}, True),
        (S.LOGGED_OUT, {}, {}, True),
        (S.FAILED, ASKED, {"seen_starts": 2}, True),
        (S.STARTING, ASKED, {"seen_starts": 2}, False),
        (S.QR_READY, ASKED, {"seen_starts": 2}, False),
        (S.CONNECTED, ASKED, {"seen_starts": 2}, False),
        (S.RECONNECTING, ASKED, {"seen_starts": 2}, False),
        (S.BANNED, ASKED, {"seen_starts": 2}, False),
    ],
)
def test_a_link_is_begun_when_nothing_else_would(
    status: S | None, wanted: dict[str, Any], state: dict[str, Any], starts: bool
) -> None:
    assert needs_start(seen(status, wanted=wanted, **state), now()) is starts


@pytest.mark.parametrize(
    ("age_s", "reason", "seen_starts", "starts"),
    [
        pytest.param(10, "connect_failed", 2, True, id="for whoever asks it is tried at once"),
        pytest.param(1, "connect_failed", 2, False, id="not within seconds"),
        pytest.param(10, "connect_failed", 1, False, id="it is asked for already"),
        pytest.param(10, "replaced", 2, False, id="another pause is kept"),
    ],
)
@pytest.mark.parametrize("status", [S.STARTING, S.RECONNECTING])
def test_an_attempt_that_reached_nothing_is_repeated_for_whoever_asks(
    status: S, age_s: int, reason: str, seen_starts: int, starts: bool
) -> None:
    at = now()
    waiting = seen(
        status,
        wanted=ASKED,
        reason=reason,
        seen_starts=seen_starts,
        seen_version=1,
        updated_at=at - timedelta(seconds=age_s),
    )
    assert needs_start(waiting, at) is starts


@pytest.mark.parametrize(
    ("status", "state", "settled"),
    [
        (None, {}, False),
        (S.STARTING, {"seen_starts": 2}, False),
        (S.QR_READY, {"seen_starts": 2, "qr": "2@new"}, True),
        (S.QR_READY, {"seen_starts": 2, "qr": "2@old"}, False),
        (S.QR_READY, {"seen_starts": 1, "qr": "2@new"}, False),
        (S.QR_READY, {"seen_starts": 2, "seen_logouts": 0, "qr": "2@new"}, False),
        (S.CONNECTED, {"seen_starts": 2}, True),
        (S.CONNECTED, {"seen_starts": 1}, False),
        (S.FAILED, {"seen_starts": 2}, True),
        (S.FAILED, {"seen_starts": 1}, False),
        (S.BANNED, {"seen_starts": 2}, True),
        (S.STARTING, {"seen_starts": 2, "seen_version": 1, "reason": "connect_failed"}, True),
        (S.STARTING, {"seen_starts": 2, "reason": "connect_failed"}, False),
        (S.STARTING, {"seen_starts": 1, "reason": "connect_failed"}, False),
        (S.RECONNECTING, {"seen_starts": 2, "reason": "dropped"}, False),
        (S.STOPPED, {"seen_starts": 2}, False),
    ],
)
def test_waiting_ends_with_a_new_code_or_a_state_without_one(
    status: S | None, state: dict[str, Any], settled: bool
) -> None:
    given = {"seen_logouts": 1, "expires_at": now() + timedelta(minutes=1)} | state
    wanted = {**ASKED, "logouts": 1}
    waiting = seen(None, wanted=wanted) if status is None else seen(status, wanted=wanted, **given)
    assert is_settled(waiting, besides="2@old") is settled
