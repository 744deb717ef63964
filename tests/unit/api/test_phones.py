"""The rules by which a recipient is read."""

from __future__ import annotations

import time
import unicodedata

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libs.contracts.errors import ApiError
from services.api.messages.exporting import cell
from services.api.messages.phones import InvalidPhone, Recipient, as_it_stands, certain_recipient_of, recipient_of
from services.api.sentences import sentence


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
        pytest.param("+44 (0) 7911 123456", "447911123456", id="a national 0 in brackets"),
        pytest.param("+62 0812 3456 7890", "6281234567890", id="a national 0 behind the country code"),
        pytest.param("62 0812 3456 7890", "6281234567890", id="the same without a plus"),
        pytest.param("+39 06 1234 5678", "390612345678", id="Italy keeps its 0"),
        pytest.param("+225 07 12 34 56 78", "2250712345678", id="and so does Ivory Coast"),
        pytest.param("0044 7911 123456", "447911123456", id="00 as an international prefix"),
        pytest.param("0062 0812 3456 7890", "6281234567890", id="00 before the default country"),
        pytest.param("011 44 7911 123456", "447911123456", id="011 as an international prefix"),
        pytest.param("008 44 7911 123456", "447911123456", id="an international prefix of Indonesia"),
        pytest.param("00919876543210", "919876543210", id="00 before a country that continues such a prefix"),
        pytest.param("(+62) 812 3456 7890", "6281234567890", id="the country code in brackets"),
        pytest.param("\u202a+62 812\u20113456\u20117890\u202c", "6281234567890", id="as WhatsApp Web copies it"),
        pytest.param("\ufeff\u200e6281\u00ad234\u200b567890\u2069", "6281234567890", id="marks that nobody sees"),
        pytest.param("\u00a00812\u202f3456\u30007890", "6281234567890", id="spaces that do not break"),
        pytest.param(
            "\u0660\u0668\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660",
            "6281234567890",
            id="Arabic digits",
        ),
        pytest.param(
            "\uff0b\uff16\uff12 \uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10",
            "6281234567890",
            id="fullwidth digits",
        ),
        pytest.param("tel:+62-812-3456-7890", "6281234567890", id="a link to call"),
        pytest.param("TEL:0812-3456-7890;phone-context=+62", "6281234567890", id="a link with its country"),
        pytest.param("tel:%2B6281234567890", "6281234567890", id="a link that is encoded"),
        pytest.param("+62.812.3456.7890", "6281234567890", id="dots between groups"),
        pytest.param("6.281.234.567.890", "6281234567890", id="dots between thousands"),
        pytest.param("+33.1.23.45.67.00", "33123456700", id="dots between pairs"),
        pytest.param("6281234567890@s.whatsapp.net", "6281234567890", id="a JID"),
        pytest.param("6281234567890:12@s.whatsapp.net", "6281234567890", id="a JID with a device"),
        pytest.param("6281234567890.0:1@s.whatsapp.net", "6281234567890", id="a JID with agent and device"),
        pytest.param("6281234567890_1:2@s.whatsapp.net", "6281234567890", id="the old form of both"),
        pytest.param(" 6281234567890@S.WhatsApp.NET ", "6281234567890", id="a JID in any case"),
        pytest.param("\u20686281234567890@c.us\u2069", "6281234567890", id="a JID between marks"),
        pytest.param("6281234567890:99@hosted", "6281234567890", id="a hosted device of a person"),
        pytest.param("5215512345678@s.whatsapp.net", "5215512345678", id="a JID that the tables hold for impossible"),
        pytest.param("6281234567890@c.us", "6281234567890", id="the old form of a JID"),
        pytest.param("'6281234567890", "6281234567890", id="a text of a spreadsheet, as our export writes it"),
        pytest.param(" '+62 812-3456-7890 ", "6281234567890", id="the same in groups"),
        pytest.param("\u20190812 3456 7890", "6281234567890", id="with the apostrophe that is typed for it"),
        pytest.param("'6281234567890@s.whatsapp.net", "6281234567890", id="a JID behind an apostrophe"),
        pytest.param('"6281234567890"', "6281234567890", id="quoted, as a CSV file may hold it"),
        pytest.param("'6281234567890'", "6281234567890", id="in single quotes"),
        pytest.param('"\'6281234567890"', "6281234567890", id="both"),
        pytest.param("\u201c0812 3456 7890\u201d", "6281234567890", id="in the quotes that are typed for them"),
        pytest.param('="6281234567890"', "6281234567890", id="a formula that is a text"),
    ],
)
def test_a_phone_number_in_any_usual_spelling_is_understood(written: str, digits: str) -> None:
    assert recipient_of(written) == Recipient(jid=f"{digits}@s.whatsapp.net", display=digits)


