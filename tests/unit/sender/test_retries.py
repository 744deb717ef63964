"""What each answer means."""

from __future__ import annotations

import pytest

from libs.contracts.calls import DeliverAnswer, Delivered, NotDelivered
from services.sender import retries
from services.sender.retries import (
    NotConnected,
    NotLeft,
    Refused,
    Restricted,
    Retries,
    Sent,
    Silence,
    Stuck,
    Unknown,
    Verdict,
)
from tests.unit.sender.builders import NOW

RETRIES = Retries()
EPOCH = 7


def answer(
    code: str, *, retryable: bool = True, left: bool | None = False, **fields: float | int | None
) -> NotDelivered:
    values = {"epoch": EPOCH, **fields}
    return NotDelivered(code=code, detail="why", retryable=retryable, left=left, **values)  # pyright: ignore[reportArgumentType]


def stuck(code: str, again_in_s: float, limit_s: float, *, waiting_for: str = "lookup") -> Stuck:
    return Stuck(waiting_for=waiting_for, again_in_s=again_in_s, limit_s=limit_s, code=code, detail="why")


CASES: list[tuple[str, DeliverAnswer | Silence, int, Verdict]] = [
    ("delivered", Delivered(at=NOW, epoch=EPOCH), 1, Sent(at=NOW)),
    ("delivered to another number", Delivered(at=NOW, epoch=EPOCH, to="1@lid"), 1, Sent(at=NOW, to="1@lid")),
    ("delivered by a former owner is still evidence", Delivered(at=NOW, epoch=EPOCH - 1), 1, Sent(at=NOW)),
    ("nobody listens: certainly not left", Silence.NOBODY, 1, NotLeft(again_in_s=1, counts=False)),
    ("no answer: unknown", Silence.TIMED_OUT, 3, Unknown(again_in_s=4)),
    ("nobody knows whether it left", answer("OUTCOME_UNKNOWN", left=None), 2, Unknown(again_in_s=2)),
    ("it left and failed: unknown", answer("REFUSED", retryable=False, left=True), 1, Unknown(again_in_s=1)),
    ("not connected", answer("NOT_CONNECTED"), 1, NotConnected()),
    ("not connected, says a former owner", answer("NOT_CONNECTED", epoch=6), 1, NotLeft(again_in_s=0.5, counts=False)),
    (
        "refused, says a former owner",
        answer("REFUSED", retryable=False, epoch=6),
        1,
        NotLeft(again_in_s=0.5, counts=False),
    ),
    ("restricted with an end", answer("RESTRICTED", retry_in_s=3600), 1, Restricted(for_s=3600, contact_alone=False)),
    ("a contact held back", answer("CONTACT_RESTRICTED"), 1, Restricted(for_s=60, contact_alone=True)),
    ("restricted without an end", answer("RESTRICTED"), 1, Restricted(for_s=60, contact_alone=False)),
    ("temporary", answer("TEMPORARY"), 4, NotLeft(again_in_s=8, counts=True)),
    ("temporary with a wish", answer("TEMPORARY", retry_in_s=5), 4, NotLeft(again_in_s=5, counts=True)),
    ("stale", answer("STALE"), 4, NotLeft(again_in_s=0.5, counts=False)),
    ("suspended", answer("SUSPENDED"), 4, NotLeft(again_in_s=0.5, counts=False)),
    ("a code we do not know, retryable", answer("NEW"), 1, NotLeft(again_in_s=1, counts=True)),
    ("a code we do not know, final", answer("NEW", retryable=False), 1, Refused(code="NEW", detail="why")),
    ("not on WhatsApp", answer("NOT_ON_WHATSAPP", retryable=False), 1, Refused(code="NOT_ON_WHATSAPP", detail="why")),
    ("look-ups limited", answer("LOOKUP_LIMITED"), 3, stuck("LOOKUP_LIMITED", 4, 86_400)),
    ("look-ups limited for so long", answer("LOOKUP_LIMITED", retry_in_s=90), 3, stuck("LOOKUP_LIMITED", 90, 86_400)),
    ("a look-up refused", answer("LOOKUP_FAILED"), 9, stuck("LOOKUP_FAILED", 256, 3600)),
    ("a look-up refused for long", answer("LOOKUP_FAILED"), 99, stuck("LOOKUP_FAILED", 600, 3600)),
    ("a medium on its way", answer("NOT_UPLOADED"), 1, stuck("NOT_UPLOADED", 1, 3600, waiting_for="upload")),
    ("a wish of nothing is no wish", answer("TEMPORARY", retry_in_s=0), 1, NotLeft(again_in_s=1, counts=True)),
]


@pytest.mark.parametrize(("given", "vain", "verdict"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_an_answer_has_its_verdict(given: DeliverAnswer | Silence, vain: int, verdict: Verdict) -> None:
    assert retries.judge(given, vain=vain, newest_epoch=EPOCH, retries=RETRIES) == verdict


def test_pauses_double_from_one_second_to_a_minute() -> None:
    assert [retries.pause_after(vain, RETRIES) for vain in (1, 2, 3, 4, 5, 6, 7, 8, 5000)] == [
        1,
        2,
        4,
        8,
        16,
        32,
        60,
        60,
        60,
    ]


@pytest.mark.parametrize(("vain", "behind"), [(9, False), (10, True), (11, True)])
def test_a_message_steps_behind_after_ten_vain_attempts(vain: int, behind: bool) -> None:
    assert retries.steps_behind(vain, RETRIES) is behind
