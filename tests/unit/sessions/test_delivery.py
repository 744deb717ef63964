"""What the sender is answered, by what the engine said and by the session's state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from libs.contracts.calls import Delivered, NotDelivered
from libs.contracts.errors import SendError as E
from services.sessions.delivery import answer_of
from services.sessions.engines import base as engine

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reply", "code", "retryable", "left"),
    [
        pytest.param(engine.Refused(code=463), E.CONTACT_RESTRICTED, True, False, id="a contact is held back"),
        pytest.param(engine.Refused(code=429), E.RESTRICTED, True, False, id="too fast"),
        pytest.param(engine.Refused(code=503), E.TEMPORARY, True, False, id="not now"),
        pytest.param(engine.Refused(code=400), E.REFUSED, False, False, id="never"),
        pytest.param(engine.NotSent(reason="not_on_whatsapp"), E.NOT_ON_WHATSAPP, False, False, id="nobody there"),
        pytest.param(engine.NotSent(reason="media"), E.MEDIA_MISSING, False, False, id="no file"),
        pytest.param(engine.NotSent(reason="media_too_large"), E.MEDIA_TOO_LARGE, False, False, id="a large file"),
        pytest.param(engine.NotSent(reason="group_unknown"), E.GROUP_NOT_FOUND, False, False, id="no such group"),
        pytest.param(engine.NotSent(reason="recipient"), E.RECIPIENT_REFUSED, False, False, id="no such address"),
        pytest.param(engine.NotSent(reason="content"), E.CONTENT_REFUSED, False, False, id="unfit content"),
        pytest.param(engine.NotSent(reason="store"), E.TEMPORARY, True, False, id="no keys now"),
        pytest.param(engine.NotSent(reason="limited", code=429), E.LOOKUP_LIMITED, True, False, id="asked too often"),
        pytest.param(engine.NotSent(reason="unasked"), E.LOOKUP_LIMITED, True, False, id="not asked"),
        pytest.param(engine.NotSent(reason="lookup", code=403), E.LOOKUP_FAILED, True, False, id="not told"),
        pytest.param(engine.NotSent(reason="uploading"), E.NOT_UPLOADED, True, False, id="on its way to WhatsApp"),
        pytest.param(engine.NotSent(reason="upload"), E.NOT_UPLOADED, True, False, id="an upload that failed"),
        pytest.param(engine.NotSent(reason="busy"), E.TEMPORARY, True, False, id="behind another message"),
        pytest.param(engine.NotSent(reason="from the future"), E.TEMPORARY, True, False, id="a reason not known here"),
        pytest.param(engine.Unknown(reason="timeout"), E.OUTCOME_UNKNOWN, True, None, id="no ack"),
        pytest.param(None, E.OUTCOME_UNKNOWN, True, None, id="no answer"),
        pytest.param(engine.Failed(code="not_connected", message=""), E.NOT_CONNECTED, True, False, id="read offline"),
        pytest.param(engine.Failed(code="timeout", message=""), E.TEMPORARY, True, False, id="a read may be repeated"),
        pytest.param(engine.Failed(code="bad_request", message=""), E.CONTENT_REFUSED, False, False, id="bad read"),
    ],
)
def test_what_did_not_arrive_says_whether_to_try_again(
    reply: engine.Reply | None, code: E, retryable: bool, left: bool | None
) -> None:
    answer = answer_of(reply, 3, NOW)
    assert isinstance(answer, NotDelivered)
    assert (answer.code, answer.retryable, answer.left, answer.epoch) == (code, retryable, left, 3)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(engine.NotSent(reason="group_unknown"), "this number is not in it", id="group"),
        pytest.param(engine.NotSent(reason="media_too_large"), "larger than the 100 MB", id="file"),
        pytest.param(
            engine.NotSent(reason="content", message="a poll needs two options"),
            "This content cannot be sent: a poll needs two options.",
            id="content",
        ),
    ],
)
def test_what_did_not_leave_says_why(reply: engine.Reply, says: str) -> None:
    answer = answer_of(reply, 3, NOW)
    assert isinstance(answer, NotDelivered)
    assert says in answer.detail


@pytest.mark.parametrize("code", [429, 463, 500, 503])
def test_a_refusal_that_passes_says_when_to_come_again(code: int) -> None:
    answer = answer_of(engine.Refused(code=code), 3, NOW)
    assert isinstance(answer, NotDelivered)
    assert answer.retry_in_s is not None
    assert 1 <= answer.retry_in_s <= 300


@pytest.mark.parametrize("reply", [engine.Sent(at_ms=1_700_000_000_123), engine.Done()], ids=["sent", "read"])
def test_what_was_taken_is_delivered(reply: engine.Reply) -> None:
    assert isinstance(answer_of(reply, 3, NOW), Delivered)


def test_it_is_told_to_which_number_the_message_went() -> None:
    own = "551187654321@s.whatsapp.net"
    assert answer_of(engine.Sent(at_ms=1_700_000_000_123, to=own), 3, NOW) == Delivered(
        at=datetime.fromtimestamp(1_700_000_000.123, UTC), epoch=3, to=own
    )


@pytest.mark.parametrize(
    ("until", "waits_s"),
    [
        pytest.param(NOW + timedelta(hours=2), 7200, id="until the end that WhatsApp told"),
        pytest.param(NOW - timedelta(seconds=5), 300, id="an end that has passed says nothing"),
        pytest.param(None, 300, id="without an end, for minutes"),
    ],
)
def test_a_contact_that_is_held_back_waits_until_the_restriction_ends(until: datetime | None, waits_s: float) -> None:
    answer = answer_of(engine.Refused(code=463), 3, NOW, restricted_until=until)
    assert isinstance(answer, NotDelivered)
    assert (answer.code, answer.retry_in_s) == (E.CONTACT_RESTRICTED, waits_s)


def test_a_refused_question_tells_whatsapps_code() -> None:
    answer = answer_of(engine.NotSent(reason="lookup", code=403), 3, NOW)
    assert isinstance(answer, NotDelivered)
    assert answer.detail == "WhatsApp did not say how this recipient is reached (code 403)."


@pytest.mark.parametrize("reason", ["limited", "unasked"])
def test_a_new_recipient_waits_as_long_as_the_sessions_look_ups(reason: str) -> None:
    answer = answer_of(engine.NotSent(reason=reason), 3, NOW, look_ups_in_s=42.0)
    assert isinstance(answer, NotDelivered)
    assert answer.retry_in_s == 42.0
