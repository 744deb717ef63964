"""Reasons of other services, in Indonesian."""

from __future__ import annotations

import pytest

from libs.contracts.errors import ApiError
from services.api.sentences import sentence
from services.api.translations import INDONESIAN
from services.sender.numbers import NEVER_KNOWN
from services.sender.rows import REASONS, TOO_LATE
from services.sessions.answers import FAILURES, IN_GROUPS, OF_CODES
from services.sessions.delivery import NOT_SENT

TOLD = [
    *(detail for _, _, detail in NOT_SENT.values()),
    *(detail for _, detail in FAILURES.values()),
    *IN_GROUPS.values(),
    *OF_CODES.values(),
    *REASONS.values(),
    TOO_LATE,
    NEVER_KNOWN,
]


@pytest.mark.parametrize("detail", TOLD)
def test_what_sessions_tell_is_known_in_indonesian(detail: str) -> None:
    assert detail.rstrip(".") in INDONESIAN


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("This number is not on WhatsApp", "Pesan gagal: Nomor ini tidak ada di WhatsApp."),
        ("WhatsApp refused the message (code 479)", "Pesan gagal: WhatsApp menolak pesan ini (kode 479)."),
        ("something new", "Pesan gagal: something new."),
    ],
)
def test_a_reason_stands_in_the_language_of_its_sentence(reason: str, says: str) -> None:
    assert sentence(ApiError.MESSAGE_FAILED, "id", {"reason": reason}) == says
    assert sentence(ApiError.MESSAGE_FAILED, "en", {"reason": reason}) == f"The message failed: {reason}."