@pytest.mark.parametrize("jid", ["120363021234567890@g.us", "6281234567890-1612345678@g.us", "123456789012345@lid"])
def test_a_group_or_a_lid_is_taken_as_it_is(jid: str) -> None:
    assert recipient_of(jid) == Recipient(jid=jid, display=jid)


@pytest.mark.parametrize(
    ("written", "jid"),
    [
        pytest.param("123456789012345:3@lid", "123456789012345@lid", id="with a device"),
        pytest.param("123456789012345.1:3@LID", "123456789012345@lid", id="with agent and device, in capitals"),
        pytest.param("123456789012345@hosted.lid", "123456789012345@lid", id="hosted"),
        pytest.param("\u200b120363021234567890@G.us", "120363021234567890@g.us", id="a group"),
    ],
)
def test_an_address_has_one_form(written: str, jid: str) -> None:
    assert recipient_of(written) == Recipient(jid=jid, display=jid)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("  - ", "empty", id="separators only"),
        pytest.param("+", "only digits", id="a lone plus"),
        pytest.param("😀", "only digits", id="emoji"),
        pytest.param("0812345678a", "only digits", id="a letter"),
        pytest.param("++6281234567890", "only digits", id="two pluses"),
        pytest.param("628123456789\u00b2", "only digits", id="a raised 2 is no digit"),
        pytest.param("6281200009002.0", "decimal number of a spreadsheet", id="a float"),
        pytest.param("6281200009002.00", "decimal number", id="a float with two places"),
        pytest.param("6281200009002.000", "decimal number", id="a float with three places"),
        pytest.param("62812.00", "decimal number", id="a short float"),
        pytest.param("81200009002.5", "decimal number", id="a float with another place"),
        pytest.param("6281200009002.", "decimal number", id="a float without places"),
        pytest.param("6281200009002,0", "decimal number", id="a float with a comma"),
        pytest.param(
            "\u0666\u0662\u0668\u0661\u0662\u0660\u0660\u0660\u0660\u066b\u0660", "decimal number", id="an Arabic float"
        ),
        pytest.param("+62 812 0000 9002.0", "decimal number", id="a float in groups"),
        pytest.param("0812.3456.7890.0", "decimal number", id="places behind groups"),
        pytest.param("628..123.4567", "decimal number", id="two dots"),
        pytest.param("6.28E+12", "spreadsheet has shortened", id="an exponent"),
        pytest.param("6,28e12", "spreadsheet has shortened", id="an exponent behind a comma"),
        pytest.param("+62 812 3456 7890 ext. 12", "extension", id="an extension"),
        pytest.param("+6281234567890x12", "extension", id="a short extension"),
        pytest.param("tel:+6281234567890;ext=12", "extension", id="a link with an extension"),
        pytest.param("tel:1234567;phone-context=example.com", "tel: link", id="a link to a private number"),
        pytest.param("081234567890, 081234567891", "more than one number", id="two numbers"),
        pytest.param("081234567890\n081234567891", "more than one number", id="two numbers on two lines"),
        pytest.param("011 65 8123 4567", "more than one number", id="from abroad, or in this country"),
        pytest.param("0084 111 1234 5678", "too long for its country", id="a digit too many behind 00"),
        pytest.param("+45 (0) 12345678", "a 0 stands behind", id="a 0 where no number has one"),
        pytest.param("5215512345678", "too long for its country", id="a Mexican account as it is named"),
        pytest.param("081", "too short", id="too short"),
        pytest.param("'", "empty", id="a lone apostrophe"),
        pytest.param('""', "empty", id="quotes around nothing"),
        pytest.param("=6281234567890", "only digits", id="a formula that is a number"),
        pytest.param('"6281234567890', "only digits", id="a quote that is not closed"),
        pytest.param("62812'34567890", "only digits", id="an apostrophe within"),
        pytest.param("'6281200009002.0", "decimal number", id="a float behind an apostrophe"),
        pytest.param("62812345", "too short for its country", id="too short for Indonesia"),
        pytest.param("6281234567890123", "too long", id="16 digits"),
        pytest.param("1415555012345", "too long for its country", id="too long for the United States"),
        pytest.param("9991234567890", "country code", id="no such country"),
        pytest.param("6" * 5000, "too long", id="very long"),
        pytest.param("6281234567890@example.org", "address of WhatsApp", id="an address elsewhere"),
        pytest.param("status@broadcast", "status feed", id="the status broadcast"),
        pytest.param(" Status@Broadcast\u200b", "status feed", id="the status in capitals, with marks"),
        pytest.param("1612345678@broadcast", "broadcast list", id="a broadcast list"),
        pytest.param("120363021234567890@newsletter", "channel", id="a channel"),
        pytest.param("120363021234567890@NEWSLETTER", "channel", id="a channel in capitals"),
        pytest.param("13135550002@bot", "bot", id="a bot"),
        pytest.param("0123456789@s.whatsapp.net", "address of WhatsApp", id="a JID that begins with 0"),
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


