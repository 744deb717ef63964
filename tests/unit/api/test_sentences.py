"""The table of refusals: statuses, languages, and the sentences that an existing dashboard matches."""

from __future__ import annotations

import pytest

from libs.contracts.errors import ApiError
from services.api.languages import language_for, language_of
from services.api.sentences import SENTENCES, sentence


@pytest.mark.parametrize("code", list(ApiError))
def test_every_code_has_a_status_and_two_sentences(code: ApiError) -> None:
    row = SENTENCES[code]
    assert 400 <= row.status < 600
    assert row.en
    assert row.id
    assert row.en != row.id


@pytest.mark.parametrize(
    ("code", "status", "substring"),
    [
        (ApiError.ALREADY_CONNECTED, 400, "already connected"),
        (ApiError.ALREADY_CONNECTED, 400, "No QR code needed"),
        (ApiError.QR_TIMEOUT, 408, "timeout"),
        (ApiError.NOT_READY, 503, "not ready"),
        (ApiError.INVALID_API_KEY, 401, "Invalid API key"),
        (ApiError.INVALID_CREDENTIALS, 401, "Invalid credentials"),
    ],
)
def test_the_sentences_that_dashboards_match(code: ApiError, status: int, substring: str) -> None:
    assert SENTENCES[code].status == status
    assert substring in sentence(code, "en", {})


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("id", "id"),
        ("id-ID,id;q=0.9,en-US;q=0.8", "id"),
        ("en-US,en;q=0.9,id;q=0.8", "en"),
        ("fr,id;q=0.5", "id"),
        ("de-DE", "en"),
        ("id;q=0,en;q=0.1", "en"),
        ("id;q=abc", "en"),
        ("*", "en"),
        (";;,=;q", "en"),
    ],
)
def test_the_language_follows_the_header(header: str, language: str) -> None:
    assert language_of(header) == language


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("/whatsapp/qr", "en"),
        ("/api/whatsapp/qr", "en"),
        ("/api/customer/whatsapp/sessions", "id"),
        ("/whatsapps", "id"),
        ("/en/dashboard/whatsapp", "en"),
        ("/id/dashboard/whatsapp", "id"),
        ("", "id"),
    ],
)
def test_single_session_paths_stay_english(path: str, language: str) -> None:
    assert language_for(path, "id") == language


def test_a_missing_parameter_does_not_break_a_refusal() -> None:
    assert sentence(ApiError.INVALID_PHONE, "en", {}) == "The phone number is not valid: reason."
