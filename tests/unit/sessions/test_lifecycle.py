"""The rules of a session's life, by table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.events import SessionStatus as S
from libs.contracts.records import LinkedNumber, SessionRecord, SessionState
from libs.contracts.stages import stage_of
from services.sessions import lifecycle
from services.sessions.engines import base as engine
from services.sessions.lifecycle import Next

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
JID = "6281234567890:3@s.whatsapp.net"


def state(**fields: Any) -> SessionState:
    start = SessionState(
        id="s", customer_id="c", network="simulator", shard=0, seen_version=1, seen_starts=1, updated_at=NOW
    )
    return msgspec.structs.replace(start, **fields)


def wish(**fields: Any) -> SessionRecord:
    start = SessionRecord(
        id="s",
        customer_id="c",
        name="shop",
        engine="simulator",
        shard=0,
        live=True,
        running=True,
        starts=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return msgspec.structs.replace(start, **fields)


@pytest.mark.parametrize(
    ("now_is", "wanted", "status", "tell", "then"),
    [
        pytest.param({"seen_version": 0}, {}, S.CREATED, "created", Next.NOTHING, id="a new session is told"),
        pytest.param({}, {"version": 2}, S.CREATED, "updated", Next.NOTHING, id="a rename is told"),
        pytest.param({}, {"starts": 2}, S.STARTING, "starting", Next.OPEN, id="start links"),
        pytest.param({"linked": True}, {"starts": 2}, S.CONNECTING, "connecting", Next.OPEN, id="start logs in"),
        pytest.param({"status": S.CONNECTED}, {"running": False}, S.STOPPED, "stopped", Next.CLOSE, id="stop"),
        pytest.param({"status": S.FAILED}, {"starts": 2}, S.STARTING, "starting", Next.OPEN, id="start ends a failure"),
        pytest.param(
            {"status": S.CONNECTED, "linked": True}, {"starts": 2}, S.CONNECTED, None, Next.NOTHING, id="already on"
        ),
        pytest.param(
            {"status": S.CONNECTED, "linked": True},
            {"restarts": 1},
            S.CONNECTING,
            "connecting",
            Next.OPEN,
            id="restart opens anew",
        ),
        pytest.param({"status": S.CONNECTED}, {"logouts": 1}, S.CONNECTED, None, Next.LOG_OUT, id="logout unlinks"),
        pytest.param({"status": S.CONNECTED}, {"live": False}, S.CONNECTED, "deleted", Next.LOG_OUT, id="delete"),
        pytest.param(
            {"status": S.BANNED, "next_attempt_at": NOW, "linked": True},
            {},
            S.CONNECTING,
            "connecting",
            Next.OPEN,
            id="a ban that ended",
        ),
        pytest.param(
            {"status": S.FAILED, "next_attempt_at": NOW, "linked": True},
            {},
            S.CONNECTING,
            "connecting",
            Next.OPEN,
            id="an hour after the client was outdated",
        ),
    ],
)
def test_what_is_goes_towards_what_is_wanted(
    now_is: dict[str, Any], wanted: dict[str, Any], status: S, tell: str | None, then: Next
) -> None:
    step = lifecycle.next_wish(state(**now_is), wish(**wanted), NOW)
    assert step is not None
    assert (step.state.status, step.tell, step.then) == (status, tell, then)


@pytest.mark.parametrize(
    ("now_is", "wanted"),
    [
        pytest.param({"status": S.STOPPED}, {}, id="an expired code does not begin again by itself"),
        pytest.param({"status": S.LOGGED_OUT}, {}, id="nor an unlinked session"),
        pytest.param({"status": S.FAILED}, {}, id="nor a failed one"),
        pytest.param({"status": S.STOPPED}, {"running": False}, id="stopped stays stopped"),
        pytest.param({"status": S.BANNED, "next_attempt_at": NOW + timedelta(hours=1)}, {}, id="a ban lasts"),
        pytest.param({"status": S.RECONNECTING}, {}, id="a reconnect has its own clock"),
        pytest.param({"deleted": True}, {"live": False}, id="a deleted session is told once"),
    ],
)
def test_what_agrees_is_left_alone(now_is: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert lifecycle.next_wish(state(**now_is), wish(**wanted), NOW) is None


@pytest.mark.parametrize(
    ("running", "begins"),
    [pytest.param(True, True, id="started after it"), pytest.param(False, False, id="started before it")],
)
def test_a_logout_ends_the_starts_before_it_and_not_those_after(running: bool, begins: bool) -> None:
    wanted = wish(running=running, logouts=1, starts=2)
    step = lifecycle.next_wish(state(status=S.CONNECTED, linked=True), wanted, NOW)
    assert step is not None
    assert step.then is Next.LOG_OUT
    out = lifecycle.after_logout(step.state, deleted=False, confirmed=True).state
    following = lifecycle.next_wish(out, wanted, NOW)
    assert (following is not None and following.then is Next.OPEN) is begins


@pytest.mark.parametrize(
    ("now_is", "cause", "tell"),
    [
        pytest.param({}, "dns", "starting", id="the first failure"),
        pytest.param({"reason": "connect_failed", "cause": "dns"}, "dns", None, id="the same again"),
        pytest.param({"reason": "connect_failed", "cause": "dns"}, "timeout", "starting", id="another cause"),
    ],
)
def test_a_link_that_does_not_reach_whatsapp_says_so(now_is: dict[str, Any], cause: str, tell: str | None) -> None:
    event = engine.Disconnected(**EVENT, reason="connect_failed", cause=cause)
    step = lifecycle.on_event(state(status=S.STARTING, **now_is), event, NOW)
    assert step is not None
    assert (step.tell, step.state.status, step.state.reason, step.state.cause) == (
        *(tell, S.STARTING, "connect_failed"),
        cause,
    )
    assert lifecycle.start(step.state).state.cause is None


def test_a_change_lets_what_could_not_reach_whatsapp_try_at_once() -> None:
    waiting = state(
        status=S.STARTING, reason="connect_failed", cause="proxy_refused", next_attempt_at=NOW + timedelta(minutes=1)
    )
    step = lifecycle.next_wish(waiting, wish(version=2), NOW)
    assert step is not None
    assert (step.tell, step.state.reason, step.state.cause) == ("updated", None, None)
    assert lifecycle.is_due(step.state, NOW)
    assert lifecycle.next_wish(step.state, wish(version=2), NOW) is None


REFUSED = engine.Disconnected(session="s", connection=1, reason="connect_failed", cause="proxy_not_allowed")


@pytest.mark.parametrize("status", [S.STARTING, S.CONNECTING, S.RECONNECTING])
def test_a_proxy_that_is_not_allowed_fails_the_session_which_looks_again_later(status: S) -> None:
    step = lifecycle.on_event(state(status=status, linked=status is not S.STARTING), REFUSED, NOW)
    assert step is not None
    assert (step.tell, step.then) == ("failed", Next.NOTHING)
    assert (step.state.status, step.state.reason, step.state.cause) == (S.FAILED, "proxy_not_allowed", None)
    wanted = wish(running=True)
    assert lifecycle.next_wish(step.state, wanted, NOW) is None
    again = lifecycle.next_wish(step.state, wanted, NOW + lifecycle.PROXY_AGAIN)
    assert again is not None
    assert again.then is Next.OPEN
    assert lifecycle.on_event(step.state, REFUSED, NOW) is None


def test_another_proxy_than_the_refused_one_is_tried_at_once() -> None:
    step = lifecycle.on_event(state(status=S.STARTING), REFUSED, NOW)
    assert step is not None
    wanted = wish(version=2, running=True)
    updated = lifecycle.next_wish(step.state, wanted, NOW)
    assert updated is not None
    begun = lifecycle.next_wish(updated.state, wanted, NOW)
    assert begun is not None
    assert (updated.tell, begun.tell, begun.then) == ("updated", "starting", Next.OPEN)


def test_a_phone_that_has_scanned_is_told_apart_from_a_login() -> None:
    paired = lifecycle.on_event(state(status=S.QR_READY), engine.Paired(**EVENT, jid=JID, lid="1@lid", name="A"), NOW)
    login = lifecycle.start(state(linked=True))
    assert paired is not None
    assert stage_of(paired.state.status, paired.state.reason) == "keys"
    assert stage_of(login.state.status, login.state.reason) == "reaching"


ON = {"status": S.CONNECTED, "linked": True}
EVENT: dict[str, Any] = {"session": "s", "connection": 1}


@pytest.mark.parametrize(
    ("now_is", "event", "status", "tell"),
    [
        pytest.param(
            {"status": S.QR_READY},
            engine.Paired(**EVENT, jid=JID, lid="1@lid", name="Ani"),
            S.CONNECTING,
            "connecting",
            id="scanned",
        ),
        pytest.param(
            {"status": S.CONNECTING}, engine.Connected(**EVENT, jid=JID, lid=""), S.CONNECTED, "connected", id="login"
        ),
        pytest.param(ON, engine.Disconnected(**EVENT, reason="dropped"), S.RECONNECTING, "reconnecting", id="drop"),
        pytest.param(
            {"status": S.RECONNECTING, "linked": True},
            engine.Disconnected(**EVENT, reason="connect_failed"),
            S.RECONNECTING,
            None,
            id="a further failure is not told",
        ),
        pytest.param(
            {"status": S.QR_READY}, engine.QrEnded(**EVENT, reason="ran out"), S.STOPPED, "stopped", id="no scan"
        ),
        pytest.param(ON, engine.LoggedOut(**EVENT, code=401), S.LOGGED_OUT, "logged_out", id="unlinked by the phone"),
        pytest.param(ON, engine.Replaced(**EVENT), S.RECONNECTING, "reconnecting", id="replaced once"),
        pytest.param(
            {**ON, "replaced_at": [NOW, NOW]}, engine.Replaced(**EVENT), S.FAILED, "failed", id="replaced for the third"
        ),
        pytest.param(ON, engine.Banned(**EVENT, code=101, until_ms=None), S.BANNED, "banned", id="ban"),
        pytest.param(ON, engine.Outdated(**EVENT), S.FAILED, "failed", id="outdated"),
        pytest.param(
            ON,
            engine.Restricted(**EVENT, kind="reachout", active=True, until_ms=None),
            S.RESTRICTED,
            "restricted",
            id="restricted",
        ),
        pytest.param(ON, engine.KeepaliveLost(**EVENT, count=1), S.CONNECTED, "degraded", id="a ping is missing"),
        pytest.param(
            {**ON, "degraded": True}, engine.KeepaliveRestored(**EVENT), S.CONNECTED, "connected", id="pings come again"
        ),
        pytest.param(
            {"status": S.RESTRICTED, "linked": True, "degraded": True},
            engine.KeepaliveRestored(**EVENT),
            S.RESTRICTED,
            "restricted",
            id="pings come again to a restricted number",
        ),
        pytest.param(
            {"status": S.QR_READY},
            engine.PasskeyRequired(**EVENT, challenge="{}"),
            S.PASSKEY_REQUIRED,
            "passkey",
            id="scanned, and a passkey is wanted",
        ),
        pytest.param(
            {"status": S.PASSKEY_REQUIRED},
            engine.PasskeyConfirmation(**EVENT, code="47", skip=False),
            S.PASSKEY_REQUIRED,
            "passkey",
            id="the passkey was taken, and a code is to be compared",
        ),
        pytest.param(
            {"status": S.PASSKEY_REQUIRED},
            engine.PasskeyFailed(**EVENT, message="no"),
            S.PASSKEY_REQUIRED,
            "passkey",
            id="the passkey was not taken",
        ),
        pytest.param(
            {"status": S.PASSKEY_REQUIRED},
            engine.QrEnded(**EVENT, reason="late"),
            S.STOPPED,
            "stopped",
            id="no passkey",
        ),
    ],
)
def test_the_engine_is_followed(now_is: dict[str, Any], event: engine.Event, status: S, tell: str | None) -> None:
    step = lifecycle.on_event(state(**now_is), event, NOW)
    assert step is not None
    assert (step.state.status, step.tell) == (status, tell)


def test_an_ended_link_takes_its_number_and_phone_with_it() -> None:
    step = lifecycle.on_event(state(**ON, link=4, phone="6281"), engine.LoggedOut(**EVENT, code=401), NOW)
    assert step is not None
    assert (step.state.link, step.state.linked, step.state.phone) == (5, False, None)


def test_no_code_outlives_its_status() -> None:
    shown = lifecycle.on_code(state(), "2@abc", NOW + timedelta(seconds=60)).state
    step = lifecycle.on_event(shown, engine.Connected(**EVENT, jid=JID, lid=""), NOW)
    assert step is not None
    assert (step.state.qr, step.state.expires_at, step.state.phone) == (None, None, "6281234567890")


@pytest.mark.parametrize(("failures", "cap_s"), [(0, 1), (1, 2), (3, 8), (6, 60), (1000, 60)])
def test_pauses_grow_to_a_minute_with_full_jitter(failures: int, cap_s: float) -> None:
    pauses = [lifecycle.pause_before_attempt(failures) for _ in range(300)]
    assert max(pauses) <= cap_s
    assert min(pauses) < cap_s / 4
    assert max(pauses) > cap_s * 3 / 4


def at(**later: float) -> datetime:
    return NOW + timedelta(**later)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def follow(start: SessionState, *events: engine.Event, now: datetime = NOW) -> SessionState:
    for event in events:
        step = lifecycle.on_event(start, event, now)
        start = step.state if step else start
    return start


@pytest.mark.parametrize(
    ("timeout", "minutes"),
    [
        pytest.param('{"timeout": 900000}', 15, id="as told"),
        pytest.param('{"timeout": 1}', 10, id="at least ten minutes"),
        pytest.param('{"timeout": 1e12}', 30, id="at most half an hour"),
        pytest.param("[]", 10, id="a challenge without a time"),
        pytest.param("no json", 10, id="no json"),
    ],
)
def test_a_challenge_stands_as_long_as_whatsapp_says_within_bounds(timeout: str, minutes: int) -> None:
    asked = follow(state(status=S.QR_READY, qr="2@a"), engine.PasskeyRequired(**EVENT, challenge=timeout))
    assert (asked.passkey, asked.expires_at, asked.qr) == (timeout, at(minutes=minutes), None)


def test_a_code_to_compare_replaces_the_challenge_and_leaves_with_the_link() -> None:
    asked = follow(
        state(status=S.QR_READY),
        engine.PasskeyRequired(**EVENT, challenge="{}"),
        engine.PasskeyConfirmation(**EVENT, code="4711", skip=False),
    )
    assert (asked.passkey, asked.reason) == ("4711", "compare_code")
    assert follow(asked, engine.Paired(**EVENT, jid=JID, lid="1@lid", name="Ani")).passkey is None


def test_nothing_is_asked_of_a_person_when_no_comparison_is_wanted() -> None:
    asked = state(status=S.PASSKEY_REQUIRED, passkey="{}")
    assert lifecycle.on_event(asked, engine.PasskeyConfirmation(**EVENT, code="4711", skip=True), NOW) is None


def test_a_link_remembers_when_it_was_made_until_it_ends() -> None:
    linked = follow(state(status=S.QR_READY), engine.Paired(**EVENT, jid=JID, lid="", name="Ani"))
    online = follow(linked, engine.Connected(**EVENT, jid=JID, lid=""), now=at(days=2))
    assert online.linked_at == NOW
    assert follow(online, engine.LoggedOut(**EVENT, code=401)).linked_at is None


def restricted(until: datetime | None) -> SessionState:
    told = engine.Restricted(**EVENT, kind="reachout", active=True, until_ms=ms(until) if until else None)
    return follow(state(**ON), told)


def test_a_restriction_is_seen_with_its_reason_and_end() -> None:
    held = restricted(at(hours=1))
    assert (held.status, held.reason, held.resume_at) == (S.RESTRICTED, "reachout", at(hours=1, seconds=2))


@pytest.mark.parametrize(
    ("until", "now", "ends"),
    [
        pytest.param(at(hours=1), at(minutes=59), False, id="before its end"),
        pytest.param(at(hours=1), at(hours=1), False, id="at its end, by our clock"),
        pytest.param(at(hours=1), at(hours=1, seconds=2), True, id="when it is certainly over"),
        pytest.param(None, at(days=9), False, id="without an end"),
    ],
)
def test_a_restriction_ends_by_itself_at_its_end(until: datetime | None, now: datetime, ends: bool) -> None:
    step = lifecycle.on_time(restricted(until), now)
    assert (step is not None) is ends
    if step is not None:
        assert (step.state.status, step.tell, step.state.resume_at) == (S.CONNECTED, "connected", None)


def test_a_restriction_ends_by_the_notice_that_it_ended() -> None:
    over = engine.Restricted(**EVENT, kind="reachout", active=False, until_ms=None)
    step = lifecycle.on_event(restricted(at(hours=1)), over, NOW)
    assert step is not None
    assert (step.state.status, step.tell, step.state.restriction) == (S.CONNECTED, "connected", None)


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        pytest.param("reachout", True, id="of the same kind"),
        pytest.param("another", False, id="of another kind"),
    ],
)
def test_a_restriction_ends_by_the_notice_of_an_end_that_has_passed(kind: str, ends: bool) -> None:
    over = engine.Restricted(**EVENT, kind=kind, active=True, until_ms=ms(at(minutes=-5)))
    step = lifecycle.on_event(restricted(at(hours=1)), over, NOW)
    assert (step is not None) is ends
    if step is not None:
        assert (step.state.status, step.tell, step.state.restriction) == (S.CONNECTED, "connected", None)


@pytest.mark.parametrize(
    ("until", "now", "status"),
    [
        pytest.param(at(hours=1), at(minutes=5), S.RESTRICTED, id="still on"),
        pytest.param(at(hours=1), at(hours=2), S.CONNECTED, id="over meanwhile"),
        pytest.param(None, at(minutes=5), S.CONNECTED, id="without an end it is told anew"),
    ],
)
def test_a_restriction_outlasts_a_lost_connection(until: datetime | None, now: datetime, status: S) -> None:
    lost = follow(restricted(until), engine.Disconnected(**EVENT, reason="dropped"))
    again = follow(lost, engine.Connected(**EVENT, jid=JID, lid=""), now=now)
    assert (lost.status, again.status) == (S.RECONNECTING, status)
    assert again.resume_at == (lost.restricted_until if status is S.RESTRICTED else None)


@pytest.mark.parametrize(
    ("event", "resume_at"),
    [
        pytest.param(engine.Replaced(**EVENT), at(seconds=60), id="replaced"),
        pytest.param(engine.Outdated(**EVENT), at(hours=1), id="outdated, until somebody upgrades"),
        pytest.param(engine.Banned(**EVENT, code=101, until_ms=ms(at(days=1))), at(days=1, seconds=2), id="ban"),
        pytest.param(engine.Banned(**EVENT, code=101, until_ms=None), None, id="a ban without an end"),
    ],
)
def test_what_waits_says_until_when(event: engine.Event, resume_at: datetime | None) -> None:
    assert follow(state(**ON), event).resume_at == resume_at


def test_a_reconnect_says_when_it_comes() -> None:
    lost = follow(state(**ON), engine.Disconnected(**EVENT, reason="dropped"))
    assert lost.resume_at is not None
    assert lost.resume_at == lost.next_attempt_at


def test_a_third_replacement_counts_within_ten_minutes_only() -> None:
    events = [engine.Replaced(**EVENT)]
    twice = follow(follow(state(**ON), *events), *events, now=at(minutes=1))
    assert follow(twice, *events, now=at(minutes=2)).status is S.FAILED
    assert follow(twice, *events, now=at(minutes=10, seconds=1)).status is S.RECONNECTING


@pytest.mark.parametrize(
    ("now_is", "wanted", "possible"),
    [
        pytest.param({"status": S.QR_READY}, {}, True, id="while codes are shown"),
        pytest.param({"status": S.STOPPED}, {}, True, id="after the codes ran out"),
        pytest.param({"status": S.STOPPED}, {"running": False}, False, id="not of a stopped session"),
        pytest.param(ON, {}, False, id="not of a linked one"),
        pytest.param({"status": S.PASSKEY_REQUIRED}, {}, False, id="not while a passkey is wanted"),
    ],
)
def test_a_pairing_code_is_possible_while_linking_is(
    now_is: dict[str, Any], wanted: dict[str, Any], possible: bool
) -> None:
    assert (lifecycle.why_no_pair_code(state(**now_is), wish(**wanted)) is None) is possible


@pytest.mark.parametrize("status", [S.QR_READY, S.PASSKEY_REQUIRED])
def test_a_start_disturbs_no_link_that_is_under_way(status: S) -> None:
    step = lifecycle.next_wish(state(status=status), wish(starts=2), NOW)
    assert step is not None
    assert (step.state.status, step.then) == (status, Next.NOTHING)


# --- Which numbers were linked ---------------------------------------------------------------------------------------


def relinked(before: SessionState, jid: str, at: datetime) -> SessionState:
    step = lifecycle.on_event(before, engine.Paired(**EVENT, jid=jid, lid="", name=""), at)
    assert step is not None
    return step.state


def test_the_numbers_that_were_linked_outlast_logouts_and_a_login_of_the_same_is_no_change() -> None:
    later, other = NOW + timedelta(hours=1), "6289876543210:1@s.whatsapp.net"
    first = relinked(state(status=S.QR_READY), JID, NOW)
    online = lifecycle.on_event(first, engine.Connected(**EVENT, jid=JID, lid=""), later)
    assert online is not None
    out = lifecycle.after_logout(online.state, deleted=False, confirmed=True).state
    assert out.numbers == [LinkedNumber(number="6281234567890", since=NOW)]
    assert relinked(out, JID, later).numbers == out.numbers
    assert relinked(out, other, later).numbers == [
        LinkedNumber(number="6281234567890", since=NOW),
        LinkedNumber(number="6289876543210", since=later),
    ]


def test_a_state_that_noted_no_numbers_notes_its_present_one_before_a_logout() -> None:
    linked = state(status=S.CONNECTED, linked=True, phone="6281234567890", linked_at=NOW)
    out = lifecycle.after_logout(linked, deleted=False, confirmed=True).state
    assert out.numbers == [LinkedNumber(number="6281234567890", since=NOW)]
