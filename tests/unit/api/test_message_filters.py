"""What `q` looks for: whole words, and the beginning of a last one."""

from __future__ import annotations

import pytest

from services.api.errors import Refusal
from services.api.messages.filters import sought


@pytest.mark.parametrize(
    ("q", "words", "prefix"),
    [
        pytest.param("Halo DUNIA", ("halo", "dunia"), None, id="words"),
        pytest.param("pembay*", (), "pembay", id="a beginning"),
        pytest.param("halo pembay*", ("halo",), "pembay", id="a word and a beginning"),
        pytest.param("inv-2024*", ("inv",), "2024", id="a beginning of two parts"),
        pytest.param("halo dunia halo*", ("dunia",), "halo", id="a word that is begun again"),
        pytest.param("ha*lo", ("ha", "lo"), None, id="a star within"),
    ],
)
def test_words_and_beginnings_are_told_apart(q: str, words: tuple[str, ...], prefix: str | None) -> None:
    assert sought(q) == (words, prefix)


@pytest.mark.parametrize("q", ["!!!", "*", "ab*", "halo *", " ".join(f"w{number}" for number in range(11))])
def test_what_would_find_anything_or_nothing_is_refused(q: str) -> None:
    with pytest.raises(Refusal) as refused:
        sought(q)
    assert [field["path"] for field in (refused.value.details or {})["fields"]] == ["q"]
