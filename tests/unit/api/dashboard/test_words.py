"""The dashboard's sentences: in both languages, none missing, and none outside of the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import nodes

from libs.contracts.errors import SendError
from libs.contracts.events import SessionStatus
from services.api import dashboard
from services.api.accounts.records import Role
from services.api.dashboard import words
from services.api.dashboard.navigation import ACCOUNT, HELP, PLATFORM, SERVICES
from services.api.dashboard.rendering import TEMPLATES, environment
from services.api.dashboard.words import LANGUAGES, PARTS, WORDS

SCRIPTS = Path(dashboard.__file__).parent / "web" / "js"
TEMPLATE_NAMES = sorted(path.name for path in TEMPLATES.glob("*.html"))
SPOKEN = re.compile(r"\b(?:alt|title|placeholder|aria-label|aria-description|content)=\"([^\"]*)\"")
MACHINES_OWN = {"viewport", "robots", "color-scheme", "htmx-config"}


def test_no_key_stands_there_twice() -> None:
    assert len(WORDS) == sum(len(part) for part in PARTS)


@pytest.mark.parametrize("key", sorted(WORDS))
def test_both_languages_say_it_with_the_same_places(key: str) -> None:
    english, indonesian = WORDS[key]
    assert english.strip()
    assert indonesian.strip()
    assert places_in(english) == places_in(indonesian)


def places_in(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", sentence))


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_a_template_holds_no_bare_sentence(name: str) -> None:
    source = (TEMPLATES / name).read_text()
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.DOTALL)
    plain = re.sub(r"<meta name=\"(?:" + "|".join(MACHINES_OWN) + r")\".*?>\n", "", plain)
    spoken = [text for text in SPOKEN.findall(plain) if re.search(r"[^\W\d_]", text)]
    shown = re.sub(r"<[^>]*>", " ", plain)
    assert spoken == []
    assert re.findall(r"[^\W\d_]+", shown) == []


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_every_key_in_a_template_is_in_the_table(name: str) -> None:
    parsed = environment().parse((TEMPLATES / name).read_text())
    calls = [
        call for call in parsed.find_all(nodes.Call) if isinstance(call.node, nodes.Name) and call.node.name == "t"
    ]
    keys = {call.args[0].value for call in calls if isinstance(call.args[0], nodes.Const)}
    assert keys <= set(WORDS)


def test_every_key_that_a_script_says_is_in_the_table() -> None:
    said = {key for path in SCRIPTS.rglob("*.js") for key in re.findall(r"\"(js\.[a-z_.]+)\"", path.read_text())}
    assert said <= set(WORDS)
    assert said, "the scripts say nothing at all: this looks in the wrong place"


def test_every_state_role_and_page_has_its_word() -> None:
    groups = (ACCOUNT, HELP, PLATFORM, *SERVICES)
    items = [item for group in groups for item in group.items]
    wanted = {f"state.{status.value}" for status in SessionStatus} | {f"role.{role.value}" for role in Role}
    assert wanted | {item.key for item in items} | {group.key for group in groups} <= set(WORDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_speak_the_language_of_their_address(language: words.Language) -> None:
    say = words.saying(language)
    assert say("devices.quota", used=3, most=10) == {"en": "3 of 10 devices", "id": "3 dari 10 perangkat"}[language]


def test_every_reason_for_which_a_message_fails_has_its_sentence() -> None:
    assert [code for code in SendError if f"reason.{code.value}" not in WORDS] == []
