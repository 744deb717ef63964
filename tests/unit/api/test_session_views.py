"""How a session looks: the dialects of its status, its code, and its times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.contracts.events import SessionStatus
from services.api.errors import Refusal
from services.api.sessions.views import code_of, expires_in_s, in_dialect, session_object, statuses_named
from services.api.times import iso, now
from tests.unit.api.builders import AT, HOUR, seen

TABLE = [
    ("created", "DISCONNECTED", "disconnected", "DISCONNECTED"),
    ("stopped", "DISCONNECTED", "disconnected", "DISCONNECTED"),
    ("logged_out", "DISCONNECTED", "disconnected", "DISCONNECTED"),
    ("starting", "CONNECTING", "connecting", "CONNECTING"),
    ("connecting", "CONNECTING", "connecting", "CONNECTING"),
    ("reconnecting", "CONNECTING", "connecting", "CONNECTING"),
    ("qr_ready", "CONNECTING", "qr_generated", "QR_READY"),
    ("passkey_required", "CONNECTING", "connecting", "PAIRING"),
    ("connected", "CONNECTED", "connected", "CONNECTED"),
    ("restricted", "CONNECTED", "connected", "CONNECTED"),
    ("failed", "ERROR", "error", "DISCONNECTED"),
    ("banned", "ERROR", "error", "DISCONNECTED"),
]


@pytest.mark.parametrize(("status", "upper", "lower", "single"), TABLE, ids=[row[0] for row in TABLE])
def test_each_status_in_three_dialects(status: str, upper: str, lower: str, single: str) -> None:
    observed = SessionStatus(status)
    assert (in_dialect(observed, "upper"), in_dialect(observed, "lower"), in_dialect(observed, "single")) == (
        upper,
        lower,
        single,
    )


def test_the_table_has_every_status() -> None:
    assert {row[0] for row in TABLE} == {status.value for status in SessionStatus}


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("CONNECTED", {"connected", "restricted"}),
        ("qr_generated", {"qr_ready"}),
        ("error", {"failed", "banned"}),
        ("stopped", {"stopped"}),
        ("QR_READY", {"qr_ready"}),
    ],
)
def test_a_filter_takes_either_dialect(text: str, statuses: set[str]) -> None:
    assert {status.value for status in statuses_named(text)} == statuses


def test_a_status_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Refusal) as refused:
        statuses_named("nonsense")
    [field] = (refused.value.details or {})["fields"]
    assert field["path"] == "status"
    assert field["reason"].startswith("no session has the status 'nonsense'; it is one of created, ")


def test_a_session_without_a_state_is_disconnected() -> None:
    shown = session_object(seen(None), "upper")
    assert (shown.status, shown.phone, shown.connected_at, shown.id) == ("DISCONNECTED", None, None, shown.session_id)


@pytest.mark.parametrize(
    ("status", "expires_at", "code"),
    [
        (SessionStatus.QR_READY, AT + HOUR, "2@x"),
        (SessionStatus.QR_READY, None, "2@x"),
        (SessionStatus.QR_READY, AT, None),
        (SessionStatus.CONNECTED, AT + HOUR, None),
    ],
    ids=["good", "without end", "over", "left behind"],
)
def test_only_a_code_that_can_be_scanned_counts(
    status: SessionStatus, expires_at: datetime | None, code: str | None
) -> None:
    assert code_of(seen(status, qr="2@x", expires_at=expires_at), AT) == code


def test_seconds_until_a_code_ends_never_go_below_zero() -> None:
    assert expires_in_s(seen(SessionStatus.QR_READY, expires_at=AT + timedelta(seconds=19.9)), AT) == 19
    assert expires_in_s(seen(SessionStatus.QR_READY, expires_at=AT - HOUR), AT) == 0


def test_times_have_milliseconds_and_z() -> None:
    assert iso(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000Z"
    jakarta = timezone(timedelta(hours=7))
    assert iso(datetime(2026, 1, 2, 3, 4, 5, 6_999, tzinfo=jakarta)) == "2026-01-01T20:04:05.006Z"
    assert now().microsecond % 1000 == 0
