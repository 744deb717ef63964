"""Every sentence of the dashboard, in both languages: one table, in parts by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from services.api.dashboard.words import (
    audit,
    chats,
    devices,
    keys,
    linking,
    messages,
    overview,
    passkey,
    plan,
    platform,
    platform_customers,
    playground,
    reasons,
    scripts,
    settings,
    shell,
    signup,
    states,
    team,
    webhooks,
)

Language = Literal["en", "id"]
LANGUAGES: tuple[Language, ...] = ("en", "id")
NAMES: dict[Language, str] = {"en": "English", "id": "Bahasa Indonesia"}
PARTS = (
    shell.WORDS,
    signup.WORDS,
    settings.WORDS,
    audit.WORDS,
    team.WORDS,
    states.WORDS,
    reasons.WORDS,
    overview.WORDS,
    devices.WORDS,
    linking.WORDS,
    keys.WORDS,
    passkey.WORDS,
    playground.WORDS,
    messages.WORDS,
    chats.WORDS,
    webhooks.WORDS,
    platform.WORDS,
    platform_customers.WORDS,
    plan.WORDS,
    scripts.WORDS,
)
WORDS: dict[str, tuple[str, str]] = {key: row for part in PARTS for key, row in part.items()}
FOR_SCRIPTS = "js."

Say = Callable[..., str]


def saying(language: Language) -> Say:
    """What pages call `t`: the sentence under a key, its places filled. Raises KeyError for a key that is not there."""
    column = LANGUAGES.index(language)

    def say(key: str, **values: object) -> str:
        sentence = WORDS[key][column]
        return sentence.format_map(values) if values else sentence

    return say


def for_scripts(language: Language) -> dict[str, str]:
    """What the page's scripts say."""
    column = LANGUAGES.index(language)
    return {key: row[column] for key, row in WORDS.items() if key.startswith(FOR_SCRIPTS)}
