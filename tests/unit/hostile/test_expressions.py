"""Every expression of the product, found in its sources, does linear work in the way in which it is used there."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.hostile.texts import TextOf, texts
from tests.unit.hostile.work import first_faults

ROOT = Path(__file__).parents[3]
SOURCES = sorted(path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}
LIMIT = 65_536
LIMITS = {"_ATTRIBUTE": 4_000}
"""Of expressions that see parts of a text alone: the attributes of one tag."""
IN_PLACE = {
    "services/api/accounts/users.py",
    "services/api/media/dispositions.py",
    "services/api/media/file_types.py",
    "services/api/media/kinds.py",
    "services/api/messages/phones.py",
}
"""Where `re` is called without a compiled expression; their functions stand in `parsers`."""
NEVER = {
    "fnmatch": "it compiles what strangers write: use libs.contracts.patterns",
    "http.cookies": "Python's reading of quoted cookies is quadratic before 3.11.10",
    "html.parser": "its work depends on what was opened before",
}
NORMALISING = {"libs/contracts/words.py", "services/api/sessions/names.py"}
"""Sorting marks is quadratic: one character, or a short text, at a time."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def expressions() -> Iterator[tuple[str, str]]:
    """The module and name of each expression that is a constant of its own."""
    for path, tree in TREES.items():
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=called)) if (
                    ast.unparse(called) == "re.compile"
                ):
                    yield named(path).removesuffix(".py").replace("/", "."), name
                case _:
                    continue


def uses_of(module: str, name: str) -> set[str]:
    """How an expression is used: in its own module, and elsewhere where its name is public."""
    own = ROOT / (module.replace(".", "/") + ".py")
    found: set[str] = set()
    for tree in [TREES[own]] if name.startswith("_") else TREES.values():
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id=used), attr=method) if used == name:
                    found.add(method)
                case _:
                    continue
    return found


def calls_of(expression: re.Pattern[Any], uses: set[str]) -> Iterator[Callable[[Any], object]]:
    empty: Any = b"" if isinstance(expression.pattern, bytes) else ""
    ways: dict[str, Callable[[Any], object]] = {
        "match": expression.match,
        "fullmatch": expression.fullmatch,
        "search": expression.search,
        "findall": expression.findall,
        "finditer": expression.findall,
        "split": expression.split,
        "sub": partial(expression.sub, empty),
    }
    yield from (ways[method] for method in sorted(uses) if method in ways)


def encoded(text_of: TextOf) -> Callable[[int], bytes]:
    return lambda length: text_of(length).encode()[:length]


@pytest.mark.parametrize(("module", "name"), list(expressions()))
def test_no_text_takes_an_expression_more_than_linear_work(module: str, name: str) -> None:
    expression: re.Pattern[Any] = getattr(importlib.import_module(module), name)
    is_bytes = isinstance(expression.pattern, bytes)
    ways = list(calls_of(expression, uses_of(module, name)))
    assert ways, f"{name} is used in no known way"
    fed = [(text, encoded(text_of) if is_bytes else text_of) for text, text_of in texts()]
    assert [faults for way in ways if (faults := first_faults(way, fed, LIMITS.get(name, LIMIT)))] == []


def called_in(path: Path, name: str) -> bool:
    return any(isinstance(node, ast.Call) and ast.unparse(node.func) == name for node in ast.walk(TREES[path]))


def test_expressions_that_are_not_constants_are_in_functions_that_are_fed() -> None:
    ways = [f"re.{each}" for each in ("match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn")]
    assert {named(path) for path in SOURCES if any(called_in(path, way) for way in ways)} == IN_PLACE


def imported_by(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(TREES[path]):
        match node:
            case ast.Import(names=names):
                found |= {each.name for each in names}
            case ast.ImportFrom(module=str(module)):
                found.add(module)
            case _:
                continue
    return found


@pytest.mark.parametrize("module", NEVER)
def test_what_is_slow_for_hostile_texts_is_not_used(module: str) -> None:
    assert [named(path) for path in SOURCES if module in imported_by(path)] == [], NEVER[module]


def test_only_short_texts_are_normalised() -> None:
    assert {named(path) for path in SOURCES if called_in(path, "unicodedata.normalize")} == NORMALISING


def test_cookies_are_read_by_our_own_reader() -> None:
    """Litestar's reads all of them, by `http.cookies`."""
    reading = re.compile(r"\b(?:request|connection|socket)\.cookies\b|FromCookie|CookieParameter")
    assert [named(path) for path in SOURCES if reading.search(path.read_text())] == []
