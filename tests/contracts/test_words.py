"""What a message is found by: the same words from what it says and from what somebody looks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.words import MOST_CHARACTERS, MOST_WORDS, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("Halo, apa kabar? HALO!", ["halo", "apa", "kabar"], id="case and signs"),
        pytest.param("Order #INV-2024/001_b", ["order", "inv", "2024", "001", "b"], id="numbers"),
        pytest.param("Café naïve Straße", ["cafe", "naive", "strasse"], id="accents"),
        pytest.param("\ufb01nal \uff21\uff22\uff23", ["final", "abc"], id="compatible forms"),
        pytest.param("你好 world", ["你", "好", "world"], id="letters that stand without spaces"),
        pytest.param("👍 !!! ...", [], id="no word"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_a_text_is_cut_into_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_of_several_texts_are_one_list_without_repeats() -> None:
    assert words_of("halo dunia", None, "dunia.pdf") == ["halo", "dunia", "pdf"]


def test_words_are_bounded_in_number_and_length() -> None:
    assert len(words_of(" ".join(f"w{number}" for number in range(1000)))) == MOST_WORDS
    assert words_of("a" * 1000) == ["a" * MOST_CHARACTERS]


@given(st.text(max_size=60))
def test_each_word_is_found_by_itself(text: str) -> None:
    for word in words_of(text):
        assert words_of(word) == [word]
