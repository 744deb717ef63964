"""Why a session is as it is, in both languages."""

from __future__ import annotations

import pytest

from libs.contracts.events import SessionStatus as S
from services.api.sentences import Phrase
from services.api.sessions.reasons import REASONS, UNREACHED, why
from tests.unit.api.builders import seen


@pytest.mark.parametrize(
    ("reason", "cause", "english", "indonesian"),
    [
        pytest.param(
            *("connect_failed", "dns", "WhatsApp cannot be reached: its name was not found (DNS)"),
            "WhatsApp tidak dapat dihubungi: namanya tidak ditemukan (DNS)",
            id="unreached",
        ),
        pytest.param(
            *("connect_failed", None, "WhatsApp cannot be reached", "WhatsApp tidak dapat dihubungi"),
            id="by old owners",
        ),
        pytest.param(
            *("connect_failed", "new", "WhatsApp cannot be reached"), "WhatsApp tidak dapat dihubungi", id="new"
        ),
        pytest.param(
            *("server_error:503", None, "WhatsApp ended the connection (code 503)"),
            "WhatsApp mengakhiri koneksi (kode 503)",
            id="coded",
        ),
        pytest.param(*("banned_101", None, "it wrote to too many people"), "menulis ke terlalu banyak orang", id="ban"),
        pytest.param("banned_999", None, "WhatsApp gives the code 999", "WhatsApp memberi kode 999", id="another ban"),
        pytest.param("FROM_THE_FUTURE", None, "FROM_THE_FUTURE", "FROM_THE_FUTURE", id="a word not known here"),
    ],
)
def test_a_reason_is_a_sentence(reason: str, cause: str | None, english: str, indonesian: str) -> None:
    assert why(seen(S.STARTING, reason=reason, cause=cause).state) == Phrase(english, indonesian)


def test_no_reason_is_none() -> None:
    assert why(None) is None
    assert why(seen(S.CONNECTED).state) is None


@pytest.mark.parametrize("said", [*REASONS.values(), *UNREACHED.values()])
def test_every_sentence_is_in_both_languages_and_stands_within_another(said: Phrase) -> None:
    assert all(said.both)
    assert said.en != said.id
    assert not any(each.endswith(".") for each in said.both)
