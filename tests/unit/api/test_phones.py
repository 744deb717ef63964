"""The rules by which a recipient is read."""

from __future__ import annotations

import pytest

from services.api.messages.phones import InvalidPhone, Recipient, recipient_of


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        pytest.param("6281234567890", "6281234567890", id="international digits stay"),
        pytest.param("081234567890", "6281234567890", id="a leading 0 is the default country"),
        pytest.param("+6281234567890", "6281234567890", id="a plus is dropped"),
        pytest.param("81234567890", "6281234567890", id="an 8 with 10 more digits"),
        pytest.param("8123456789", "628123456789", id="an 8 with 9 more digits"),
        pytest.param("812345678901", "62812345678901", id="an 8 with 11 more digits"),
        pytest.param("+62 812-3456-7890", "6281234567890", id="spaces and dashes"),
        pytest.param("(0812) 3456.7890", "6281234567890", id="brackets and dots"),
        pytest.param(" 0812 3456 7890 ", "6281234567890", id="spaces around"),
        pytest.param("+81 90 1234 5678", "819012345678", id="a plus keeps Japan's 81"),
        pytest.param("+8613812345678", "8613812345678", id="a plus keeps China's 86"),
        pytest.param("14155550123", "14155550123", id="another country"),
        pytest.param("15551234567", "15551234567", id="a possible number that nobody has"),
        pytest.param("6280000000001", "6280000000001", id="a simulated number"),
        pytest.param("6281234567890@s.whatsapp.net", "6281234567890", id="a JID"),
        pytest.param("6281234567890@c.us", "6281234567890", id="the old form of a JID"),
    ],
)
def test_a_phone_number_in_any_usual_spelling_is_understood(written: str, digits: str) -> None:
    assert recipient_of(written) == Recipient(jid=f"{digits}@s.whatsapp.net", display=digits)


@pytest.mark.parametrize("jid", ["120363021234567890@g.us", "6281234567890-1612345678@g.us", "123456789012345@lid"])
def test_a_group_or_a_lid_is_taken_as_it_is(jid: str) -> None:
    assert recipient_of(jid) == Recipient(jid=jid, display=jid)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("  - ", "empty", id="separators only"),
        pytest.param("+", "only digits", id="a lone plus"),
        pytest.param("😀", "only digits", id="emoji"),
        pytest.param("0812345678a", "only digits", id="a letter"),
        pytest.param("++6281234567890", "only digits", id="two pluses"),
        pytest.param("٦٢٨١٢٣٤٥٦٧٨٩٠", "only digits", id="digits of another script"),
        pytest.param("081", "too short", id="too short"),
        pytest.param("62812345", "too short for its country", id="too short for Indonesia"),
        pytest.param("6281234567890123", "too long", id="16 digits"),
        pytest.param("1415555012345", "too long for its country", id="too long for the United States"),
        pytest.param("9991234567890", "country code", id="no such country"),
        pytest.param("6" * 5000, "too long", id="very long"),
        pytest.param("6281234567890@example.org", "address of WhatsApp", id="an address elsewhere"),
        pytest.param("status@broadcast", "address of WhatsApp", id="the status broadcast"),
        pytest.param("123@s.whatsapp.net", "address of WhatsApp", id="a JID that is too short"),
        pytest.param("../../etc@g.us", "address of WhatsApp", id="a path"),
    ],
)
def test_what_names_nobody_is_refused_with_its_reason(written: str, reason: str) -> None:
    answer = recipient_of(written)
    assert isinstance(answer, InvalidPhone)
    assert reason in answer.reason


def test_the_default_country_takes_the_place_of_a_leading_zero() -> None:
    assert recipient_of("01701234567", "49") == Recipient(jid="491701234567@s.whatsapp.net", display="491701234567")
