"""Contact cards as people have them, and what is sent of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from services.api.messages.phones import Recipient, certain_recipient_of
from services.api.messages.vcards import (
    MOST_CHARACTERS,
    MOST_LINES,
    MOST_PHONES,
    InvalidCard,
    name_in,
    phones_in,
    properties_of,
    written,
)

PLAIN = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bu Sari\r\nTEL;waid=628111111111:+628111111111\r\nEND:VCARD"


def waid_of(phone: str) -> str | None:
    person = certain_recipient_of(phone)
    return person.display if isinstance(person, Recipient) else None


def sent(card: str) -> str:
    """The card as it is sent."""
    properties = properties_of(card)
    assert not isinstance(properties, InvalidCard), properties
    return written(properties, name_in(properties) or "?", waid_of)


def card_of(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD"])


@pytest.mark.parametrize(
    "card",
    [
        pytest.param(PLAIN, id="as it is sent"),
        pytest.param(PLAIN.replace(";waid=628111111111", ""), id="without waid"),
        pytest.param(PLAIN.replace("\r\n", "\n"), id="LF"),
        pytest.param(PLAIN.replace("\r\n", "\r"), id="CR"),
        pytest.param("\ufeff" + PLAIN + "\n\n", id="a BOM, and blank lines"),
        pytest.param("\n    " + PLAIN.replace("\r\n", "\n    ") + "\n    ", id="indented"),
        pytest.param(PLAIN.replace("\r\n", "\n\t"), id="indented behind its first line"),
        pytest.param("  " + PLAIN, id="only its first line indented"),
        pytest.param(PLAIN.replace("Bu Sari", "Bu\r\n  Sa\r\n\tri"), id="folded"),
        pytest.param("    " + PLAIN.replace("Bu Sari", "Bu\r\n  Sari").replace("\r\n", "\n    "), id="both"),
        pytest.param(PLAIN.replace("FN:", "FN;ENCODING=QUOTED-PRINTABLE:").replace("Bu ", "=42u=20"), id="quoted"),
        pytest.param(
            PLAIN.replace("FN:Bu ", "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Bu=\r\n=20"), id="quoted over two lines"
        ),
        pytest.param(PLAIN.replace("3.0", "2.1").replace("FN:", "FN;QUOTED-PRINTABLE:"), id="2.1"),
        pytest.param(PLAIN.replace("3.0", "4.0").replace("TEL;waid=628111111111:", "TEL;VALUE=uri:tel:"), id="4.0"),
        pytest.param(PLAIN.lower().replace("bu sari", "Bu Sari"), id="small letters"),
        pytest.param(PLAIN.replace("VERSION:3.0\r\n", ""), id="no version"),
        pytest.param(PLAIN.replace(";waid=628111111111", ";waid="), id="an empty waid"),
    ],
)
def test_a_card_in_any_writing_is_sent_as_one(card: str) -> None:
    assert sent(card) == PLAIN


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param("TEL:0811 111 1111", "TEL;waid=628111111111:0811 111 1111", id="a national number"),
        pytest.param(
            "TEL;CELL;PREF:+628111111111", "TEL;TYPE=CELL;TYPE=PREF;waid=628111111111:+628111111111", id="2.1"
        ),
        pytest.param("item1.TEL;type=CELL:1", "item1.TEL;type=CELL:1", id="what is no number of WhatsApp"),
        pytest.param('TEL;TYPE="a;b:c":1', 'TEL;TYPE="a;b:c":1', id="a quoted parameter"),
        pytest.param("TEL;waid=62811:+1", "TEL;waid=62811:+1", id="a button that stands there"),
        pytest.param("TEL;waid=000:+628111111111", "TEL;waid=628111111111:+628111111111", id="a wrong button"),
        pytest.param("TEL;waid=62811:0811 111 1111", "TEL;waid=628111111111:0811 111 1111", id="one cut short"),
        pytest.param(
            "TEL;waid=5215512345678:+52 55 1234 5678", "TEL;waid=5215512345678:+52 55 1234 5678", id="WhatsApp's own"
        ),
        pytest.param("TEL:819012345678", "TEL:819012345678", id="Japan's, or a mobile"),
        pytest.param("TEL;waid=819012345678:819012345678", "TEL;waid=819012345678:819012345678", id="Japan's by waid"),
        pytest.param("TEL:8613800138000", "TEL;waid=8613800138000:8613800138000", id="China's"),
        pytest.param("TEL:+81 90 1234 5678", "TEL;waid=819012345678:+81 90 1234 5678", id="Japan's with a plus"),
        pytest.param("TEL;VALUE=uri:tel:+628111111111;ext=5", "TEL;waid=628111111111:+628111111111", id="an address"),
        pytest.param(
            "PHOTO;ENCODING=BASE64;JPEG:/9j/4A\r\n  AQSk", "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSk", id="a photo"
        ),
        pytest.param("NOTE;QUOTED-PRINTABLE:a=0D=0Ab", "NOTE:a\\nb", id="line ends that were quoted"),
        pytest.param("X-ABLABEL:_$!<Mobile>!$_", "X-ABLABEL:_$!<Mobile>!$_", id="another property"),
    ],
)
def test_each_line_is_written_as_phones_read_it(line: str, shown: str) -> None:
    assert sent(card_of("FN:S", line)) == card_of("FN:S", shown)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        pytest.param(["FN:Bu Sari\\, Toko"], "Bu Sari, Toko", id="escaped"),
        pytest.param(["item1.FN;X=1:Sari"], "Sari", id="in a group"),
        pytest.param(["N:Sari;Bu;;Dr.;"], "Dr. Bu Sari", id="N alone"),
        pytest.param(["FN:", "N:Sari;Dewi"], "Dewi Sari", id="an empty FN"),
        pytest.param(["N:Toko\\; Sari"], "Toko; Sari", id="an escaped semicolon"),
        pytest.param(["ORG:Toko Kopi;Jakarta"], "Toko Kopi Jakarta", id="an organisation"),
        pytest.param(["NICKNAME:Sari"], "Sari", id="a nickname"),
        pytest.param(["FN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Ren=E9"], "René", id="another charset"),
        pytest.param(["TEL:+628111111111"], None, id="nobody"),
    ],
)
def test_the_name_is_found(lines: list[str], name: str | None) -> None:
    properties = properties_of(card_of(*lines))
    assert not isinstance(properties, InvalidCard)
    assert name_in(properties) == name


def test_a_card_without_a_full_name_gets_one() -> None:
    assert sent(card_of("N:Sari;Dewi")) == card_of("FN:Dewi Sari", "N:Sari;Dewi")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        pytest.param("", "begins with", id="empty"),
        pytest.param("Sari", "begins with", id="no card"),
        pytest.param("BEGIN:VCARD\nFN:a", "ends with", id="cut off"),
        pytest.param(f"{PLAIN}\n{PLAIN}", "more than one card", id="two"),
        pytest.param("\n".join(["BEGIN:VCARD", *["X:"] * MOST_LINES, "END:VCARD"]), "lines", id="beyond measure"),
    ],
)
def test_what_is_no_card_is_refused(card: str, reason: str) -> None:
    found = properties_of(card)
    assert isinstance(found, InvalidCard)
    assert reason in found.reason


@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "utf-8\0", "zlib", "no-such-charset"])
def test_a_charset_that_is_none_of_texts_is_read_as_utf_8(charset: str) -> None:
    assert phones_in(f"BEGIN:VCARD\nTEL;ENCODING=QUOTED-PRINTABLE;CHARSET={charset}:=2B62811\n") == ["+62811"]


def test_phones_are_read_of_whatever_came_in() -> None:
    assert phones_in("\ufeffBEGIN:VCARD\nTEL;X=1:+62\n 811\nitem1.TEL:tel:+2;ext=1\nTEL:\nTEL:+62811") == [
        "+62811",
        "+2",
    ]
    assert len(phones_in("\n".join(f"TEL:{number}" for number in range(99)))) == MOST_PHONES
    assert phones_in("") == []


HOSTILE: list[object] = [
    pytest.param(lambda n: card_of("FN:" + " " * n), id="blanks"),
    pytest.param(lambda n: card_of("FN:a" + " \t" * (n // 2) + "b"), id="blanks within"),
    pytest.param(lambda n: card_of("FN" + ";" * n), id="semicolons"),
    pytest.param(lambda n: card_of("FN;A" + "=" * n), id="equals signs"),
    pytest.param(lambda n: card_of("FN;A=" + '"' * n + ":b"), id="quotes"),
    pytest.param(lambda n: card_of("FN" + ";A=b" * (n // 4)), id="parameters without an end"),
    pytest.param(lambda n: card_of("N:" + "\\;" * (n // 2)), id="escapes"),
    pytest.param(lambda n: card_of("N:" + ";" * n), id="fields"),
    pytest.param(lambda n: card_of("NOTE;QUOTED-PRINTABLE:" + "=" * n), id="quoted"),
    pytest.param(lambda n: card_of("NOTE;QUOTED-PRINTABLE:" + "=\n" * min(n // 2, 1_900)), id="soft ends"),
    pytest.param(lambda n: card_of("FN:a" + "\n b" * min(n // 3, 1_900)), id="folds"),
    pytest.param(lambda n: card_of(*["TEL:1"] * min(n // 7, 1_900)), id="phones"),
    pytest.param(lambda n: "A.-" * (n // 3), id="no card"),
]


def seconds_for(card: str) -> float:
    began = time.process_time()
    properties = properties_of(card)
    if not isinstance(properties, InvalidCard):
        written(properties, name_in(properties) or "?", lambda _: None)
    phones_in(card)
    return time.process_time() - began


@pytest.mark.parametrize("card_with", HOSTILE)
def test_a_hostile_card_takes_time_in_proportion_to_its_size(card_with: Callable[[int], str]) -> None:
    small, large = (card_with(size)[:MOST_CHARACTERS] for size in (8_000, 64_000))
    at_first = min(seconds_for(small) for _ in range(5))
    later = min(seconds_for(large) for _ in range(3))
    assert later < 40 * at_first + 0.02  # 8 times the size; a square would take 64 times as long
    assert later < 0.5
