"""Texts with variables: which are found, what is refused, and what comes of filling them in."""

from __future__ import annotations

import pytest

from services.api.messages.templating import MOST_VARIABLES, fault_of, filled, missing_of, variables_in


@pytest.mark.parametrize(
    ("content", "names"),
    [
        pytest.param("Halo", [], id="none"),
        pytest.param("Halo {{name}}, {{ order_no }}: {{name}}!", ["name", "order_no"], id="each once, in order"),
        pytest.param("{{a}}{{b}}", ["a", "b"], id="side by side"),
        pytest.param("Kode {123} {a}", [], id="single braces are words"),
    ],
)
def test_the_variables_are_told_from_the_text(content: str, names: list[str]) -> None:
    assert fault_of(content) is None
    assert variables_in(content) == names


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("  \n", id="empty"),
        pytest.param("Halo {{name", id="not closed"),
        pytest.param("Halo name}}", id="not opened"),
        pytest.param("Halo {{first name}}", id="a space within"),
        pytest.param("Halo {{}}", id="no name"),
        pytest.param("Halo {{1st}}", id="begins with a digit"),
        pytest.param("Halo {{" + "x" * 65 + "}}", id="too long a name"),
        pytest.param("".join(f"{{{{v{n}}}}}" for n in range(MOST_VARIABLES + 1)), id="too many"),
    ],
)
def test_a_text_that_would_show_its_braces_is_refused(content: str) -> None:
    assert fault_of(content) is not None


def test_a_value_is_put_in_as_it_is_and_not_looked_into() -> None:
    assert filled("{{a}} & {{b}}", {"a": "{{b}}", "b": r"\1", "c": "unused"}) == r"{{b}} & \1"


def test_a_variable_without_a_value_is_missing() -> None:
    assert missing_of("{{a}} {{b}} {{c}}", {"a": "1", "b": " "}) == ["b", "c"]
