"""Templates: what a browser under our Content-Security-Policy would refuse stands in none of them."""

from __future__ import annotations

import re

import pytest

from services.api.dashboard.rendering import GUARDS, TEMPLATES, grouped_phone, thousands

NAMES = sorted(path.name for path in TEMPLATES.glob("*.html"))
REFUSED = {
    "an inline style": r"\sstyle=",
    "a style element": r"<style\b",
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "an inline handler": r"\son[a-z]+=|\bhx-on\b",
    "an address elsewhere": r"(?:src|href|action)=\"(?:https?:)?//",
    "unescaped output": r"\|\s*safe\b",
    "evaluated code": r"hx-vals=\"js:|hx-trigger=\"[^\"]*\[",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", sorted(REFUSED))
def test_no_template_holds(name: str, what: str) -> None:
    assert re.findall(REFUSED[what], (TEMPLATES / name).read_text()) == []


def test_the_policy_lets_nothing_in_that_is_not_ours() -> None:
    policy = GUARDS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy


@pytest.mark.parametrize(
    ("digits", "shown"),
    [("6281234567890", "+62 812-3456-7890"), ("12025550123", "+1 202-555-0123"), ("x@lid", "x@lid"), ("", "")],
)
def test_a_number_is_shown_as_people_write_it(digits: str, shown: str) -> None:
    assert grouped_phone(digits) == shown


def test_thousands_are_parted_as_the_language_does() -> None:
    assert (thousands(1_234_567, "en"), thousands(1_234_567, "id")) == ("1,234,567", "1.234.567")
