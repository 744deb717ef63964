"""The characters of a number, and those of a user's own phone."""

from __future__ import annotations

import pytest

from services.api.accounts.users import checked_phone
from services.api.errors import Refusal
from services.api.messages.numerals import DECIMAL, EMPTY, Written, in_plain_characters, written_in


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param(" 0812\u00a03456 ", "0812 3456", id="spaces"),
        pytest.param("\u2066+\u0661\u06f2\u096b\uff18\u2069", "+1258", id="digits of four scripts"),
        pytest.param("0812\u20123456\u22127890", "0812-3456-7890", id="dashes"),
        pytest.param("\uff0b62\uff08812\uff09", "+62(812)", id="fullwidth signs"),
        pytest.param("1\ufe0f\u200d2\u00ad3", "123", id="what nobody sees"),
        pytest.param("\u00b2\u2460\u4e94", "\u00b2\u2460\u4e94", id="numbers that are no digits"),
    ],
)
def test_each_kind_of_character_has_one_form(text: str, plain: str) -> None:
    assert in_plain_characters(text) == plain


def test_digits_are_read_in_their_order() -> None:
    assert written_in("(+62) 812-34.56") == DECIMAL
    assert written_in("(+62) 812-345.678") == Written(digits="62812345678", has_plus=True)
    assert written_in("-()") == EMPTY


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        pytest.param("\u202a+62 812-3456-789\u202c", "+628123456789", id="with marks"),
        pytest.param("\u0660\u0668\u0661\u0662\u0663\u0664\u0665", "0812345", id="in Arabic digits"),
        pytest.param("'0812345", "0812345", id="as a spreadsheet keeps it"),
        pytest.param("", None, id="none"),
    ],
)
def test_a_users_own_phone_is_kept_in_ascii_digits(text: str, phone: str | None) -> None:
    assert checked_phone(text) == phone


def test_a_users_own_phone_holds_only_digits() -> None:
    with pytest.raises(Refusal):
        checked_phone("0812x")
