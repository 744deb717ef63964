"""User agents: named so that people know their own sign-ins again."""

from __future__ import annotations

import pytest

from services.api.dashboard.agents import agent_named, is_handheld
from services.api.dashboard.words import saying

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "named"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} Chrome/139.0.0.0 Safari/537.36", "Chrome on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/139.0 Safari/537.36 Edg/139.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Linux; Android 15; SM-S928B) {WEBKIT} Chrome/139.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("x" * 200, "x" * 40),
        ("", "A program"),
        (None, "A program"),
    ],
    ids=["chrome", "edge", "android", "iphone", "mac", "program", "long", "empty", "none"],
)
def test_a_sign_in_is_named_by_browser_and_system(user_agent: str | None, named: str) -> None:
    assert agent_named(user_agent, saying("en")) == named


@pytest.mark.parametrize(
    ("user_agent", "is_it"),
    [("Mozilla/5.0 (Linux; Android 15)", True), ("Mozilla/5.0 (iPad)", True), ("Mozilla/5.0 (X11; Linux)", False)],
    ids=["android", "ipad", "desk"],
)
def test_phones_and_tablets_are_told_from_computers(user_agent: str, is_it: bool) -> None:
    assert is_handheld(user_agent) is is_it
