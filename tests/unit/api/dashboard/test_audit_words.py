"""The audit log's words: whatever the edge notes has its sentence."""

from __future__ import annotations

import re
from pathlib import Path

from services import api
from services.api.dashboard.pages.audit import PLATFORMS_THINGS
from services.api.dashboard.words import WORDS

NOTED = re.compile(r"\bnote\(\s*edge,\s*[\w.]+,\s*\"([a-z_]+\.[a-z_]+)\"")
BY_NAME = {"transaction.confirmed", "transaction.rejected"}
"""Those that the source holds in a variable."""


def noted() -> set[str]:
    """Every action that stands in a call of `note`."""
    sources = (path.read_text() for path in Path(api.__file__).parent.rglob("*.py"))
    return {action for source in sources for action in NOTED.findall(source)} | BY_NAME


def test_every_action_has_its_word() -> None:
    assert {f"done.{action}" for action in noted()} <= set(WORDS)
    assert len(noted()) > 40, "hardly any action was found: this looks in the wrong place"


def test_every_thing_can_be_chosen_in_the_filter() -> None:
    assert {action.partition(".")[0] for action in noted()} == set(PLATFORMS_THINGS)


def test_every_thing_has_its_word() -> None:
    assert {f"thing.{thing}" for thing in PLATFORMS_THINGS} <= set(WORDS)
