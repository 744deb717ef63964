"""What other services stored in English, on pages in Indonesian."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import escape

from libs.contracts.events import SessionStatus
from services.api.dashboard.cards import advice_on
from services.api.dashboard.rendering import Clock, environment, reason_in
from services.api.dashboard.words import LANGUAGES, Language, saying
from services.api.figures.days import zone_of
from tests.unit.api.builders import seen


def macros(language: Language) -> Any:
    return environment().get_template("plan_macros.html").make_module({"language": language, "t": saying(language)})


@pytest.mark.parametrize(
    ("reason", "language", "says"),
    [
        ("replaced_elsewhere", "id", "Tidak dapat terhubung. Klien lain terus mengambil alih koneksi."),
        ("unlinked_401", "id", "Tidak dapat terhubung. Ponsel telah memutus tautan."),
        (None, "id", "Tidak dapat terhubung. Tanpa alasan."),
        (None, "en", "It cannot connect. No reason was given."),
    ],
)
def test_why_a_session_failed_is_told_in_words(reason: str | None, language: Language, says: str) -> None:
    clock = Clock(zone_of("Asia/Jakarta"), language)
    assert advice_on(seen(SessionStatus.FAILED, reason=reason), saying(language), clock) == says


@pytest.mark.parametrize(
    ("reason", "language", "says"),
    [
        ("proxy_unreadable", "en", "The session's proxy cannot be read with this deployment's keys; set it again"),
        ("unlinked_401", "id", "Ponsel telah memutus tautan"),
        ("something new", "id", "something new"),
        (None, "en", ""),
    ],
)
def test_a_template_tells_why_a_session_is_in_its_state(reason: str | None, language: Language, says: str) -> None:
    state = seen(SessionStatus.FAILED, reason=reason).state
    made = environment().from_string("{{ state|why(language) }}").render(state=state, language=language)
    assert made == str(escape(says))


@pytest.mark.parametrize(("kind", "says"), [("topup", "500 kredit"), ("subscription", "500 credits")])
def test_a_top_up_is_told_in_indonesian_and_a_plan_by_its_name(kind: str, says: str) -> None:
    assert str(macros("id").paid_for(SimpleNamespace(kind=kind, description="500 credits"))) == says


@pytest.mark.parametrize("method", ["manual", "trial"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_how_it_was_paid_is_told_in_words(language: Language, method: str) -> None:
    said = str(macros(language).paid_by(SimpleNamespace(payment_method=method)))
    assert said == saying(language)(f"pay.method.{method}")


def test_what_is_not_known_is_told_as_it_is() -> None:
    assert reason_in("something new", "id") == "something new"
