"""What is one emoji, and what only looks like one."""

from __future__ import annotations

import pytest

from services.api.messages.emoji import is_emoji

ZWJ, AS_EMOJI, AS_TEXT, KEYCAP = "\u200d", "\ufe0f", "\ufe0e", "\u20e3"
THUMB, HEART, WAVE, DARK, LIGHT = "\U0001f44d", "\u2764", "\U0001f44b", "\U0001f3ff", "\U0001f3fb"
MAN, WOMAN, GIRL, BOY = "\U0001f468", "\U0001f469", "\U0001f467", "\U0001f466"
INDONESIA, ENGLAND = "\U0001f1ee\U0001f1e9", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(THUMB, id="a character"),
        pytest.param(HEART, id="one that is text by itself"),
        pytest.param(HEART + AS_EMOJI, id="and asked for as an emoji"),
        pytest.param("\u00a9" + AS_EMOJI, id="copyright"),
        pytest.param(WAVE + DARK, id="a skin tone"),
        pytest.param(DARK, id="a skin tone alone"),
        pytest.param("1" + AS_EMOJI + KEYCAP, id="a keycap"),
        pytest.param("#" + KEYCAP, id="a keycap without its selector"),
        pytest.param(INDONESIA, id="a flag"),
        pytest.param(ENGLAND, id="a flag of tags"),
        pytest.param(ZWJ.join((MAN, WOMAN, GIRL, BOY)), id="a family"),
        pytest.param(f"{WOMAN}{DARK}{ZWJ}\U0001f680", id="an astronaut with a skin tone"),
        pytest.param(f"{WOMAN}{ZWJ}{HEART}{AS_EMOJI}{ZWJ}\U0001f48b{ZWJ}{MAN}", id="a kiss"),
        pytest.param(f"{WOMAN}{LIGHT}{ZWJ}{HEART}{AS_EMOJI}{ZWJ}\U0001f48b{ZWJ}{MAN}{DARK}", id="of two tones"),
        pytest.param(f"\U0001faf1{LIGHT}{ZWJ}\U0001faf2{DARK}", id="a handshake of two tones"),
        pytest.param(f"{WOMAN}{LIGHT}{ZWJ}\U0001f91d{ZWJ}{MAN}{DARK}", id="a couple of two tones"),
        pytest.param(f"\U0001f3f3{AS_EMOJI}{ZWJ}\U0001f308", id="a rainbow flag"),
        pytest.param(f"\U0001f3c3{DARK}{ZWJ}\u2642{AS_EMOJI}{ZWJ}\u27a1{AS_EMOJI}", id="running to the right"),
        pytest.param("\U0001fae8", id="a newer one"),
    ],
)
def test_one_emoji_is_one(text: str) -> None:
    assert is_emoji(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("ok", id="letters"),
        pytest.param("1", id="a digit"),
        pytest.param("1" + AS_EMOJI, id="a digit with a selector"),
        pytest.param("*", id="a sign"),
        pytest.param("\u2192", id="an arrow that is none"),
        pytest.param("\u2605", id="a star that is none"),
        pytest.param("\u4e00", id="Chinese"),
        pytest.param("\u20ac", id="a currency"),
        pytest.param(THUMB * 2, id="two"),
        pytest.param(THUMB + " ", id="a space"),
        pytest.param(THUMB + "!", id="and a sign"),
        pytest.param(INDONESIA * 2, id="two flags"),
        pytest.param(INDONESIA[0], id="half a flag"),
        pytest.param("\U0001f1ff\U0001f1ff", id="a flag of nowhere"),
        pytest.param(ENGLAND[:-1], id="a flag that does not end"),
        pytest.param(HEART + AS_TEXT, id="asked for as text"),
        pytest.param(AS_EMOJI, id="a selector"),
        pytest.param(ZWJ, id="a joiner"),
        pytest.param(THUMB + ZWJ, id="a joiner of nothing"),
        pytest.param(f"{THUMB}{ZWJ}\U0001f680", id="two that do not join"),
        pytest.param(HEART + DARK, id="a tone on what takes none"),
        pytest.param(WAVE + DARK + LIGHT, id="two tones"),
        pytest.param(HEART + AS_EMOJI * 2, id="two selectors"),
        pytest.param(":)", id="an emoticon"),
        pytest.param("\u0661" + KEYCAP, id="a keycap that is none"),
    ],
)
def test_what_is_not_one_emoji_is_none(text: str) -> None:
    assert not is_emoji(text)
