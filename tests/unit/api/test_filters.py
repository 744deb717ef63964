"""What a listener chose, and where it stopped."""

from __future__ import annotations

import pytest

from services.api.live.filters import Cursor, Filter, cursor_of, patterns_of


@pytest.mark.parametrize("text", ["6b0014ce-0", "6b0014ce-18446744073709551", "0-1"])
def test_a_cursor_is_read_as_it_was_written(text: str) -> None:
    cursor = cursor_of(text)
    assert cursor is not None
    assert str(cursor) == text


@pytest.mark.parametrize("text", ["", "6b0014ce", "-1", "6b0014ce-", "6b0014ce--1", "XYZ-1", "a-1-2", "a-" + "9" * 40])
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert cursor_of(text) is None


def test_a_cursor_names_its_log_and_position() -> None:
    assert cursor_of("6b0014ce-17") == Cursor("6b0014ce", 17)


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("", ()),
        ("*", ()),
        ("message.sent,*", ()),
        ("message.sent", ("message.sent",)),
        (" session.* , message.read ,", ("session.*", "message.read")),
        ("message.sent,message.sent", ("message.sent",)),
        (",".join(f"a{'_' * n}.*" for n in range(40)), tuple(f"a{'_' * n}.*" for n in range(40))),
        (",".join("a" * n for n in range(1, 65)) + "".join(f",b.{'a' * n}" for n in range(1, 38)), None),
        ("message.sent," * 10_000, ("message.sent",)),
        ("a" * 65, None),
        ("message.[a]", None),
        ("a.b.c", None),
        ("Message.Sent", None),
    ],
)
def test_patterns_are_read(text: str, patterns: tuple[str, ...] | None) -> None:
    assert patterns_of(text) == patterns


@pytest.mark.parametrize(
    ("sessions", "patterns", "session_id", "frame_type", "taken"),
    [
        pytest.param(None, (), "a", "message.sent", True, id="all"),
        pytest.param({"a"}, (), "a", "message.sent", True, id="the session"),
        pytest.param({"a"}, (), "b", "message.sent", False, id="another session"),
        pytest.param(set(), (), "a", "message.sent", False, id="no session"),
        pytest.param(None, ("session.*",), "a", "session.qr", True, id="a pattern"),
        pytest.param(None, ("session.*",), "a", "message.sent", False, id="another family"),
        pytest.param(None, ("message.sent",), "a", "message.sent", True, id="the type"),
        pytest.param(None, ("message.sent",), "a", "message.sending", False, id="a type that begins alike"),
        pytest.param({"a"}, ("message.sent",), "b", "message.sent", False, id="the type of another session"),
    ],
)
def test_a_filter_takes_what_was_chosen(
    sessions: set[str] | None, patterns: tuple[str, ...], session_id: str, frame_type: str, taken: bool
) -> None:
    chosen = None if sessions is None else frozenset(sessions)
    made = Filter(customer_id="cus_1", sessions=chosen, patterns=patterns)
    assert made.takes(session_id, frame_type) is taken
    assert made.takes(session_id, frame_type) is taken