@pytest.mark.parametrize(
    ("written", "country", "digits"),
    [
        pytest.param("06 1234 5678", "39", "390612345678", id="an Italian line"),
        pytest.param("333 1234567", "39", "393331234567", id="an Italian mobile"),
        pytest.param("4155550123", "1", "14155550123", id="ten digits in America"),
        pytest.param("1 (415) 555-0123", "1", "14155550123", id="with their 1"),
        pytest.param("8 912 345-67-89", "7", "79123456789", id="the 8 of Russia"),
        pytest.param("06 20 123 4567", "36", "36201234567", id="the 06 of Hungary"),
        pytest.param("010 62 812 3456 7890", "81", "6281234567890", id="the 010 of Japan"),
        pytest.param("0011 62 812 3456 7890", "61", "6281234567890", id="the 0011 of Australia"),
        pytest.param("491701234567", "49", "491701234567", id="with its country code and no plus"),
    ],
)
def test_a_number_is_read_as_in_the_default_country(written: str, country: str, digits: str) -> None:
    assert recipient_of(written, country) == Recipient(jid=f"{digits}@s.whatsapp.net", display=digits)


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        pytest.param("819012345678", "62819012345678", id="Japan's or a mobile: a mobile"),
        pytest.param("821012345678", "62821012345678", id="Korea's or a mobile: a mobile"),
        pytest.param("85291234567", "6285291234567", id="Hong Kong's or a mobile: a mobile"),
        pytest.param("886912345678", "62886912345678", id="Taiwan's or a mobile: a mobile"),
        pytest.param("8613800138000", "8613800138000", id="China's, too long for a mobile"),
        pytest.param("8801712345678", "8801712345678", id="Bangladesh's, as long"),
        pytest.param("84912345678", "84912345678", id="Vietnam's: no mobile begins with 84"),
        pytest.param("8109012345678", "819012345678", id="Japan's with the 0 behind its code"),
        pytest.param("8312345678", "628312345678", id="a mobile: no country has 83"),
        pytest.param("8001234567", "628001234567", id="a free number, and none abroad"),
        pytest.param("8123456789012", "628123456789012", id="in use nowhere: as the contract says"),
    ],
)
def test_an_8_is_a_mobile_of_the_default_country_where_that_is_one_and_else_whose_it_is(
    written: str, digits: str
) -> None:
    assert recipient_of(written) == Recipient(jid=f"{digits}@s.whatsapp.net", display=digits)


