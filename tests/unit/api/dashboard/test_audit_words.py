"""The audit log's words: whatever the edge notes has its sentence."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from services import api
from services.api.dashboard.pages.audit import NOT_TOLD, OF_NAMES, PLATFORMS_THINGS
from services.api.dashboard.words import WORDS
from services.api.routes.account import AccountChange
from services.api.routes.admins import AdminChange
from services.api.routes.auth import ProfileChange
from services.api.routes.keys import KeyChange
from services.api.routes.platform_customers import CustomerChange
from services.api.routes.platform_plans import PlanChange
from services.api.routes.users import UserChange
from services.api.webhooks.definitions import WebhookChange

NOTED = re.compile(r"\bnote\(\s*edge,\s*[\w.]+,\s*\"([a-z_]+\.[a-z_]+)\"")
DETAILS = re.compile(r"(?:\bnote\(\s*edge,[^{}]*|\bdetails = (?=.*\n +await note))\{([^{}]*)\}")
NAMES = re.compile(r"\"([A-Za-z]+)\":")
BY_NAME = {"transaction.confirmed", "transaction.rejected"}
"""Those that the source holds in a variable."""


def noted() -> set[str]:
    """Every action that stands in a call of `note`."""
    sources = (path.read_text() for path in Path(api.__file__).parent.rglob("*.py"))
    return {action for source in sources for action in NOTED.findall(source)} | BY_NAME


def test_every_action_has_its_word() -> None:
    assert {f"done.{action}" for action in noted()} <= set(WORDS)
    assert len(noted()) > 40, "hardly any action was found: this looks in the wrong place"


@pytest.mark.parametrize(
    "body",
    [AccountChange, KeyChange, UserChange, AdminChange, ProfileChange, WebhookChange, PlanChange, CustomerChange],
)
def test_every_field_that_may_be_changed_has_its_word(body: type[msgspec.Struct]) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(body)}
    assert {f"told.{field}" for field in fields} <= set(WORDS)


def test_every_detail_has_its_word() -> None:
    sources = [path.read_text() for path in Path(api.__file__).parent.rglob("*.py")]
    told = {name for source in sources for text in DETAILS.findall(source) for name in NAMES.findall(text)}
    assert {f"told.{name}" for name in told - set(NOT_TOLD)} <= set(WORDS)
    assert {"amount", "plan", "service", "until", "note"} <= told


@pytest.mark.parametrize("reason", ["topup", "gift", "correction"])
def test_why_credits_were_given_is_told_in_words(reason: str) -> None:
    assert f"{OF_NAMES['reason']}.{reason}" in WORDS


def test_every_thing_can_be_chosen_in_the_filter() -> None:
    assert {action.partition(".")[0] for action in noted()} == set(PLATFORMS_THINGS)


def test_every_thing_has_its_word() -> None:
    assert {f"thing.{thing}" for thing in PLATFORMS_THINGS} <= set(WORDS)
