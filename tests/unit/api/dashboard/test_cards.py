"""What a device's card advises."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from libs.contracts.events import SessionStatus as S
from services.api.dashboard.cards import advice_on
from services.api.dashboard.rendering import Clock
from services.api.dashboard.words import Language, saying
from tests.unit.api.builders import seen

AGAIN: dict[Language, str] = {"en": "It is tried again by itself.", "id": "Dicoba lagi otomatis."}


def advised(language: Language, status: S, reason: str | None = None, cause: str | None = None) -> str:
    """What the card of a session in this state says."""
    session = seen(status, reason=reason, cause=cause, linked=True)
    return advice_on(session, saying(language), Clock(ZoneInfo("UTC"), language))


@pytest.mark.parametrize("status", [S.STARTING, S.CONNECTING, S.RECONNECTING])
@pytest.mark.parametrize(
    ("language", "cause", "said"),
    [
        ("en", "dns", "WhatsApp cannot be reached: its name was not found (DNS)."),
        ("en", "proxy_auth", "WhatsApp cannot be reached: the proxy refused its name or password."),
        ("en", None, "WhatsApp cannot be reached."),
        ("id", "timeout", "WhatsApp tidak dapat dihubungi: tidak menjawab tepat waktu."),
        ("id", "unheard of", "WhatsApp tidak dapat dihubungi."),
    ],
)
def test_a_network_out_of_reach_is_told_with_its_cause(
    status: S, language: Language, cause: str | None, said: str
) -> None:
    assert advised(language, status, "connect_failed", cause) == f"{said} {AGAIN[language]}"


@pytest.mark.parametrize("reason", [None, "paired", "dropped", "keepalive"])
def test_a_session_on_its_way_needs_no_advice(reason: str | None) -> None:
    assert advised("en", S.CONNECTING, reason) == ""


def test_why_a_session_has_failed_is_told_in_words() -> None:
    assert advised("id", S.FAILED, "proxy_unreadable") == (
        "Tidak dapat terhubung. Proksi sesi tidak dapat dibaca dengan kunci instalasi ini; atur lagi."
    )
    assert advised("en", S.FAILED, "proxy_not_allowed") == (
        "It cannot connect. This deployment does not connect to the address of the session's proxy; set another one, "
        "or ask the operator to allow it (MERPATI_PROXY_ALLOWED)."
    )
    assert advised("id", S.FAILED, "proxy_not_allowed") == (
        "Tidak dapat terhubung. Instalasi ini tidak terhubung ke alamat proksi sesi; atur proksi lain, "
        "atau minta operator mengizinkannya (MERPATI_PROXY_ALLOWED)."
    )
    assert advised("en", S.FAILED, "unheard_of") == "It cannot connect. unheard_of."
    assert advised("en", S.FAILED) == "It cannot connect. No reason was given."