@pytest.mark.parametrize(
    ("written", "country", "digits"),
    [
        pytest.param("819012345678", "62", "819012345678", id="taken for a mobile"),
        pytest.param(" 81 9012345678", "62", "819012345678", id="with spaces"),
        pytest.param("812345678901", "62", "812345678901", id="possible, if in use by no table"),
        pytest.param("8123456789012", "62", "8123456789012", id="in use nowhere"),
        pytest.param("4792345678", "1", "4792345678", id="Norway's or America's"),
        pytest.param("tel:819012345678", "62", "819012345678", id="a link"),
        pytest.param("8613800138000", "62", None, id="one reading"),
        pytest.param("8312345678", "62", None, id="no country has it"),
        pytest.param("6281234567890", "62", None, id="with the country code"),
        pytest.param("+819012345678", "62", None, id="with a plus"),
        pytest.param("0819012345678", "62", None, id="with a 0"),
        pytest.param("819012345678@s.whatsapp.net", "62", None, id="a JID"),
        pytest.param("5215512345678", "62", None, id="doubtful in one reading"),
        pytest.param("hello", "62", None, id="no number"),
        pytest.param("8" * 5000, "62", None, id="very long"),
    ],
)
def test_of_digits_with_two_readings_it_is_told_whom_they_name_as_they_stand(
    written: str, country: str, digits: str | None
) -> None:
    standing = as_it_stands(written, country)
    assert standing == (None if digits is None else Recipient(jid=f"{digits}@s.whatsapp.net", display=digits))


@pytest.mark.parametrize("written", ["819012345678", "85291234567", "886912345678"])
def test_where_nothing_tells_which_of_two_numbers_in_use_is_meant_it_is_refused(written: str) -> None:
    answer = certain_recipient_of(written)
    assert isinstance(answer, InvalidPhone)
    assert "write it with + and the country code" in answer.reason


@pytest.mark.parametrize(
    "written", ["81234567890", "812345678901", "8312345678", "8613800138000", "+819012345678", "081234567890"]
)
def test_a_number_that_only_one_account_can_have_is_certain(written: str) -> None:
    assert certain_recipient_of(written) == recipient_of(written)


@pytest.mark.parametrize("written", ["5215512345678", "1415555012345", "62812345"])
def test_of_a_number_that_the_tables_doubt_it_is_told_whom_it_would_be(written: str) -> None:
    answer = recipient_of(written)
    assert isinstance(answer, InvalidPhone)
    assert answer.doubtful == Recipient(jid=f"{written}@s.whatsapp.net", display=written)


@pytest.mark.parametrize("written", ["0812", "6" * 16, "9991234567890", "6281200009002.0", "628123x", "1@lid", ""])
def test_what_no_account_can_have_is_nobody(written: str) -> None:
    answer = recipient_of(written)
    assert isinstance(answer, InvalidPhone)
    assert answer.doubtful is None


def test_the_reason_is_said_in_the_readers_language() -> None:
    answer = recipient_of("status@broadcast")
    assert isinstance(answer, InvalidPhone)
    said = sentence(ApiError.INVALID_PHONE, "id", {"reason": answer.said})
    assert said == (
        "Nomor telepon tidak valid: itu alamat status WhatsApp, sedangkan pesan hanya dapat dikirim ke orang dan grup."
    )


@pytest.mark.parametrize(
    "written", ["0." * 32, "+" * 64, "(" * 64, "0 " * 32, "9x" * 32, "\u200b" * 900, "\uff10" * 64]
)
def test_no_text_takes_long(written: str) -> None:
    recipient_of.cache_clear()
    began = time.perf_counter()
    recipient_of(written)
    assert time.perf_counter() - began < 0.05


# --- Properties ------------------------------------------------------------------------------------------------------

