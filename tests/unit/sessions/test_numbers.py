"""What is remembered of who is on WhatsApp, and for how long."""

from __future__ import annotations

import pytest

from services.sessions.numbers import ABSENT_FOR_S, THERE_FOR_S, KnownNumbers

JID = "628111@s.whatsapp.net"


@pytest.mark.parametrize(
    ("jid", "lasts_s"),
    [pytest.param(JID, THERE_FOR_S, id="there: a day"), pytest.param(None, ABSENT_FOR_S, id="absent: an hour")],
)
def test_an_answer_holds_for_its_time(jid: str | None, lasts_s: float) -> None:
    numbers = KnownNumbers()
    numbers.learn({"628111": jid}, 0.0)
    assert numbers.known(["628111"], lasts_s - 1) == {"628111": jid}
    assert numbers.known(["628111"], lasts_s) == {}


def test_a_number_that_was_never_asked_is_not_known() -> None:
    assert KnownNumbers().known(["628111"], 0.0) == {}


def test_the_longest_unused_answer_goes_when_there_are_too_many() -> None:
    numbers = KnownNumbers(most=2)
    numbers.learn({"1": JID, "2": JID}, 0.0)
    numbers.known(["1"], 1.0)
    numbers.learn({"3": JID}, 2.0)
    assert set(numbers.known(["1", "2", "3"], 3.0)) == {"1", "3"}
