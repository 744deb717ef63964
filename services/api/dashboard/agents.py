"""Which browser, on which system, a `User-Agent` names: enough for people to know their own sign-ins again. Pure."""

from __future__ import annotations

from services.api.dashboard.words import Say

BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""Those that others pretend to be come last."""
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}
HANDHELD = ("Android", "iPhone", "iPad")
LONGEST_NAME = 40


def agent_named(user_agent: str | None, say: Say) -> str:
    """`Firefox on Linux`; of what is no browser, its own name."""
    text = user_agent or ""
    browser, system = _first_in(text, BROWSERS), _first_in(text, SYSTEMS)
    if browser and system:
        return say("agent.on", browser=browser, system=system)
    return browser or text.split("/")[0].split(" ")[0][:LONGEST_NAME] or say("agent.unknown")


def is_handheld(user_agent: str | None) -> bool:
    """Whether it is a phone or a tablet."""
    return any(name in (user_agent or "") for name in HANDHELD)


def _first_in(text: str, marks: dict[str, str]) -> str:
    return next((name for mark, name in marks.items() if mark in text), "")
