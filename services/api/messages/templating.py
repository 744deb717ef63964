"""Texts with `{{variables}}`: which there are, what is wrong with one, and the text with all filled in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_VARIABLES = 50

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}")
_LEFT_OVER = re.compile(r"\{\{.{0,30}|.{0,30}\}\}", re.DOTALL)


def variables_in(content: str) -> list[str]:
    """The names of its variables, each once, in their order."""
    return list(dict.fromkeys(_VARIABLE.findall(content)))


def fault_of(content: str) -> str | None:
    """What is wrong with a template's text, as the end of a sentence, or None."""
    if not content.strip():
        return "it is empty"
    left_over = _LEFT_OVER.search(_VARIABLE.sub("", content))
    if left_over is not None:
        return f"a variable is written {{{{name}}}}, of letters, digits and _; this is none: {left_over[0].strip()}"
    if len(variables_in(content)) > MOST_VARIABLES:
        return f"it has more than {MOST_VARIABLES} variables"
    return None


def missing_of(content: str, values: Mapping[str, str]) -> list[str]:
    """The variables that have no value, or an empty one."""
    return [name for name in variables_in(content) if not values.get(name, "").strip()]


def filled(content: str, values: Mapping[str, str]) -> str:
    """The text. What a value holds is not looked into. Raises KeyError for a variable without a value."""
    return _VARIABLE.sub(lambda match: values[match[1]], content)