REGIONS = ["GB", "IT", "US", "DE", "BR", "AR", "MX", "RU", "IN", "FR", "CI", "NG", "JP", "AU", "SG", "MY", "SA"]
NUMBERS = ["6281234567890", "62812345678901"] + [
    phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)[1:]
    for found in map(
        phonenumbers.example_number_for_type, REGIONS, [phonenumbers.PhoneNumberType.MOBILE] * len(REGIONS)
    )
    if found is not None
]
UNSEEN = st.text("\u200b\u200e\u200f\u202a\u202c\u2066\u2069\ufeff\u00ad\ufe0f", max_size=2)
SEPARATORS = st.sampled_from([" ", "-", "\u00a0", "\u2011", " - ", ") (", "\u2009", "\uff0d"])
KEPT_AS_TEXT = st.sampled_from(["{}", "'{}", "\u2019{}", "'{}'", '"{}"', '"\'{}"', "\u201c{}\u201d", '="{}"'])
"""What spreadsheets and their files put around a number that shall stay as it is."""
ZEROS = st.sampled_from(["0", "\u0660", "\u06f0", "\u0966", "\uff10", "\U0001d7ce"])
"""The 0 of several scripts: the other nine follow it."""


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A number and one way to write it."""
    number = draw(st.sampled_from(NUMBERS))
    code = str(phonenumbers.parse("+" + number).country_code)
    national = number[len(code) :]
    prefix = "0" if code in ("62", "44", "49", "81", "61") else ""
    middle = draw(st.sampled_from(["", prefix, f"({prefix})"]))
    before = draw(st.sampled_from(["+", "00", "\uff0b"]))
    written = before + code + " " + middle + " " + national
    if code == "62":
        written = draw(st.sampled_from([written, "0" + national, national, number]))
    zero = ord(draw(ZEROS))
    parts = [chr(zero + int(each)) if each in "0123456789" else each for each in written]
    for _ in range(draw(st.integers(0, 4))):
        parts.insert(draw(st.integers(1, len(parts))), draw(SEPARATORS))
    return number, draw(UNSEEN) + draw(KEPT_AS_TEXT).format(draw(UNSEEN).join(parts)) + draw(UNSEEN)


@given(spellings())
def test_every_spelling_of_a_number_that_is_accepted_gives_that_number(spelling: tuple[str, str]) -> None:
    number, written = spelling
    answer = recipient_of(written)
    if len(written) <= 60:
        assert isinstance(answer, Recipient), answer
    if isinstance(answer, Recipient):
        assert answer.display == number


@given(spellings())
def test_what_the_export_writes_of_a_number_is_read_as_that_number(spelling: tuple[str, str]) -> None:
    _, written = spelling
    if len(written) < 60:
        assert recipient_of(cell(written)) == recipient_of(written)


ABROAD = ["JP", "KR", "VN", "HK", "MO", "KH", "LA", "CN", "BD", "TW"]
"""Whose country codes begin with 8."""


@st.composite
def numbers_abroad(draw: st.DrawFn) -> str:
    """A mobile number in use in one of these countries, as the API writes it."""
    region = draw(st.sampled_from(ABROAD))
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)[1:]
    last = draw(st.text("0123456789", min_size=6, max_size=6))
    return number[:-6] + last


@given(numbers_abroad())
def test_a_bare_number_of_another_country_is_taken_for_a_mobile_only_where_that_is_one(number: str) -> None:
    if not phonenumbers.is_valid_number(phonenumbers.parse("+" + number)):
        return
    answer, standing = recipient_of(number), as_it_stands(number)
    as_mobile = phonenumbers.parse("+62" + number)
    is_mobile = phonenumbers.number_type(as_mobile) == phonenumbers.PhoneNumberType.MOBILE
    assert isinstance(answer, Recipient)
    assert answer.display == (f"62{number}" if is_mobile else number)
    assert (standing or answer).display == number, "who is known under these digits can be found"
    certain = certain_recipient_of(number)
    assert isinstance(certain, InvalidPhone) if is_mobile else certain == answer


@given(
    st.text("0123456789+-. ()xeE,;:'\"=\u200b\u0661\uff12", max_size=40), st.sampled_from(["62", "44", "1", "39", "7"])
)
@example("6281200009002.0", "62")
@example("+54 11 15 1234 5678", "62")
@example("+1 1 415 555 0123", "62")
def test_no_text_gives_a_number_with_other_digits_than_its_own(written: str, country: str) -> None:
    """Before the number itself may stand an international prefix, its country code and a national prefix."""
    answer = recipient_of(written, country)
    if isinstance(answer, InvalidPhone):
        return
    digits = "".join(str(unicodedata.decimal(each)) for each in written if unicodedata.category(each) == "Nd")
    code = str(phonenumbers.parse("+" + answer.display).country_code)
    national = answer.display[len(code) :]
    assert digits.endswith(national)
    before = digits.removesuffix(national)
    national_prefixes = (
        {"", "0", "06", "8"} if country == "7" or code == "36" else {"", "0", "1" if country == "1" else ""}
    )
    international_prefixes = {"", "00", "011", "008", "009", "810"}
    possible = {one + code + two for one in international_prefixes for two in ("", "0", "06")} | national_prefixes
    assert before in possible, (before, answer)
    if before in national_prefixes and before != code:
        assert code in (country, before) or not before
