"""Whom a person looks for in the list of chats, and the numbers on a card."""

from __future__ import annotations

import pytest

from services.api.chats.seeking import Sought, sought_chats
from services.api.messages.vcards import phones_in, vcard_of


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        pytest.param("Bu Sari", (), id="a name"),
        pytest.param("0812-34", ("6281234", "081234"), id="the beginning of a number as it is dialled"),
        pytest.param("+62 812 34", ("6281234",), id="the beginning of an international number"),
        pytest.param("7890", ("7890",), id="the end of a number"),
        pytest.param("0123", ("62123", "0123"), id="an end that begins with a 0"),
        pytest.param("Toko 24", (), id="a name with digits"),
        pytest.param("12", (), id="too few digits to tell anybody apart"),
    ],
)
def test_a_number_is_found_in_any_usual_spelling(text: str, digits: tuple[str, ...]) -> None:
    assert sought_chats(f" {text} ", "62") == Sought(text=text, digits=digits)


def test_nothing_written_looks_for_nobody() -> None:
    assert sought_chats(" \0 ", "62") is None


def test_the_numbers_on_a_card_are_read() -> None:
    assert phones_in(vcard_of("Sari; Toko", ["6281234567890", "62215550123"])) == ["+6281234567890", "+62215550123"]


def test_a_card_of_a_phone_may_group_its_lines() -> None:
    card = "BEGIN:VCARD\nVERSION:4.0\nitem1.TEL;TYPE=cell;VALUE=uri:tel:+62 812\nTELEX:no number\nTEL:\nEND:VCARD"
    assert phones_in(card) == ["+62 812"]


def test_a_card_that_is_made_to_take_long_does_not() -> None:
    assert phones_in("TEL:" + " " * 60_000 + "\n" + "TEL;" * 10_000) == []
