"""Every answer speaks one language: its `message` is a sentence of ours in both, and no text of a route."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

import services.api
from services.api import confirmations
from services.api.languages import Localized, localized, localized_reason
from services.api.messages import store_messages
from services.api.messages.admin_messages import admin_message
from services.api.messages.views import message_object
from services.api.requests import begin_request
from services.api.sentences import Phrase
from services.api.sessions import participants
from services.api.sessions.reasons import REASONS, UNREACHED
from services.api.webhooks.views import reason_shown
from tests.unit.api.test_admin_messages import row

API = Path(__file__).parents[3] / "services/api"
SOURCES = [
    path for path in sorted(API.rglob("*.py")) if "dashboard" not in path.parts and "description" not in path.parts
]


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    """The next test has no request at hand."""
    yield
    begin_request("")


NAMED = [each for each in vars(confirmations).values() if isinstance(each, Phrase)]
PHRASES = [*NAMED, *confirmations.MESSAGE_IN.values()]


def structs() -> Iterator[type[msgspec.Struct]]:
    """Every struct of the API."""
    for module in pkgutil.walk_packages(services.api.__path__, "services.api."):
        if "decoder.__main__" not in module.name:
            importlib.import_module(module.name)
    yield from (each for each in _heirs(msgspec.Struct) if each.__module__.startswith("services.api."))


def _heirs(of: type[Any]) -> Iterator[type[Any]]:
    for heir in of.__subclasses__():
        yield heir
        yield from _heirs(heir)


def _alternatives(hint: object) -> set[object]:
    return set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}


ANSWERS = {each for each in structs() if {"success", "message"} <= set(each.__struct_fields__)}
"""The bodies of answers that carry a sentence."""


def test_a_message_is_a_sentence_in_the_language_of_the_answer() -> None:
    """Another text as a `message` is a fault for the type checker."""
    others = {
        each.__qualname__
        for each in ANSWERS
        if not _alternatives(get_type_hints(each)["message"]) <= {Localized, type(None), msgspec.UnsetType}
    }
    assert others == set()
    assert len(ANSWERS) > 25


def test_only_one_place_makes_such_sentences() -> None:
    made = {path.name for path in SOURCES if re.search(r"\bLocalized\(", path.read_text())}
    assert made == {"languages.py"}


def test_no_message_is_written_into_a_body_by_hand() -> None:
    found = {
        (path.name, ast.unparse(value))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        if "success" in (key.value for key in node.keys if isinstance(key, ast.Constant))
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "message"
        if not ast.unparse(value).startswith(("localized(", "sentence("))
    }
    assert found == set()


@pytest.mark.parametrize("phrase", [*PHRASES, *REASONS.values(), *UNREACHED.values(), *participants.REASONS.values()])
def test_every_sentence_has_both_languages_with_the_same_places(phrase: Phrase) -> None:
    assert phrase.en != phrase.id or phrase == confirmations.API_KEY
    assert all(said.strip() == said and said for said in phrase.both)
    assert sorted(re.findall(r"\{\w+\}", phrase.en)) == sorted(re.findall(r"\{\w+\}", phrase.id))


def test_the_table_is_not_empty() -> None:
    assert len(PHRASES) > 90


@pytest.mark.parametrize(
    ("path", "accept_language", "said"),
    [
        pytest.param("/api/customer/whatsapp/sessions", "", "3 sign-ins have ended", id="without a wish"),
        pytest.param(
            "/api/customer/whatsapp/sessions", "id-ID,en;q=0.5", "3 sesi masuk telah diakhiri", id="Indonesian"
        ),
        pytest.param("/whatsapp/reconnect", "id", "3 sign-ins have ended", id="a path that a dashboard matches"),
    ],
)
def test_a_sentence_is_told_as_the_request_asks(path: str, accept_language: str, said: str) -> None:
    begin_request("", path=path, accept_language=accept_language)
    assert localized(confirmations.SIGN_INS_ENDED, ended=3) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "This number is not on WhatsApp."),
        ("id", "Nomor ini tidak ada di WhatsApp."),
    ],
)
def test_why_a_message_failed_is_told_as_the_request_asks(language: str, said: str) -> None:
    begin_request("", path="/api/customer/whatsapp/messages", accept_language=language)
    failed = row("failed", code="NOT_ON_WHATSAPP", detail="This number is not on WhatsApp.")
    shown = message_object(store_messages.shown(failed))
    assert shown.error is not None
    assert (shown.error.code, shown.error.message) == ("NOT_ON_WHATSAPP", said)
    assert admin_message(failed).error_message == said


@pytest.mark.parametrize(("language", "said"), [("en", "cancelled"), ("id", "dibatalkan")])
def test_a_message_that_gives_no_reason_tells_its_status(language: str, said: str) -> None:
    begin_request("", path="/api/admin/messages", accept_language=language)
    assert admin_message(row("cancelled")).error_message == said


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "the endpoint answered 500"), ("id", "alamat tujuan menjawab 500"), ("fr", "the endpoint answered 500")],
)
def test_why_a_delivery_failed_is_told_as_the_request_asks(language: str, said: str) -> None:
    begin_request("", path="/api/customer/whatsapp/webhooks", accept_language=language)
    assert reason_shown("the endpoint answered 500") == said
    assert reason_shown(None) is None
    assert localized_reason("something of a later version") == "something of a later version"
