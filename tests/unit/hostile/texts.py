"""What strangers write to slow a parser down: one separator over and over, or two, in any length."""

from __future__ import annotations

from collections.abc import Callable, Iterator

SEPARATORS = (
    *" \t\n\r\v\f\0\x7f\x85\xa0\u2028\u3000\u200b\ufeff",
    *"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
    *("a", "A", "z", "0", "9", "\u0661", "\xe9", "\xdf", "\u0130", "\u4f60", "\U0001f468", "\u0344", "\uff9e"),
)
TOGETHER = (
    *("\r\n", "\n ", "\r\n\t", "=\n", "=\r\n", "=0", "=3D", "=3", "\n\n", " \n", "\t\n"),
    *("a ", "a,", "a;", "a.", "a:", "a=", "a@", "a/", "a-", "a&", "a\n", "1,", "1.", "1-", "0x", "+1", "-1"),
    *('""', '"a', '";', "';", "''", '\\"', "\\\\", "\\n", "\\;", "\\a", "\\u", "\\ud83c", "\\1", "\\101"),
    *(
        "{{",
        "}}",
        "{{a",
        "{{ ",
        "{{a}}",
        "{a",
        "{}",
        "[]",
        "[0",
        "[0]",
        "()",
        "<>",
        "<a",
        "</",
        "<!",
        "<!--",
        "-->",
        "--",
        "-- ",
    ),
    *("<meta ", "<meta a=", "<meta a='", '<meta a="', "<title>", "<title ", "<?xml?>", "<?xml", "<!---->", "<html "),
    *("&amp;", "&a", "&#", "&#9", "&#x", "&a=", "a=1&", "&&", "%", "%2", "%41", "%C3", "%%", "+ "),
    *(
        "=?",
        "?=",
        "=?a?q?",
        "=?a?b?",
        "=?utf-8?q?a?=",
        "name*0=a;",
        ";name*0*=",
        ";a=",
        ';a="',
        ";;",
        ";base64",
        "; base64 ",
    ),
    *(
        "https://",
        "http://a",
        "https://a ",
        "://",
        "www.",
        "@a.",
        "a@b.",
        "*a",
        "*.",
        ".*",
        "*,",
        "a*",
        "**",
        "a*,",
        "_a",
        "~a",
    ),
    *(
        "bytes=0-1,",
        "0-1,",
        "wait=",
        " wait",
        ",wait =",
        "q=",
        ";q=0.",
        "en;q=",
        "id,",
        "en-",
        "for=",
        ", ",
        "1.1.1.1,",
    ),
    *(
        "TEL:",
        "BEGIN:VCARD\n",
        "END:VCARD\n",
        "N:;",
        "TEL;a=",
        'TEL;"',
        "tel:",
        ";ext=",
        ";phone-context=",
        "62",
        "ext",
        "x1",
    ),
    *("@s.whatsapp.net", "@lid", ":1", ".1:1", "gf_", "null,", "[[", '{"a":', "[{", "a.b", "..", "../", "./", "//"),
    *(
        "\u0300\u0327",
        "\u0327\u0300",
        "a\u0300",
        "\u0f72\u0f71",
        "\u0f73",
        "\u1100\u1161",
        "\u200d\u200d",
        "\U0001f468\u200d",
    ),
)
HALVES = (
    *(
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("<", ">"),
        ("{{", "}}"),
        ("<!--", "-->"),
        ('"', "a"),
        ("'", "a"),
        ("\\", "a"),
    ),
    *(
        ("a", "@"),
        ("@", "a"),
        ("a", " "),
        (" ", "a"),
        ("*", " https://a"),
        ("_", "\n"),
        ("=", "\n"),
        (" ", "\n"),
        ("\n", " "),
    ),
    *(
        ("0", "a"),
        ("9", "."),
        (".", "9"),
        (";", "="),
        (",", "="),
        ("&", "="),
        ("\u0300", "\u0327"),
        ("\u0f72", "\u0f71"),
    ),
    *(
        ("a=", "\n"),
        ('";', "a"),
        ("a.", "@"),
        ("+", "0"),
        ("https://a", ")"),
        ("https://a(", ")"),
        ("-", ">"),
        ("*", "."),
    ),
)

TextOf = Callable[[int], str]


def texts() -> Iterator[tuple[str, TextOf]]:
    """A name of each kind of text, and how to make one of any length."""
    for each in (*SEPARATORS, *TOGETHER):
        yield ascii(each), repeated(each)
    for first, second in HALVES:
        yield f"{first!a}, then {second!a}", halves(first, second)


def repeated(part: str) -> TextOf:
    return lambda length: (part * (length // len(part) + 1))[:length]


def halves(first: str, second: str) -> TextOf:
    return lambda length: repeated(first)(length // 2) + repeated(second)(length - length // 2)
