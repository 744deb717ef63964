"""The language of an answer, and the sentences in it."""

from __future__ import annotations

import re
from typing import NewType

from services.api.requests import wanted_language
from services.api.sentences import LANGUAGES, Phrase
from services.api.translations import in_indonesian

ENGLISH_ONLY = re.compile(r"/(?:api/)?whatsapp(?:/|$)")
"""W matches the sentences of these paths, so they are English whatever the browser prefers."""
MOST_TAGS = 20

Localized = NewType("Localized", str)
"""A sentence in the language of the answer at hand: every `message` is one, and only `localized` makes them."""


def localized(phrase: Phrase, **values: Phrase | str | int) -> Localized:
    """The phrase in the language of the answer to the request at hand, with these values in its places."""
    said = phrase.filled(**values) if values else phrase
    return Localized(said.in_language(language_here()))


def localized_reason(reason: str) -> Localized:
    """What is stored in English, in the language of the answer to the request at hand where it is known in it."""
    return Localized(reason if language_here() == "en" else in_indonesian(reason))


def language_here() -> str:
    """The language of the answer to the request at hand."""
    path, accept_language = wanted_language()
    return language_for(path, accept_language)


def language_for(path: str, accept_language: str) -> str:
    """The language of the answer at this path: a page's own, `/id/dashboard/...`, else the one that is asked for."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    if first in LANGUAGES:
        return first
    return "en" if ENGLISH_ONLY.match(path) else language_of(accept_language)


def language_of(accept_language: str) -> str:
    """The language to answer in, from an `Accept-Language` header: the best of en and id, else en."""
    best, best_quality = "en", 0.0
    for part in accept_language.split(",")[:MOST_TAGS]:
        tag, _, params = part.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(params)
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(params: str) -> float:
    name, _, value = params.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
